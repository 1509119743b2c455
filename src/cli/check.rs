//! `check`: prints the complete specification of one experiment or of all, or every mistake in the file. The files
//! of task `custom` are read completely, so that a training does not fail on them later.

use super::args::{CheckArgs, GlobalArgs};
use super::output;
use crate::data::{self, DatasetSource, LoadContext};
use crate::error::{Error, Result};
use crate::event::SplitName;
use crate::hub::Hub;
use crate::run::check::spec_problems;
use crate::spec::{Experiments, RunSpec, assignments, to_toml};
use crate::text::escaped;
use std::sync::atomic::AtomicBool;

pub(super) fn check(global: &GlobalArgs, args: &CheckArgs) -> Result<()> {
    let experiments = Experiments::open(global.experiments.as_deref())?;
    if let Some(name) = &args.name {
        let (spec, notes) = check_spec(&experiments.resolve(name, &[])?)?;
        if global.json {
            return output::json(&spec);
        }
        return output::stdout_line((comments(&notes) + &to_toml(&spec)).trim_end());
    }
    let specs: Vec<RunSpec> =
        experiments.names().into_iter().map(|name| experiments.resolve(name, &[])).collect::<Result<_>>()?;
    let specs: Vec<(RunSpec, Vec<String>)> = specs.iter().map(check_spec).collect::<Result<_>>()?;
    if global.json {
        return output::json(&specs.iter().map(|(spec, _)| spec).collect::<Vec<_>>());
    }
    // The output is itself an experiments file.
    let table = |(spec, notes): &(RunSpec, Vec<String>)| {
        let comment =
            experiments.description(&spec.experiment).map_or(String::new(), |text| format!("# {text}\n"));
        let header = format!("{comment}[experiment.{}]\n", quoted(&spec.experiment));
        header + &comments(notes) + &assignments(spec)
    };
    output::stdout_line(specs.iter().map(table).collect::<Vec<_>>().join("\n").trim_end())
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
