//! A copy of a Parquet file with columns added, and new files. The encoded bytes of the existing columns are copied as they are, so
//! that values, types and compression stay the same, whatever they are.

use super::file::reader;
use super::file_error::caught;
use crate::data::new_column::{NewColumn, NewValues};
use crate::data::read::table::changed;
use crate::error::{Error, Result};
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::FileReader;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The key of the Arrow schema in the metadata. It lists the columns, so it does not hold for the copy.
const ARROW_SCHEMA: &str = "ARROW:schema";
/// Rows of a row group of a new file.
const ROW_GROUP: usize = 1 << 16;

type Outcome<T> = parquet::errors::Result<T>;

/// Writes a copy of the file `path` with `columns` added to `out`, whose name is `out_name`.
///
/// # Errors
/// [`Error::Data`] if the file cannot be read or has another number of rows, [`Error::Write`].
pub(in crate::data::read) fn copy_with(
    path: &Path,
    columns: &[NewColumn],
    out_name: &Path,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    let file = File::open(path).map_err(Error::reading(path))?;
    let opened = file.try_clone().map_err(Error::reading(path))?;
    let reader = reader(path, opened)?;
    let metadata = reader.metadata();
    let rows = usize::try_from(metadata.file_metadata().num_rows()).unwrap_or(usize::MAX);
    if columns.iter().any(|column| column.values.len() != rows) {
        return Err(changed(path));
    }
    // A failed write is not a fault of the file.
    let mut write_error = None;
    let copied = caught(path, || match copy(&file, metadata, columns, out) {
        Err(ParquetError::External(error)) if error.is::<std::io::Error>() => {
            write_error = error.downcast::<std::io::Error>().ok();
            Ok(())
        }
        other => other,
    });
    match write_error {
        Some(error) => Err(Error::writing(out_name)(*error)),
        None => copied,
    }
}

fn copy(
    file: &File,
    metadata: &ParquetMetaData,
    columns: &[NewColumn],
    out: &mut (dyn Write + Send),
) -> Outcome<()> {
    let schema = extended_schema(metadata, columns)?;
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties()))?;
    for pair in metadata.file_metadata().key_value_metadata().into_iter().flatten() {
        if pair.key != ARROW_SCHEMA {
            writer.append_key_value_metadata(pair.clone());
        }
    }
    let mut start = 0;
    for group in metadata.row_groups() {
        let end = start + usize::try_from(group.num_rows()).unwrap_or(0);
        let mut written = writer.next_row_group()?;
        copy_columns(file, group, &mut written)?;
        for column in columns {
            write_column(&column.values, start..end, &mut written)?;
        }
        written.close()?;
        start = end;
    }
    writer.close()?;
    Ok(())
}

/// Writes a file with only `columns` to `out`, whose name is `out_name`.
///
/// # Errors
/// [`Error::Write`].
pub(in crate::data) fn write_columns(
    columns: &[NewColumn],
    out_name: &Path,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    let rows = columns.first().map_or(0, |column| column.values.len());
    let write = || -> Outcome<()> {
        let schema = Type::group_type_builder("schema").with_fields(fields(columns)?).build()?;
        let mut writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties()))?;
        for start in (0..rows).step_by(ROW_GROUP) {
            let mut group = writer.next_row_group()?;
            for column in columns {
                write_column(&column.values, start..(start + ROW_GROUP).min(rows), &mut group)?;
            }
            group.close()?;
        }
        writer.close()?;
        Ok(())
    };
    write().map_err(|error| match error {
        ParquetError::External(error) => match error.downcast::<std::io::Error>() {
            Ok(error) => Error::writing(out_name)(*error),
            Err(error) => Error::writing(out_name)(std::io::Error::other(error)),
        },
        error => Error::writing(out_name)(std::io::Error::other(error)),
    })
}

fn properties() -> WriterProperties {
    WriterProperties::builder().set_compression(Compression::SNAPPY).build()
}

