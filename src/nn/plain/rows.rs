//! Selection of rows of a matrix. On a GPU the gradient of candle's `index_select` loops over all ids in one block, so
//! there the selections have gradients of their own.

#[cfg(feature = "cuda")]
use super::cuda::SortedIds;
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Storage, Tensor, bail};

/// A selection in which every row that needs a gradient is selected at most once.
pub(super) struct RowSelection {
    /// (selected rows)
    ids: Tensor,
    /// For each row of the source, its index in the selection, or the number of selected rows: (rows). `None` where
    /// candle's gradient is used.
    inverse: Option<Tensor>,
}

impl RowSelection {
    /// The rows `ids` of a source with `rows` rows.
    pub(super) fn new(ids: Vec<u32>, rows: usize, device: &Device) -> Result<Self> {
        Self::with_inverse(ids, rows, device, device.is_cuda())
    }

    fn with_inverse(ids: Vec<u32>, rows: usize, device: &Device, has_inverse: bool) -> Result<Self> {
        let mut inverse = vec![ids.len() as u32; if has_inverse { rows } else { 0 }];
        if has_inverse {
            ids.iter().enumerate().for_each(|(index, id)| inverse[*id as usize] = index as u32);
        }
        let inverse = has_inverse.then(|| Tensor::new(inverse, device)).transpose()?;
        Ok(RowSelection { ids: Tensor::new(ids, device)?, inverse })
    }

    /// (rows, width) → (selected rows, width)
    pub(super) fn select(&self, x: &Tensor) -> Result<Tensor> {
        match &self.inverse {
            None => x.index_select(&self.ids, 0),
            Some(inverse) => {
                let gradient = RowGradient::Inverse(inverse.clone());
                x.contiguous()?.apply_op1(SelectRows { ids: self.ids.clone(), gradient })
            }
        }
    }
}

/// The rows of a large embedding: (words, width) → (ids, width)
pub(super) fn embedding(table: &Tensor, ids: &[u32]) -> Result<Tensor> {
    let device = table.device();
    let tensor = Tensor::new(ids, device)?;
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        let gradient = RowGradient::Sorted(SortedIds::new(ids, table.dim(0)?, device)?);
        return table.apply_op1(SelectRows { ids: tensor, gradient });
    }
    table.index_select(&tensor, 0)
}

/// The rows of an embedding with a few words: (words, width) → (ids, width)
pub(super) fn small_embedding(table: &Tensor, ids: &[u32]) -> Result<Tensor> {
    let device = table.device();
    if device.is_cuda() {
        return one_hot_embedding(table, ids);
    }
    table.index_select(&Tensor::new(ids, device)?, 0)
}

/// The gradient is the product of a one-hot matrix, (words, ids), and the gradient of the output.
fn one_hot_embedding(table: &Tensor, ids: &[u32]) -> Result<Tensor> {
    let (device, words) = (table.device(), table.dim(0)?);
    let tensor = Tensor::new(ids, device)?;
    let rows = Tensor::arange(0, words as u32, device)?.unsqueeze(1)?;
    let one_hot = rows.broadcast_eq(&tensor.unsqueeze(0)?)?.to_dtype(DType::F32)?;
    table.apply_op1(SelectRows { ids: tensor, gradient: RowGradient::OneHot(one_hot) })
}

/// How to compute the gradient of the source.
enum RowGradient {
    /// It has the rows of the gradient at these indices; the index after the last row is a row of zeros.
    Inverse(Tensor),
    /// The product of this matrix and the gradient.
    OneHot(Tensor),
    /// By a kernel.
    #[cfg(feature = "cuda")]
    Sorted(SortedIds),
}

/// Row i of the result is row `ids[i]` of the argument.
struct SelectRows {
    ids: Tensor,
    gradient: RowGradient,
}

impl SelectRows {
    fn shape(&self, layout: &Layout) -> Result<Shape> {
        Ok(Shape::from((self.ids.dim(0)?, layout.shape().dims2()?.1)))
    }
}

