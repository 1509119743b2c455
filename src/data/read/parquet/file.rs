//! An open Parquet file: its columns and its rows, read in bounded memory.

use super::cells::cell;
use super::class_names::class_names;
use super::file_error::{caught, damaged};
use super::footer::check_footer;
use super::pages::check_pages;
use crate::data::read::table::{Cell, OnRow, Position, row_error};
use crate::error::{Error, Result, catch_library_panic};
use parquet::basic::Compression;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::record::Row;
use parquet::schema::types::Type;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Number of values of a column that are decoded at once.
const BATCH_SIZE: usize = 256;

/// An open Parquet file.
pub(in crate::data::read) struct ParquetTable<'p> {
    path: &'p Path,
    reader: SerializedFileReader<File>,
    names: Vec<String>,
    /// The names of the classes of columns of type `ClassLabel`.
    class_names: HashMap<String, Vec<String>>,
}

impl fmt::Debug for ParquetTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetTable")
            .field("path", &self.path)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// A reader of `file`, whose name is `path`.
///
/// # Errors
/// [`Error::Data`] for a footer that is not valid.
pub(super) fn reader(path: &Path, mut file: File) -> Result<SerializedFileReader<File>> {
    check_footer(path, &mut file)?;
    caught(path, || SerializedFileReader::new(file))
}

impl<'p> ParquetTable<'p> {
    /// Reads the footer of a file.
    pub(in crate::data::read) fn open(path: &'p Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::reading(path))?;
        let reader = reader(path, file)?;
        let metadata = reader.metadata().file_metadata();
        let schema = metadata.schema_descr().root_schema();
        if !schema.is_group() {
            return Err(Error::data(path, None, "is a Parquet file without columns"));
        }
        let names = schema.get_fields().iter().map(|field| field.name().to_string()).collect();
        let class_names = metadata.key_value_metadata().map(|pairs| class_names(pairs)).unwrap_or_default();
        Ok(ParquetTable { path, reader, names, class_names })
    }

    /// The file with class indices as they are.
    pub(super) fn with_class_indices(self) -> Self {
        ParquetTable { class_names: HashMap::new(), ..self }
    }

    /// The names of the columns.
    pub(in crate::data::read) fn names(&self) -> &[String] {
        &self.names
    }

    /// The names of the classes of a column of type `ClassLabel` of the `datasets` library.
    pub(in crate::data::read) fn class_names(&self, column: &str) -> Option<&[String]> {
        self.class_names.get(column).map(Vec::as_slice)
    }

    /// Reads the cells of the columns `projection` of every row. Class indices become class names.
    pub(in crate::data::read) fn read(&self, projection: &[usize], on_row: OnRow<'_>) -> Result<()> {
        let names: Vec<&str> =
            projection.iter().filter_map(|index| self.names.get(*index)).map(String::as_str).collect();
        let schema = self.projected_schema(&names)?;
        let mut number = 0;
        for group in 0..self.reader.num_row_groups() {
            let group = caught(self.path, || self.reader.get_row_group(group))?;
            self.check_columns(&*group, &names)?;
            let rows = caught(self.path, || group.get_row_iter(Some(schema.clone())))?;
            let mut rows = rows.with_batch_size(BATCH_SIZE);
            while let Some(row) = caught(self.path, || rows.next().transpose())? {
                number += 1;
                on_row(Position::Row(number), self.cells(&row, &names, number)?)?;
            }
        }
        Ok(())
    }

    /// The columns `names` as a schema.
    fn projected_schema(&self, names: &[&str]) -> Result<Type> {
        let root = self.reader.metadata().file_metadata().schema_descr().root_schema();
        let is_wanted = |field: &&Arc<Type>| names.contains(&field.name());
        let fields = root.get_fields().iter().filter(is_wanted).cloned().collect();
        caught(self.path, || Type::group_type_builder(root.name()).with_fields(fields).build())
    }

    /// Checks the codec and the sizes of the pages of the columns `names` in a row group.
    fn check_columns(&self, group: &dyn RowGroupReader, names: &[&str]) -> Result<()> {
        for chunk in group.metadata().columns() {
            let column = chunk.column_path().parts().first().map_or("", String::as_str);
            if !names.contains(&column) {
                continue;
            }
            if chunk.compression() == Compression::LZO {
                let problem =
                    format!("column {column} is compressed with LZO, which is not supported; use zstd");
                return Err(Error::data(self.path, None, problem));
            }
            let range =
                catch_library_panic(|| chunk.byte_range()).map_err(|panic| damaged(self.path, &panic))?;
            check_pages(self.path, column, chunk.compression(), range)?;
        }
        Ok(())
    }

    fn cells(&self, row: &Row, names: &[&str], number: u64) -> Result<Vec<Cell>> {
        let mut cells = vec![Cell::Null; names.len()];
        for (name, field) in row.get_column_iter() {
            let Some(index) = names.iter().position(|other| other == name) else { continue };
            let value = cell(field);
            cells[index] = match self.class_names(name) {
                Some(classes) => class_cell(value, classes).map_err(|problem| {
                    row_error(self.path, Position::Row(number), &format!("column {name} {problem}"))
                })?,
                None => value,
            };
        }
        Ok(cells)
    }
}

/// The name of the class with the index in a cell; -1 is a missing label.
fn class_cell(cell: Cell, classes: &[String]) -> std::result::Result<Cell, String> {
    match cell {
        Cell::Int(-1) => Ok(Cell::Null),
        Cell::Int(index) => {
            let name = usize::try_from(index).ok().and_then(|index| classes.get(index));
            name.cloned().map(Cell::Text).ok_or_else(|| {
                format!(
                    "is {index}; the file has names for the classes 0 to {}",
                    classes.len().saturating_sub(1)
                )
            })
        }
        Cell::List(cells) => cells
            .into_iter()
            .map(|cell| class_cell(cell, classes))
            .collect::<std::result::Result<_, _>>()
            .map(Cell::List),
        other => Ok(other),
    }
}
