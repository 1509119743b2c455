//! Values of Parquet as cells.

use crate::data::read::table::Cell;
use parquet::data_type::Decimal;
use parquet::record::Field;

/// The cell of a value.
pub(super) fn cell(field: &Field) -> Cell {
    match field {
        Field::Null => Cell::Null,
        Field::Bool(value) => Cell::Bool(*value),
        Field::Byte(number) => Cell::Int((*number).into()),
        Field::Short(number) => Cell::Int((*number).into()),
        Field::Int(number) => Cell::Int((*number).into()),
        Field::Long(number) => Cell::Int(*number),
        Field::UByte(number) => Cell::Int((*number).into()),
        Field::UShort(number) => Cell::Int((*number).into()),
        Field::UInt(number) => Cell::Int((*number).into()),
        Field::ULong(number) => i64::try_from(*number).map_or(Cell::Float(*number as f64), Cell::Int),
        Field::Float16(number) => Cell::Float(number.to_f64()),
        Field::Float(number) => Cell::Float(shortest(*number)),
        Field::Double(number) => Cell::Float(*number),
        Field::Decimal(decimal) => decimal_cell(decimal),
        Field::Str(text) => Cell::Text(text.clone()),
        // Some writers store text without the UTF-8 annotation.
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Cell::Text(text.to_string()),
            Err(_) => Cell::Other("binary data".into()),
        },
        Field::ListInternal(list) => Cell::List(list.elements().iter().map(cell).collect()),
        Field::Group(_) | Field::MapInternal(_) => Cell::Other("an object".into()),
        other => Cell::Other(other.to_string()),
    }
}

/// The number with the shortest notation, so that 0.1 in single precision is 0.1.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// The value of a decimal: an unscaled integer in big-endian two's complement, and the number of decimal places.
fn decimal_cell(decimal: &Decimal) -> Cell {
    let bytes = decimal.data();
    let sign = if bytes.first().is_some_and(|byte| *byte >= 0x80) { 0xFF } else { 0 };
    let mut wide = [sign; 16];
    let Some(start) = wide.len().checked_sub(bytes.len()) else {
        return Cell::Other("a decimal of more than 38 digits".into());
    };
    wide[start..].copy_from_slice(bytes);
    let unscaled = i128::from_be_bytes(wide);
    let scale = u32::try_from(decimal.scale()).ok().and_then(|scale| 10_i128.checked_pow(scale));
    let Some(scale) = scale else { return Cell::Other("a decimal of an unknown scale".into()) };
    match (unscaled % scale, i64::try_from(unscaled / scale)) {
        (0, Ok(whole)) => Cell::Int(whole),
        (rest, _) => {
            let places = decimal.scale().unsigned_abs() as usize;
            let (sign, whole) = (if unscaled < 0 { "-" } else { "" }, (unscaled / scale).unsigned_abs());
            let text = format!("{sign}{whole}.{:0places$}", rest.unsigned_abs());
            text.parse().map_or(Cell::Other(text), Cell::Float)
        }
    }
}