impl CustomOp1 for SelectRows {
    fn name(&self) -> &'static str {
        "select rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (ids, ids_layout) = self.ids.storage_and_layout();
        let Storage::Cpu(ids) = &*ids else { bail!("expected ids on the CPU") };
        Ok((x.index_select(ids, layout, ids_layout, 0)?, self.shape(layout)?))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (ids, ids_layout) = self.ids.storage_and_layout();
        let Storage::Cuda(ids) = &*ids else { bail!("expected ids on the GPU") };
        Ok((x.index_select(ids, layout, ids_layout, 0)?, self.shape(layout)?))
    }

    fn bwd(&self, _x: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let gradient = match &self.gradient {
            RowGradient::Inverse(inverse) => {
                let zeros = Tensor::zeros((1, gradient.dim(1)?), gradient.dtype(), gradient.device())?;
                Tensor::cat(&[gradient, &zeros], 0)?.index_select(inverse, 0)?
            }
            RowGradient::OneHot(one_hot) => one_hot.matmul(&gradient.contiguous()?)?,
            #[cfg(feature = "cuda")]
            RowGradient::Sorted(ids) => ids.gradient(gradient)?,
        };
        Ok(Some(gradient))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    /// The selected rows, and the gradient of Σ (row · weight)² of `select` applied to `x`.
    fn rows_and_gradient(
        x: &Var,
        select: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
        let run = || -> Result<_> {
            let rows = select(x)?;
            let (count, width) = rows.dims2()?;
            let weights = Tensor::arange(1f32, (count * width + 1) as f32, &Device::Cpu)?;
            let product = (&rows * weights.reshape((count, width))?)?;
            let gradients = product.sqr()?.sum_all()?.backward()?;
            Ok((rows.to_vec2()?, gradients.get(x).expect("a gradient").to_vec2()?))
        };
        run().expect("rows")
    }

    fn var(rows: usize) -> Var {
        let values: Vec<f32> = (0..3 * rows).map(|i| (i as f32 * 0.37).sin()).collect();
        Var::from_vec(values, (rows, 3), &Device::Cpu).expect("a variable")
    }

    /// The gradients that GPUs use are those of candle.
    #[test]
    fn gradients_equal_those_of_index_select() {
        let x = var(6);
        let selection = |has_inverse| {
            let selection = RowSelection::with_inverse(vec![4, 0, 3, 5], 6, &Device::Cpu, has_inverse);
            rows_and_gradient(&x, |x| selection.as_ref().expect("a selection").select(x))
        };
        assert_eq!(selection(true), selection(false));

        let ids = [1, 0, 1, 1, 2, 0];
        let expected = rows_and_gradient(&x, |x| small_embedding(x, &ids));
        assert_eq!(rows_and_gradient(&x, |x| embedding(x, &ids)), expected);
        let (rows, gradient) = rows_and_gradient(&x, |x| one_hot_embedding(x, &ids));
        assert_eq!(rows, expected.0);
        for (a, b) in gradient.iter().flatten().zip(expected.1.iter().flatten()) {
            assert!((a - b).abs() <= 1e-5 * b.abs(), "{a}, {b}");
        }
    }

    /// In the padded layout, the row of zeros after the last token is selected many times, without a gradient.
    #[test]
    fn padding_selects_a_row_of_zeros_many_times() {
        let x = var(3);
        let padded = |has_inverse| {
            let ids = vec![0, 3, 1, 2, 3, 3];
            let selection =
                RowSelection::with_inverse(ids, 4, &Device::Cpu, has_inverse).expect("a selection");
            rows_and_gradient(&x, |x| {
                let zeros = Tensor::zeros((1, 3), DType::F32, &Device::Cpu)?;
                selection.select(&Tensor::cat(&[x, &zeros], 0)?)
            })
        };
        assert_eq!(padded(true), padded(false));
    }
}
