//! `check`: prints the complete specification of one experiment or of all, and every mistake in the files. On a terminal,
//! all experiments are a short list. The files of task `custom` are read completely, so that a training does not fail on
//! them later.

use super::args::{CheckArgs, GlobalArgs};
use super::output;
use crate::data::{self, DatasetSource, LoadContext};
use crate::error::{Error, Result};
use crate::event::SplitName;
use crate::hub::Hub;
use crate::run::check::spec_problems;
use crate::spec::{Experiments, RunSpec, assignments, to_toml};
use crate::text::{escaped, plural};
use std::io::{self, IsTerminal};
use std::sync::atomic::AtomicBool;

pub(super) fn check(global: &GlobalArgs, args: &CheckArgs) -> Result<()> {
    let experiments = Experiments::open(global.experiments.as_deref())?;
    if let Some(name) = &args.name {
        let (spec, notes) = check_spec(&experiments.resolve(name, &[])?)?;
        if global.json {
            return output::json(&spec);
        }
        let notes: Vec<String> = experiments.note(name).into_iter().chain(notes).collect();
        return output::stdout_line((comments(&notes) + &to_toml(&spec)).trim_end());
    }
    let resolved = experiments.names().into_iter().filter_map(|name| experiments.resolve(name, &[]).ok());
    let (checked, mut errors): (Vec<_>, Vec<_>) =
        resolved.map(|spec| check_spec(&spec)).partition(Result::is_ok);
    let specs: Vec<(RunSpec, Vec<String>)> = checked.into_iter().flatten().collect();
    if global.json {
        output::json(&specs.iter().map(|(spec, _)| spec).collect::<Vec<_>>())?;
    } else if io::stdout().is_terminal() {
        output::stdout_line(overview(&experiments, &specs))?;
    } else {
        // The output is itself an experiments file.
        let tables: Vec<String> = specs.iter().map(|checked| table(&experiments, checked)).collect();
        output::stdout_line(tables.join("\n").trim_end())?;
    }
    // The errors in experiments files decide the exit code.
    errors.extend(experiments.error().map(Err));
    let last = errors.pop();
    for error in errors.into_iter().filter_map(Result::err) {
        output::stderr_line(format!("glue-tui: {error}"));
    }
    last.map_or(Ok(()), |error| error.map(drop))
}

/// The experiments as a list for a person.
fn overview(experiments: &Experiments, specs: &[(RunSpec, Vec<String>)]) -> String {
    let heads = ["EXPERIMENT", "MODEL", "TASK", "LEARNING RATE", "LENGTH", "BATCH", "FILE"];
    let row = |(spec, _): &(RunSpec, Vec<String>)| {
        let length = match spec.max_steps {
            Some(steps) => plural(steps, "step"),
            None if spec.num_train_epochs == 1.0 => "1 epoch".into(),
            None => format!("{} epochs", spec.num_train_epochs),
        };
        let file = experiments.path_of(&spec.experiment);
        vec![
            spec.experiment.clone(),
            spec.model.clone(),
            spec.task().name.into(),
            format!("{:e}", spec.learning_rate),
            length,
            spec.per_device_train_batch_size.to_string(),
            file.map_or("built-in".into(), |path| path.display().to_string()),
        ]
    };
    let heads = heads.map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(specs.iter().map(row)).collect();
    let notes: String = specs
        .iter()
        .filter_map(|(spec, _)| Some(format!("Note: {}\n", experiments.note(&spec.experiment)?)))
        .collect();
    let hint = "glue-tui check NAME prints all settings of an experiment.";
    format!("{}\n\n{notes}{hint}", output::table(&rows).trim_end())
}

/// An experiment as a table of an experiments file.
fn table(experiments: &Experiments, (spec, notes): &(RunSpec, Vec<String>)) -> String {
    let comment =
        experiments.description(&spec.experiment).map_or(String::new(), |text| format!("# {text}\n"));
    let header = format!("{comment}[experiment.{}]\n", quoted(&spec.experiment));
    header + &comments(notes) + &assignments(spec)
}

/// The specification, completed with the columns of the user's files, and notes about their content.
///
/// # Errors
/// Those that a training would report before its first step: in the files, and keys that do not apply to their labels.
fn check_spec(spec: &RunSpec) -> Result<(RunSpec, Vec<String>)> {
    // What a hub that is offline does not have may be there when the experiment is trained.
    let mut problems = spec_problems(spec).into_iter().map(|problem| problem.error);
    if let Some(error) = problems.find(|error| !matches!(error, Error::Hub { .. })) {
        return Err(error);
    }
    if !spec.task().is_custom() {
        return Ok((spec.clone(), Vec::new()));
    }
    let spec = data::infer_columns(spec)?;
    let (hub, cancelled) = (Hub::from_env(), AtomicBool::new(false));
    let mut context = LoadContext { hub: &hub, on_progress: &mut |_| {}, cancelled: &cancelled };
    let data = data::load(DatasetSource::from_spec(&spec).subsampled(), &mut context)?;
    spec.with_labels(&data.labels)?;
    let splits =
        [(SplitName::Train, "training"), (SplitName::Validation, "validation"), (SplitName::Test, "test")];
    let count = |split| data.total_rows.get(&split).copied().filter(|_| !data.split(split).is_empty());
    let rows = splits.into_iter().filter_map(|(split, name)| Some(format!("{} {name}", count(split)?)));
    let rows = format!("rows: {}", rows.collect::<Vec<_>>().join(", "));
    Ok((spec, data.notes.into_iter().chain([rows]).collect()))
}

fn comments(notes: &[String]) -> String {
    // A line feed in a class name would end the comment.
    notes.iter().map(|note| format!("# {}\n", escaped(note))).collect::<Vec<_>>().concat()
}

/// The name as a TOML key: in quotes when it has characters that a bare key cannot have.
fn quoted(name: &str) -> String {
    let is_bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if is_bare { name.to_owned() } else { format!("\"{name}\"") }
}
