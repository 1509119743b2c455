//! Lines to stdout and stderr. What a person reads is harmless there: names
//! and messages from outside are shown with their control characters as escapes.

use crate::error::{Error, Result};
use crate::terminal_caps::{Charset, TerminalCaps};
use crate::text::{escaped, escaped_lines, in_ascii, width};
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

/// What stdout is called in errors.
const STDOUT: &str = "standard output";

/// Writes a line to stdout, at once. Programs get it as it is, a terminal gets it harmless.
pub(super) fn line(text: impl AsRef<str>) -> Result<()> {
    let text = text.as_ref();
    if io::stdout().is_terminal() { raw_line(&told(&escaped_lines(text))) } else { raw_line(text) }
}

fn raw_line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::writing(STDOUT))
}

/// `text`, in ASCII where the locale has nothing else.
fn told(text: &str) -> Cow<'_, str> {
    match TerminalCaps::detect().charset {
        Charset::Ascii => in_ascii(text),
        _ => Cow::Borrowed(text),
    }
}

/// Writes a value to stdout as indented JSON.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    raw_line(&serde_json::to_string_pretty(value).expect("plain values become JSON"))
}

/// Writes a value to stdout as JSON on one line.
pub(super) fn json_line(value: &impl Serialize) -> Result<()> {
    raw_line(&serde_json::to_string(value).expect("plain values become JSON"))
}

/// Writes a line to stderr; when that is closed there is nobody to tell.
pub(super) fn aside(text: impl AsRef<str>) {
    writeln!(io::stderr(), "{}", told(&escaped_lines(text.as_ref()))).ok();
}

/// Whether the error is that the reader of stdout has gone.
pub(super) fn is_closed_pipe(error: &Error) -> bool {
    matches!(error, Error::Write { path, source }
        if path.as_os_str() == STDOUT && source.kind() == io::ErrorKind::BrokenPipe)
}

/// Rows with their columns aligned, the first row being the header. Widths are those of the terminal.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let shown = |cell: &String| told(&escaped(cell)).into_owned();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [vec!["NAME".into(), "N".into()], vec!["zoë".into(), "12".into()]];
        assert_eq!(table(&rows), "NAME  N\nzoë   12");
        assert_eq!(table(&[]), "");
        let rows = [vec!["NAME".into(), "N".into()], vec!["日本\x1b[31m".into(), "1\n2".into()]];
        assert_eq!(table(&rows), "NAME          N\n日本\\x1b[31m  1\\n2");
    }

    #[test]
    fn only_a_closed_stdout_is_quiet() {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed_pipe(&Error::writing(STDOUT)(gone())));
        assert!(!is_closed_pipe(&Error::writing("model.safetensors")(gone())));
        assert!(!is_closed_pipe(&Error::writing(STDOUT)(io::ErrorKind::StorageFull.into())));
    }
}
