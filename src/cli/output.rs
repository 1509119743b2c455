//! Lines to stdout and stderr, and how numbers look in them.

use crate::catalog::Metric;
use crate::error::{Error, Result};
use crate::event::Scores;
use serde::Serialize;
use std::io::{self, Write};

/// What stdout is called in errors.
const STDOUT: &str = "standard output";

/// Writes a line to stdout, at once.
pub(super) fn line(text: impl AsRef<str>) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush()).map_err(Error::writing(STDOUT))
}

/// Writes a value to stdout as indented JSON.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string_pretty(value).expect("plain values become JSON"))
}

/// Writes a value to stdout as JSON on one line.
pub(super) fn json_line(value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string(value).expect("plain values become JSON"))
}

/// Writes a line to stderr; when that is closed there is nobody to tell.
pub(super) fn aside(text: impl AsRef<str>) {
    writeln!(io::stderr(), "{}", text.as_ref()).ok();
}

/// Whether the error is that the reader of stdout has gone.
pub(super) fn is_closed_pipe(error: &Error) -> bool {
    matches!(error, Error::Write { path, source }
        if path.as_os_str() == STDOUT && source.kind() == io::ErrorKind::BrokenPipe)
}

/// A score for people: shares in percent, all others as they are.
pub(super) fn score(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Accuracy | Metric::AccuracyMm | Metric::F1 => format!("{:.2} %", 100.0 * value),
        Metric::MatthewsCorrelation | Metric::Loss => format!("{value:.4}"),
    }
}

/// All scores of a pass, on one line.
pub(super) fn scores(scores: &Scores) -> String {
    let known = Metric::ALL.into_iter().filter_map(|metric| Some((metric, scores.get(metric)?)));
    known
        .map(|(metric, value)| format!("{} {}", metric.name(), score(metric, value)))
        .collect::<Vec<_>>()
        .join("  ")
}

/// Rows with their columns aligned, the first row being the header. Widths are those of the terminal.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    use unicode_width::UnicodeWidthStr;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let row = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [vec!["NAME".into(), "N".into()], vec!["zoë".into(), "12".into()]];
        assert_eq!(table(&rows), "NAME  N\nzoë   12");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn only_a_closed_stdout_is_quiet() {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed_pipe(&Error::writing(STDOUT)(gone())));
        assert!(!is_closed_pipe(&Error::writing("model.safetensors")(gone())));
        assert!(!is_closed_pipe(&Error::writing(STDOUT)(io::ErrorKind::StorageFull.into())));
    }
}
