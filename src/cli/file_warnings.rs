//! Warnings about experiments files before a training starts.

use super::output;
use crate::spec::Experiments;
use crate::text::plural;

/// Warns about an experiment of the same name in another file, and about errors elsewhere in the files.
pub(super) fn warn_about_files(experiments: &Experiments, name: &str) {
    let errors = experiments.errors();
    let elsewhere = errors.first().map(|first| match errors.len() {
        1 => format!("{first}; this does not concern {name}"),
        count => format!(
            "{first}; this and {} do not concern {name}; see glue-tui check",
            plural(count - 1, "other error")
        ),
    });
    for warning in experiments.note(name).into_iter().chain(elsewhere) {
        output::stderr_line(format!("glue-tui: warning: {warning}"));
    }
}
