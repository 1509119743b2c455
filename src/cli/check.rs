//! `check`: the filled specification of one experiment or of all, or every mistake in the file. What task
//! `custom` learns from is read whole, so that a training does not fail on it later.

use super::args::{Check, Global};
use super::output;
use crate::data::{self, Context, DatasetSource};
use crate::error::Result;
use crate::hub::Hub;
use crate::spec::{Experiments, RunSpec, assignments, to_toml};
use std::sync::atomic::AtomicBool;

pub(super) fn check(global: &Global, args: &Check) -> Result<()> {
    let experiments = Experiments::open(global.experiments.as_deref())?;
    if let Some(name) = &args.name {
        let (spec, found) = examined(&experiments.resolve(name, &[])?)?;
        if global.json {
            return output::json(&spec);
        }
        return output::line((comments(&found) + &to_toml(&spec)).trim_end());
    }
    let specs: Vec<RunSpec> =
        experiments.names().into_iter().map(|name| experiments.resolve(name, &[])).collect::<Result<_>>()?;
    let specs: Vec<(RunSpec, Vec<String>)> = specs.iter().map(examined).collect::<Result<_>>()?;
    if global.json {
        return output::json(&specs.iter().map(|(spec, _)| spec).collect::<Vec<_>>());
    }
    // What is printed is itself an experiments file.
    let table = |(spec, found): &(RunSpec, Vec<String>)| {
        let about =
            experiments.description(&spec.experiment).map_or(String::new(), |text| format!("# {text}\n"));
        let header = format!("{about}[experiment.{}]\n", quoted(&spec.experiment));
        header + &comments(found) + &assignments(spec)
    };
    output::line(specs.iter().map(table).collect::<Vec<_>>().join("\n").trim_end())
}

/// The specification with what the user's own files tell, and sentences about what is in them.
fn examined(spec: &RunSpec) -> Result<(RunSpec, Vec<String>)> {
    if !spec.task().is_custom() {
        return Ok((spec.clone(), Vec::new()));
    }
    let spec = data::filled(spec)?;
    let (hub, cancelled) = (Hub::from_env(), AtomicBool::new(false));
    let mut context = Context { hub: &hub, watch: &mut |_| {}, cancelled: &cancelled };
    let data = data::load(DatasetSource::of(&spec), &mut context)?;
    let rows = [
        (data.train().len(), "to train on"),
        (data.validation().len(), "to validate on"),
        (data.test().len(), "to test on"),
    ];
    let rows = rows.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let rows = format!("rows: {}", rows.collect::<Vec<_>>().join(", "));
    Ok((spec, data.notes.into_iter().chain([rows]).collect()))
}

fn comments(sentences: &[String]) -> String {
    sentences.iter().map(|sentence| format!("# {sentence}\n")).collect::<Vec<_>>().concat()
}

/// A dot or a letter beyond ASCII in a name wants quotes in a table's header.
fn quoted(name: &str) -> String {
    let bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare { name.to_owned() } else { format!("\"{name}\"") }
}
