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
use crate::spec::{
    Experiments, ResolvedExperiment, RunSpec, Sweep, assignments, sweep_assignments, sweep_json,
    sweep_to_toml, to_toml,
};
use crate::text::{escaped, plural};
use std::io::{self, IsTerminal};
use std::sync::atomic::AtomicBool;

/// Trials of a sweep that are listed.
const LISTED_TRIALS: u64 = 20;

/// An experiment without errors, completed with what its files say, and notes about their content.
struct Checked {
    experiment: ResolvedExperiment,
    notes: Vec<String>,
}

impl Checked {
    fn spec(&self) -> &RunSpec {
        self.experiment.spec()
    }

    /// `text`, the value of a key, or how the key is swept.
    fn value(&self, key: &str, text: String) -> String {
        let axes = self.experiment.sweep().map_or(&[][..], |sweep| &sweep.axes);
        let axis = axes.iter().find(|axis| axis.key.name == key);
        axis.map_or(text, |axis| axis.values.toml(axis.key))
    }

    fn json(&self) -> serde_json::Value {
        match &self.experiment {
            ResolvedExperiment::Run(spec) => serde_json::to_value(spec).unwrap_or_default(),
            ResolvedExperiment::Sweep(sweep) => sweep_json(sweep),
        }
    }

    fn assignments(&self) -> String {
        match &self.experiment {
            ResolvedExperiment::Run(spec) => assignments(spec),
            ResolvedExperiment::Sweep(sweep) => sweep_assignments(sweep),
        }
    }
}

pub(super) fn check(global: &GlobalArgs, args: &CheckArgs) -> Result<()> {
    let experiments = Experiments::open(global.experiments.as_deref())?;
    if let Some(name) = &args.name {
        let checked = check_experiment(experiments.resolve_any(name, &[])?)?;
        if global.json {
            return output::json(&checked.json());
        }
        let notes: Vec<String> = experiments.note(name).into_iter().chain(checked.notes).collect();
        let text = match &checked.experiment {
            ResolvedExperiment::Run(spec) => to_toml(spec),
            ResolvedExperiment::Sweep(sweep) => trials(sweep) + &sweep_to_toml(sweep),
        };
        return output::stdout_line((comments(&notes) + &text).trim_end());
    }
    let resolved = experiments.names().into_iter().filter_map(|name| experiments.resolve_any(name, &[]).ok());
    let (checked, mut errors): (Vec<_>, Vec<_>) = resolved.map(check_experiment).partition(Result::is_ok);
    let checked: Vec<Checked> = checked.into_iter().flatten().collect();
    if global.json {
        output::json(&checked.iter().map(Checked::json).collect::<Vec<_>>())?;
    } else if io::stdout().is_terminal() {
        output::stdout_line(overview(&experiments, &checked))?;
    } else {
        // The output is itself an experiments file.
        let tables: Vec<String> = checked.iter().map(|checked| table(&experiments, checked)).collect();
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

/// The trials of a sweep as comments; of a long sweep the first ones.
fn trials(sweep: &Sweep) -> String {
    let first = (0..sweep.len().min(LISTED_TRIALS))
        .map(|number| format!("# trial {number}: {}\n", sweep.describe_trial(number)));
    let more = sweep.len().saturating_sub(LISTED_TRIALS);
    let rest = (more > 0).then(|| format!("# and {}\n", plural(more, "more trial")));
    std::iter::once(format!("# {}\n", sweep.describe())).chain(first).chain(rest).collect()
}

/// The experiments as a list for a person.
fn overview(experiments: &Experiments, checked: &[Checked]) -> String {
    let heads = ["EXPERIMENT", "MODEL", "TASK", "LEARNING RATE", "LENGTH", "BATCH", "FILE"];
    let row = |checked: &Checked| {
        let spec = checked.spec();
        let length = match spec.max_steps {
            Some(steps) => plural(steps, "step"),
            None if spec.num_train_epochs == 1.0 => "1 epoch".into(),
            None => format!("{} epochs", spec.num_train_epochs),
        };
        let length_key = if spec.max_steps.is_some() { "max_steps" } else { "num_train_epochs" };
        let file = experiments.path_of(&spec.experiment);
        vec![
            spec.experiment.clone(),
            checked.value("model", spec.model.clone()),
            spec.task().name.into(),
            checked.value("learning_rate", format!("{:e}", spec.learning_rate)),
            checked.value(length_key, length),
            checked.value("per_device_train_batch_size", spec.per_device_train_batch_size.to_string()),
            file.map_or("built-in".into(), |path| path.display().to_string()),
        ]
    };
    let heads = heads.map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(checked.iter().map(row)).collect();
    let mut sweeps = String::new();
    for sweep in checked.iter().filter_map(|checked| checked.experiment.sweep()) {
        sweeps.push_str(&format!("{} is a sweep: {}\n", sweep.base.experiment, sweep.describe()));
    }
    let notes: String = checked
        .iter()
        .filter_map(|checked| Some(format!("Note: {}\n", experiments.note(&checked.spec().experiment)?)))
        .collect();
    let hint = "glue-tui check NAME prints all settings of an experiment.";
    format!("{}\n\n{sweeps}{notes}{hint}", output::table(&rows).trim_end())
}

/// An experiment as a table of an experiments file.
fn table(experiments: &Experiments, checked: &Checked) -> String {
    let spec = checked.spec();
    let comment =
        experiments.description(&spec.experiment).map_or(String::new(), |text| format!("# {text}\n"));
    let header = format!("{comment}[experiment.{}]\n", quoted(&spec.experiment));
    header + &comments(&checked.notes) + &checked.assignments()
}

/// An experiment, of a sweep all trials that read different files.
///
/// # Errors
/// As [`check_spec`].
fn check_experiment(experiment: ResolvedExperiment) -> Result<Checked> {
    match experiment {
        ResolvedExperiment::Run(spec) => {
            let (spec, notes) = check_spec(&spec)?;
            Ok(Checked { experiment: ResolvedExperiment::Run(Box::new(spec)), notes })
        }
        ResolvedExperiment::Sweep(mut sweep) => {
            let (base, notes) = check_spec(&sweep.base)?;
            let trials = sweep.trials_with_other_files();
            for spec in trials.into_iter().filter_map(|number| sweep.trial(number)) {
                if spec != sweep.base {
                    check_spec(&spec)?;
                }
            }
            sweep.base = base;
            Ok(Checked { experiment: ResolvedExperiment::Sweep(sweep), notes })
        }
    }
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
    let data = if spec.folds.is_some() { data::select(&spec, data) } else { data };
    spec.with_labels(&data.labels)?;
    let splits =
        [(SplitName::Train, "training"), (SplitName::Validation, "validation"), (SplitName::Test, "test")];
    let rows = |split| Some(data.split(split).len()).filter(|rows| *rows > 0);
    let count = |split| rows(split).map(|rows| data.total_rows.get(&split).copied().unwrap_or(rows));
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
