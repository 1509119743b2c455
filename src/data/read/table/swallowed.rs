//! Cells that have most likely swallowed rows: a quote opens the cell and is not closed there, so that the cell continues
//! to the next quote in the file. If that row happens to have the right number of columns, nothing else shows it.

use crate::text::plural;
use csv::ByteRecord;
use std::collections::HashSet;

/// Rows whose values are compared with those in long cells.
const SAMPLED_ROWS: usize = 1000;
/// Maximum number of values of a column with few values, such as labels.
const MAX_VALUES: usize = 100;
/// Maximum length of such a value in bytes.
const MAX_VALUE: usize = 40;
/// Maximum number of lines of a cell that are compared.
const MAX_LINES: usize = 50;
/// Maximum number of cells that are kept until the values are known.
const MAX_CELLS: usize = 1000;

/// Looks for swallowed rows in rows that are read one after the other.
#[derive(Debug)]
pub(super) struct SwallowedRows {
    delimiter: u8,
    /// The values of each column on rows without line breaks; `None` for a column with many, such as a text.
    values: Vec<Option<HashSet<Vec<u8>>>>,
    rows: usize,
    cells: Vec<LongCell>,
}

/// A cell with line breaks.
#[derive(Debug)]
struct LongCell {
    /// The line on which its row begins.
    row_line: u64,
    column: usize,
    lines: Vec<Vec<u8>>,
}

impl SwallowedRows {
    pub(super) fn new(columns: usize, delimiter: u8) -> Self {
        let values = vec![Some(HashSet::new()); columns];
        SwallowedRows { delimiter, values, rows: 0, cells: Vec::new() }
    }

    /// Takes a row of the right number of columns, which begins on `row_line`.
    pub(super) fn push(&mut self, row: &ByteRecord, row_line: u64) {
        let is_line = !row.as_slice().contains(&b'\n');
        if is_line && self.rows < SAMPLED_ROWS {
            self.sample(row);
        }
        if is_line {
            return;
        }
        for (column, cell) in row.iter().enumerate().filter(|(_, cell)| cell.contains(&b'\n')) {
            if self.cells.len() < MAX_CELLS {
                let lines = cell.split(|byte| *byte == b'\n').take(MAX_LINES);
                let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec()).collect();
                self.cells.push(LongCell { row_line, column, lines });
            }
        }
    }

    fn sample(&mut self, row: &ByteRecord) {
        self.rows += 1;
        for (values, cell) in self.values.iter_mut().zip(row) {
            let Some(known) = values else { continue };
            if cell.len() > MAX_VALUE || (known.len() == MAX_VALUES && !known.contains(cell)) {
                *values = None;
            } else if !cell.is_empty() && !known.contains(cell) {
                known.insert(cell.to_vec());
            }
        }
    }

    /// A note about the cells that have swallowed rows, without the name of the file.
    pub(super) fn note(&self) -> Option<String> {
        let mut found = self.cells.iter().filter(|cell| self.has_swallowed_rows(cell));
        let first = found.next()?;
        let count = found.count() + 1;
        let (cells, verb) = (plural(count, "cell"), if count == 1 { "seems" } else { "seem" });
        Some(format!(
            "{cells} {verb} to contain rows of the file, the first one in the row at line {}; if a quote there is not \
             closed, close it where the cell ends, or double a quote that is text",
            first.row_line
        ))
    }

    /// Whether at least half of the lines of a cell read as rows.
    fn has_swallowed_rows(&self, cell: &LongCell) -> bool {
        let last = cell.lines.len() - 1;
        let columns = self.values.len();
        let reads_as_row = |(number, line): (usize, &Vec<u8>)| match number {
            // The rest of the row that has the quote, and the start of the row that ends the cell.
            0 => self.is_part_of_row(line, cell.column, columns),
            _ if number == last => self.is_part_of_row(line, 0, cell.column + 1),
            _ => self.is_part_of_row(line, 0, columns),
        };
        let rows = cell.lines.iter().enumerate().filter(|line| reads_as_row(*line)).count();
        // One of the first and the last line has only the text, if it is in the first or the last column.
        rows > 0 && 2 * rows + 1 >= cell.lines.len()
    }

    /// Whether a line has the cells of the columns from `start` to `end`, more than one, and one of them has a known value.
    fn is_part_of_row(&self, line: &[u8], start: usize, end: usize) -> bool {
        let cells: Vec<&[u8]> = line.split(|byte| *byte == self.delimiter).collect();
        let values = self.values.get(start..end).unwrap_or_default();
        let is_known = |(cell, values): (&&[u8], &Option<HashSet<Vec<u8>>>)| {
            values.as_ref().is_some_and(|values| values.contains(*cell))
        };
        cells.len() > 1 && cells.len() == values.len() && cells.iter().zip(values).any(is_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The note about a file with a comma as delimiter, whose first line names the columns.
    fn note(text: &str) -> Option<String> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let mut swallowed = SwallowedRows::new(reader.headers().unwrap().len(), b',');
        for row in reader.into_byte_records() {
            let row = row.unwrap();
            let line = row.position().unwrap().line();
            swallowed.push(&row, line);
        }
        swallowed.note()
    }

    const ROWS: &str = "a good one,1\nnot bad,1\nnever again,0\nso slow,0\n";

    #[test]
    fn swallowed_rows_are_found() {
        let with = |rows: &str| note(&format!("text,label\n{ROWS}{rows}{ROWS}"));
        for rows in [
            // Up to a quote in a later row, and to a row that begins with one.
            "\"open,1\nfine,1\nslow,0\nhe said \"no\",0\n",
            "\"open,1\n\"a row, with a comma\",0\n",
            "\"open,1\r\nfine,1\r\n\"a row\",0\r\n",
        ] {
            let found = with(rows).unwrap_or_else(|| panic!("{rows}"));
            assert!(found.starts_with("1 cell seems") && found.contains("line 6;"), "{found}");
        }
        let last = note("label,text\n1,fine\n0,slow\n1,\"open\n0,never\n1,he said \"no\"\n0,bad\n").unwrap();
        assert!(last.contains("in the row at line 4;"), "{last}");
        let two = with("\"open,1\n\"a\",0\n\"open,1\n\"a\",0\n").unwrap();
        assert!(two.starts_with("2 cells seem"), "{two}");
    }

    #[test]
    fn texts_of_several_lines_are_no_rows() {
        let with = |rows: &str| note(&format!("text,label\n{ROWS}{rows}{ROWS}"));
        for rows in [
            "\"Dear all,\nwell, I like it\nyours, Ada\",1\n",
            "\"first\nsecond\n\",1\n",
            "\"one, 1\ntwo, 0\n\",1\n",
            "\"a list:\n1\n0\",1\n",
        ] {
            assert_eq!(with(rows), None, "{rows}");
        }
        assert_eq!(note("text\none\n\"a,1\nb,0\"\n"), None);
    }
}
