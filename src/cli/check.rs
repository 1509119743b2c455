//! `check`: the filled specification of one experiment or of all, or every mistake in the file.

use super::args::{Check, Global};
use super::output;
use crate::error::Result;
use crate::spec::{Experiments, RunSpec, assignments, to_toml};

pub(super) fn check(global: &Global, args: &Check) -> Result<()> {
    let experiments = Experiments::open(global.experiments.as_deref())?;
    if let Some(name) = &args.name {
        let spec = experiments.resolve(name, &[])?;
        return if global.json { output::json(&spec) } else { output::line(to_toml(&spec).trim_end()) };
    }
    let specs: Vec<RunSpec> =
        experiments.names().into_iter().map(|name| experiments.resolve(name, &[])).collect::<Result<_>>()?;
    if global.json {
        return output::json(&specs);
    }
    // What is printed is itself an experiments file.
    let table = |spec: &RunSpec| {
        let about =
            experiments.description(&spec.experiment).map_or(String::new(), |text| format!("# {text}\n"));
        format!("{about}[experiment.{}]\n{}", quoted(&spec.experiment), assignments(spec))
    };
    output::line(specs.iter().map(table).collect::<Vec<_>>().join("\n").trim_end())
}

/// A dot or a letter beyond ASCII in a name wants quotes in a table's header.
fn quoted(name: &str) -> String {
    let bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare { name.to_owned() } else { format!("\"{name}\"") }
}
