//! Lines to stdout and stderr. Control characters in names and messages are escaped wherever a terminal could
//! interpret them.

use crate::error::{Error, Result};
use crate::terminal_caps::{Charset, TerminalCaps};
use crate::terminal_reset::report_alone;
use crate::text::{escaped, escaped_json, escaped_lines, in_ascii, width};
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// The name of stdout in errors.
pub(super) const STDOUT: &str = "standard output";

/// Writes a line to stdout and flushes it. Control characters are escaped for a terminal, and kept for a pipe or
/// file.
pub(super) fn stdout_line(text: impl AsRef<str>) -> Result<()> {
    let text = text.as_ref();
    if io::stdout().is_terminal() { raw_line(&for_locale(&escaped_lines(text))) } else { raw_line(text) }
}

fn raw_line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::writing(STDOUT))
}

/// Writes bytes to stdout as they are.
pub(super) fn stdout_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Error::writing(STDOUT))
}

/// `text`, converted to ASCII in an ASCII locale.
fn for_locale(text: &str) -> Cow<'_, str> {
    match TerminalCaps::detect().charset {
        Charset::Ascii => in_ascii(text),
        _ => Cow::Borrowed(text),
    }
}

/// Writes a value to stdout as indented JSON.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    raw_line(&escaped_json(&serde_json::to_string_pretty(value).map_err(not_json)?))
}

/// Writes a value to stdout as JSON on one line.
pub(super) fn json_line(value: &impl Serialize) -> Result<()> {
    raw_line(&escaped_json(&serde_json::to_string(value).map_err(not_json)?))
}

/// Writes a text that is JSON to stdout, on one line.
pub(super) fn json_text_line(text: &str) -> Result<()> {
    raw_line(&escaped_json(text))
}

fn not_json(error: serde_json::Error) -> Error {
    Error::writing(STDOUT)(error.into())
}

/// Writes a line to stderr. A closed stderr is not an error.
pub(super) fn stderr_line(text: impl AsRef<str>) {
    writeln!(io::stderr(), "{}", for_locale(&escaped_lines(text.as_ref()))).ok();
}

/// Whether the error is that the reader of stdout has closed the pipe.
fn is_closed_pipe(error: &Error) -> bool {
    matches!(error, Error::Write { path, source }
        if path.as_os_str() == STDOUT && source.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints the error of a command to stderr, and returns its exit code.
pub fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // A closed pipe is normal, as with `| head`.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report_alone();
            stderr_line(match &error {
                // One line per mistake, in the format that editors can jump to.
                Error::Config(_) => error.to_string(),
                _ => format!("glue-tui: {error}"),
            });
            ExitCode::from(error.exit_code())
        }
    }
}

/// A table with aligned columns; the first row is the header. Widths are in terminal cells.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let shown = |cell: &String| for_locale(&escaped(cell)).into_owned();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let row = |row: &Vec<String>| {
        let cells =
            row.iter().zip(&widths).map(|(cell, cells)| format!("{cell}{}", " ".repeat(cells - width(cell))));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

/// [`table`] without the columns that do not fit into the terminal on stdout: those of `optional` are left out one after
/// another. A pipe or file has all columns.
pub(super) fn fitted_table(rows: &[Vec<String>], optional: &[&str]) -> String {
    let columns = terminal_size::terminal_size_of(io::stdout()).map(|(columns, _)| usize::from(columns.0));
    without_wide_columns(rows, optional, columns.unwrap_or(usize::MAX))
}

fn without_wide_columns(rows: &[Vec<String>], optional: &[&str], columns: usize) -> String {
    let mut rows = rows.to_vec();
    let mut text = table(&rows);
    for title in optional {
        if text.lines().all(|line| width(line) <= columns) {
            break;
        }
        let Some(at) = rows.first().and_then(|header| header.iter().position(|cell| cell == title)) else {
            continue;
        };
        for row in rows.iter_mut().filter(|row| at < row.len()) {
            row.remove(at);
        }
        text = table(&rows);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_do_not_fit_are_left_out() {
        let rows =
            [vec!["NAME".into(), "SEED".into(), "N".into()], vec!["demo".into(), "42".into(), "12".into()]];
        assert_eq!(without_wide_columns(&rows, &["SEED", "N"], 14), "NAME  SEED  N\ndemo  42    12");
        assert_eq!(without_wide_columns(&rows, &["SEED", "N"], 13), "NAME  N\ndemo  12");
        assert_eq!(without_wide_columns(&rows, &["SEED", "none", "N"], 3), "NAME\ndemo");
    }

    #[test]
    fn columns_are_aligned_by_display_width() {
        let rows = [vec!["NAME".into(), "N".into()], vec!["zoë".into(), "12".into()]];
        assert_eq!(table(&rows), "NAME  N\nzoë   12");
        assert_eq!(table(&[]), "");
        let rows = [vec!["NAME".into(), "N".into()], vec!["日本\x1b[31m".into(), "1\n2".into()]];
        assert_eq!(table(&rows), "NAME          N\n日本\\x1b[31m  1\\n2");
    }

    #[test]
    fn only_a_closed_stdout_is_a_closed_pipe() {
        let broken_pipe = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed_pipe(&Error::writing(STDOUT)(broken_pipe())));
        assert!(!is_closed_pipe(&Error::writing("model.safetensors")(broken_pipe())));
        assert!(!is_closed_pipe(&Error::writing(STDOUT)(io::ErrorKind::StorageFull.into())));
    }
}
