//! The constant tensors of a graph: parameters of the model, and numbers.

use super::proto::DataType;
use crate::error::Result;
use crate::nn::engine::Array;

/// Copies a parameter of the model, by its name in Transformers.
pub(super) type Parameters<'a> = dyn Fn(&str) -> Result<Array> + 'a;

/// Largest absolute value of a quantized weight.
const MAX_QUANTIZED: f32 = 127.0;

/// A constant tensor.
#[derive(Debug, Clone)]
pub(super) struct Initializer {
    pub(super) name: String,
    pub(super) dims: Vec<usize>,
    pub(super) data_type: DataType,
    pub(super) content: Content,
}

/// The elements of a constant tensor.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// In row-major order, little-endian.
    Bytes(Vec<u8>),
    /// Computed from a parameter when they are written, so that only one tensor is in memory.
    Parameter { name: String, form: Form },
}

/// What is computed from a parameter, a matrix (rows, columns) in all cases but the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The parameter itself.
    Unchanged,
    /// (columns, rows)
    Transposed,
    /// Whole numbers from −127 to 127, those of row r divided by its scale: (rows, columns)
    Quantized,
    /// The same: (columns, rows)
    QuantizedTransposed,
    /// The scale of each row, its largest absolute value divided by 127: (rows)
    Scales,
    /// The same: (rows, 1)
    ScalesColumn,
}

impl Form {
    /// What the name of the tensor has after that of the parameter. `_quantized` and `_scale` are those of ONNX Runtime.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Form::Unchanged => "",
            Form::Transposed => "_transposed",
            Form::Quantized | Form::QuantizedTransposed => "_quantized",
            Form::Scales | Form::ScalesColumn => "_scale",
        }
    }

    /// The type of the elements.
    pub(super) fn data_type(self) -> DataType {
        match self {
            Form::Quantized | Form::QuantizedTransposed => DataType::Int8,
            _ => DataType::Float,
        }
    }

    /// The shape, from that of the parameter.
    pub(super) fn dims(self, shape: &[usize]) -> Vec<usize> {
        match (self, shape) {
            (Form::Transposed | Form::QuantizedTransposed, [rows, columns]) => vec![*columns, *rows],
            (Form::Scales, [rows, ..]) => vec![*rows],
            (Form::ScalesColumn, [rows, ..]) => vec![*rows, 1],
            _ => shape.to_vec(),
        }
    }

    /// The elements, little-endian.
    fn bytes(self, parameter: &Array) -> Vec<u8> {
        let columns = parameter.shape.last().copied().unwrap_or(1).max(1);
        let rows = || parameter.data.chunks_exact(columns);
        let quantized = || rows().flat_map(|row| quantized_row(row, scale(row))).collect::<Vec<u8>>();
        match self {
            Form::Unchanged => to_bytes(parameter.data.iter().copied()),
            Form::Transposed => to_bytes(transposed(&parameter.data, columns).into_iter()),
            Form::Quantized => quantized(),
            Form::QuantizedTransposed => transposed(&quantized(), columns),
            Form::Scales | Form::ScalesColumn => to_bytes(rows().map(scale)),
        }
    }
}

impl Initializer {
    /// Number of bytes of the elements.
    pub(super) fn byte_len(&self) -> u64 {
        let size = match self.data_type {
            DataType::Undefined => 0,
            DataType::Int8 | DataType::Bool => 1,
            DataType::Float => 4,
            DataType::Int64 => 8,
        };
        self.dims.iter().map(|size| *size as u64).product::<u64>() * size
    }

    /// The elements, little-endian.
    ///
    /// # Errors
    /// Those of `parameters`.
    pub(super) fn bytes(&self, parameters: &Parameters<'_>) -> Result<Vec<u8>> {
        match &self.content {
            Content::Bytes(bytes) => Ok(bytes.clone()),
            Content::Parameter { name, form } => parameters(name).map(|array| form.bytes(&array)),
        }
    }
}

fn to_bytes(elements: impl Iterator<Item = f32>) -> Vec<u8> {
    elements.flat_map(f32::to_le_bytes).collect()
}

/// (rows, columns) → (columns, rows)
fn transposed<T: Copy>(matrix: &[T], columns: usize) -> Vec<T> {
    (0..columns).flat_map(|column| matrix.iter().skip(column).step_by(columns).copied()).collect()
}

/// The scale of a row of weights; 1 for a row of zeros.
fn scale(row: &[f32]) -> f32 {
    let largest = row.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    if largest > 0.0 { largest / MAX_QUANTIZED } else { 1.0 }
}

fn quantized_row(row: &[f32], scale: f32) -> impl Iterator<Item = u8> {
    row.iter().map(move |x| (x / scale).round_ties_even().clamp(-MAX_QUANTIZED, MAX_QUANTIZED) as i8 as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(form: Form, shape: &[usize], data: &[f32]) -> (Vec<usize>, Vec<u8>) {
        let array = Array { shape: shape.to_vec(), data: data.to_vec() };
        let content = Content::Parameter { name: "w".into(), form };
        let tensor =
            Initializer { name: "w".into(), dims: form.dims(shape), data_type: form.data_type(), content };
        let bytes = tensor.bytes(&|_| Ok(array.clone())).expect("the elements");
        assert_eq!(bytes.len() as u64, tensor.byte_len(), "{form:?}");
        (tensor.dims, bytes)
    }

    #[test]
    fn forms_of_a_parameter_have_their_shapes() {
        let data = [1.0, -2.0, 0.5, 0.0, 0.0, 0.0];
        let numbers = |form| {
            let (dims, bytes) = bytes(form, &[2, 3], &data);
            let numbers: Vec<f32> =
                bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            (dims, numbers)
        };
        assert_eq!(numbers(Form::Unchanged), (vec![2, 3], data.to_vec()));
        assert_eq!(numbers(Form::Transposed), (vec![3, 2], vec![1.0, 0.0, -2.0, 0.0, 0.5, 0.0]));
        assert_eq!(numbers(Form::Scales), (vec![2], vec![2.0 / 127.0, 1.0]));
        assert_eq!(numbers(Form::ScalesColumn).0, [2, 1]);
        let int8 = |form| {
            let (dims, bytes) = bytes(form, &[2, 3], &data);
            (dims, bytes.into_iter().map(|byte| byte as i8).collect::<Vec<i8>>())
        };
        // 63.5 and 31.75 are rounded.
        assert_eq!(int8(Form::Quantized), (vec![2, 3], vec![64, -127, 32, 0, 0, 0]));
        assert_eq!(int8(Form::QuantizedTransposed), (vec![3, 2], vec![64, 0, -127, 0, 32, 0]));
        assert_eq!(bytes(Form::Unchanged, &[3], &data[..3]).0, [3]);
    }
}