/// The schema of the file with the new columns at its end.
fn extended_schema(metadata: &ParquetMetaData, columns: &[NewColumn]) -> Outcome<TypePtr> {
    let root = metadata.file_metadata().schema_descr().root_schema();
    let all = root.get_fields().iter().cloned().chain(fields(columns)?).collect();
    Type::group_type_builder(root.name()).with_fields(all).build().map(Arc::new)
}

/// The types of new columns.
fn fields(columns: &[NewColumn]) -> Outcome<Vec<TypePtr>> {
    let mut fields = Vec::new();
    for column in columns {
        fields.push(Arc::new(match column.values {
            NewValues::Text(_) => text_type(&column.name)?,
            NewValues::Number(_) => Type::primitive_type_builder(&column.name, PhysicalType::FLOAT)
                .with_repetition(Repetition::REQUIRED)
                .build()?,
            NewValues::Integer(_) => Type::primitive_type_builder(&column.name, PhysicalType::INT64)
                .with_repetition(Repetition::REQUIRED)
                .build()?,
            NewValues::TextList(_) => {
                let list = Type::group_type_builder("list")
                    .with_repetition(Repetition::REPEATED)
                    .with_fields(vec![Arc::new(text_type("element")?)])
                    .build()?;
                Type::group_type_builder(&column.name)
                    .with_repetition(Repetition::REQUIRED)
                    .with_converted_type(ConvertedType::LIST)
                    .with_logical_type(Some(LogicalType::List))
                    .with_fields(vec![Arc::new(list)])
                    .build()?
            }
        }));
    }
    Ok(fields)
}

fn text_type(name: &str) -> Outcome<Type> {
    Type::primitive_type_builder(name, PhysicalType::BYTE_ARRAY)
        .with_repetition(Repetition::REQUIRED)
        .with_converted_type(ConvertedType::UTF8)
        .with_logical_type(Some(LogicalType::String))
        .build()
}

/// Copies the encoded columns of a row group.
fn copy_columns<W: Write + Send>(
    file: &File,
    group: &RowGroupMetaData,
    written: &mut SerializedRowGroupWriter<'_, W>,
) -> Outcome<()> {
    let rows_written = u64::try_from(group.num_rows()).unwrap_or(0);
    for column in group.columns() {
        let close = ColumnCloseResult {
            bytes_written: u64::try_from(column.compressed_size()).unwrap_or(0),
            rows_written,
            metadata: column.clone(),
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        written.append_column(file, close)?;
    }
    Ok(())
}

/// Writes the values of `rows` as the next column of a row group.
fn write_column<W: Write + Send>(
    values: &NewValues,
    rows: Range<usize>,
    written: &mut SerializedRowGroupWriter<'_, W>,
) -> Outcome<()> {
    let bytes = |text: &String| ByteArray::from(text.as_bytes().to_vec());
    let Some(mut column) = written.next_column()? else { return Ok(()) };
    match values {
        NewValues::Text(texts) => {
            let texts: Vec<ByteArray> = texts.get(rows).unwrap_or_default().iter().map(bytes).collect();
            column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
        }
        NewValues::Number(numbers) => {
            column.typed::<FloatType>().write_batch(numbers.get(rows).unwrap_or_default(), None, None)?;
        }
        NewValues::Integer(numbers) => {
            let signed = |number: &u64| i64::try_from(*number).unwrap_or(i64::MAX);
            let numbers: Vec<i64> = numbers.get(rows).unwrap_or_default().iter().map(signed).collect();
            column.typed::<Int64Type>().write_batch(&numbers, None, None)?;
        }
        NewValues::TextList(lists) => {
            let lists = lists.get(rows).unwrap_or_default();
            let texts: Vec<ByteArray> = lists.iter().flatten().map(bytes).collect();
            // A list has a definition level of 1 for each element, or one of 0 if it is empty; the first element has
            // repetition level 0.
            let (mut definition, mut repetition) = (Vec::new(), Vec::new());
            for list in lists {
                definition.extend(std::iter::repeat_n(i16::from(!list.is_empty()), list.len().max(1)));
                repetition.extend((0..list.len().max(1)).map(|index| i16::from(index > 0)));
            }
            column.typed::<ByteArrayType>().write_batch(&texts, Some(&definition), Some(&repetition))?;
        }
    }
    column.close()
}
