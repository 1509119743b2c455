//! Text and label of a file without a header.

use crate::data::read::table::{ColumnNames, Table, available_columns};
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::path::Path;

/// Number of rows that the choice looks at.
const ROWS: usize = 10_000;

/// The text and the label column of a file with two columns and no header: the labels are those that occur again.
///
/// # Errors
/// [`Error::Data`] if the file has another number of columns, or both or none of them have values that occur again.
pub(super) fn infer_two_columns(file: &Path, table: &Table<'_>) -> Result<(String, String)> {
    let names = table.names();
    let problem = |why: &str| {
        let columns = available_columns(names);
        let problem = format!(
            "has no header{why}; set text_column and label_column to column names or numbers, or has_header = true; \
             {columns}"
        );
        Error::data(file, None, problem)
    };
    let [first, second] = names else { return Err(problem("")) };
    let columns = ColumnNames::of_texts(first.clone(), Some(second.clone()));
    let (mut rows, mut firsts, mut seconds) = (0, HashSet::new(), HashSet::new());
    table.read(&columns, &mut |record| {
        if rows < ROWS {
            rows += 1;
            firsts.insert(record.text);
            seconds.insert(record.text_pair.unwrap_or_default());
        }
        Ok(())
    })?;
    let is_label = |values: &HashSet<String>| values.len() > 1 && values.len() * 2 <= rows;
    match (is_label(&firsts), is_label(&seconds)) {
        (true, false) => Ok((second.clone(), first.clone())),
        (false, true) => Ok((first.clone(), second.clone())),
        _ => Err(problem(", and it is not clear which column has the labels")),
    }
}
