//! Whether the cells of a tab-separated file are in double quotes. pandas writes such cells when a text has a quote, a
//! tab or a line break, while in GLUE's files quotes are ordinary text.

use crate::data::read::text_file::{LineSource, TextFile};
use crate::error::Result;

/// Maximum length of a quoted cell with line breaks: a longer one is a quote that is text.
const MAX_QUOTED: usize = 1 << 20;

/// The double quotes of a tab-separated file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TabQuoting {
    /// Whether the quotes enclose cells.
    pub(super) is_quoted: bool,
    /// Number of cells that begin and end with a quote on one line.
    pub(super) literal_cells: u64,
    /// The line of the first such cell.
    pub(super) first_literal: Option<u64>,
}

/// Reads the whole file. Quotes enclose cells if every cell that begins with a quote is closed as in CSV, and at least
/// one of them has doubled quotes, a tab or a line break, or all cells of the header are quoted.
pub(super) fn tab_quoting(file: &TextFile<'_>) -> Result<TabQuoting> {
    let mut found = TabQuoting::default();
    let mut scanner = Scanner::default();
    let mut lines = file.lines()?;
    while let Some((number, line)) = lines.next_line()? {
        if !line.contains(&b'"') {
            if scanner.is_open() {
                scanner.line(line);
            } else if scanner.columns.is_none() {
                scanner.columns = Some(line.split(|byte| *byte == b'\t').count());
            }
            continue;
        }
        scanner.line(line);
        let literal = line.split(|byte| *byte == b'\t').filter(|cell| is_enclosed(cell)).count() as u64;
        if literal > 0 {
            found.first_literal.get_or_insert(number);
            found.literal_cells += literal;
        }
    }
    found.is_quoted = scanner.is_valid && !scanner.is_open() && scanner.has_evidence;
    Ok(found)
}

fn is_enclosed(cell: &[u8]) -> bool {
    cell.len() > 1 && cell.starts_with(b"\"") && cell.ends_with(b"\"")
}

/// Reads lines as rows with quoted cells.
struct Scanner {
    is_valid: bool,
    has_evidence: bool,
    /// Number of columns of the header.
    columns: Option<usize>,
    /// Number of complete cells of the current row.
    cells: usize,
    /// The cell that continues on the next line.
    open: Option<OpenCell>,
    /// Whether the current row has a cell with a line break.
    spans_lines: bool,
    /// Number of quoted cells of the current row.
    quoted: usize,
}

/// A quoted cell that is not closed yet.
#[derive(Clone, Copy, Default)]
struct OpenCell {
    length: usize,
    has_doubled: bool,
    has_tab: bool,
    has_newline: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Scanner {
            is_valid: true,
            has_evidence: false,
            columns: None,
            cells: 0,
            open: None,
            spans_lines: false,
            quoted: 0,
        }
    }
}

impl Scanner {
    fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn line(&mut self, line: &[u8]) {
        if !self.is_valid {
            return;
        }
        let mut rest = line;
        loop {
            let cell = match self.open.take() {
                Some(cell) => cell,
                None if rest.first() == Some(&b'"') => {
                    rest = &rest[1..];
                    OpenCell::default()
                }
                None => match rest.iter().position(|byte| *byte == b'\t') {
                    Some(tab) => {
                        self.cells += 1;
                        rest = &rest[tab + 1..];
                        continue;
                    }
                    None => break,
                },
            };
            if let Some(after) = self.quoted_cell(cell, rest) {
                rest = after;
            } else if self.is_open() {
                return;
            } else {
                break;
            }
        }
        self.end_row();
    }

    /// Reads the rest of a quoted cell. Returns what follows the tab after it; `None` at the end of the line, where
    /// the cell may still be open.
    fn quoted_cell<'l>(&mut self, mut cell: OpenCell, text: &'l [u8]) -> Option<&'l [u8]> {
        let mut index = 0;
        loop {
            match (text.get(index), text.get(index + 1)) {
                (None, _) => {
                    cell.has_newline = true;
                    cell.length += text.len();
                    self.is_valid = cell.length <= MAX_QUOTED;
                    self.spans_lines = true;
                    self.open = self.is_valid.then_some(cell);
                    return None;
                }
                (Some(b'"'), Some(b'"')) => {
                    cell.has_doubled = true;
                    index += 2;
                }
                (Some(b'"'), after) => {
                    self.close(cell);
                    return match after {
                        Some(b'\t') => {
                            self.cells += 1;
                            text.get(index + 2..)
                        }
                        Some(_) => {
                            self.is_valid = false;
                            None
                        }
                        None => None,
                    };
                }
                (Some(b'\t'), _) => {
                    cell.has_tab = true;
                    index += 1;
                }
                (Some(_), _) => index += 1,
            }
        }
    }

    fn close(&mut self, cell: OpenCell) {
        self.quoted += 1;
        // A text with both is rare; an open quote in one row and a closing one in another look like it.
        self.is_valid &= !(cell.has_newline && cell.has_tab);
        self.has_evidence |= cell.has_doubled || cell.has_newline || cell.has_tab;
    }

    fn end_row(&mut self) {
        let cells = self.cells + 1;
        let is_header = self.columns.is_none();
        let columns = *self.columns.get_or_insert(cells);
        self.has_evidence |= is_header && self.quoted == cells;
        self.is_valid &= !self.spans_lines || cells == columns;
        (self.cells, self.quoted, self.spans_lines) = (0, 0, false);
    }
}
