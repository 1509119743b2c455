//! AdamW as `torch.optim.AdamW`: decoupled decay, bias correction, and epsilon added after the root
//! of the corrected second moment.

use crate::nn::engine::OptimizerConfig;
use candle_core::{
    CpuStorage, D, DType, Device, InplaceOp2, InplaceOp3, Layout, Result, Storage, Tensor, Var,
};
use rayon::prelude::*;

/// Numbers that one task works on. The sums below add chunks in order, so it is part of their result.
const CHUNK: usize = 1 << 14;

/// A trainable tensor with its moments.
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) value: Var,
    pub(crate) first: Var,
    pub(crate) second: Var,
    /// Whether weight decay applies.
    pub(crate) decay: bool,
}

/// What gradients are multiplied by to clip them.
#[derive(Debug, Clone)]
pub(crate) enum Scale {
    /// A number that the host knows.
    Known(f64),
    /// A scalar on the device, which the host does not wait for.
    OnDevice(Tensor),
}

impl Scale {
    /// `torch.nn.utils.clip_grad_norm_`, for gradients of that norm; a limit of 0 is none.
    pub(crate) fn clipping(norm: &Tensor, limit: f64) -> Result<Self> {
        if limit == 0.0 {
            return Ok(Scale::Known(1.0));
        }
        if norm.device().is_cpu() {
            return Ok(Scale::Known((limit / (norm.to_scalar::<f64>()? + 1e-6)).min(1.0)));
        }
        Ok(Scale::OnDevice(on_device(norm, limit)?))
    }
}

fn on_device(norm: &Tensor, limit: f64) -> Result<Tensor> {
    ((norm + 1e-6)?.recip()? * limit)?.minimum(1.0)
}

/// Numbers of one update that are the same for all tensors.
#[derive(Debug, Clone)]
struct Update {
    settings: OptimizerConfig,
    learning_rate: f64,
    scale: Scale,
    /// 1 - beta1^n, 1 - beta2^n at update n.
    corrections: (f64, f64),
}

/// Changes every parameter that has a gradient; `number` counts updates from 1.
pub(crate) fn update(
    parameters: &[Parameter],
    gradients: &[Option<Tensor>],
    settings: OptimizerConfig,
    (number, learning_rate, scale): (u64, f64, Scale),
) -> Result<()> {
    let power = |beta: f64| 1.0 - beta.powf(number as f64);
    let corrections = (power(settings.beta1), power(settings.beta2));
    let update = Update { settings, learning_rate, scale, corrections };
    for (parameter, gradient) in parameters.iter().zip(gradients) {
        let Some(gradient) = gradient else { continue };
        let gradient = gradient.contiguous()?;
        match &update.scale {
            Scale::Known(scale) if parameter.value.device().is_cpu() => {
                update.in_place(parameter, &gradient, *scale as f32)?;
            }
            Scale::Known(scale) => update.composed(parameter, &(gradient * *scale)?)?,
            Scale::OnDevice(scale) => update.composed(parameter, &gradient.broadcast_mul(scale)?)?,
        }
    }
    Ok(())
}

/// Global L2 norm of the gradients, a scalar where they are: of f64 on the CPU, of f32 elsewhere.
pub(crate) fn norm(gradients: &[Option<Tensor>], device: &Device) -> Result<Tensor> {
    let mut sum = Tensor::zeros((), scalar_dtype(device), device)?;
    for gradient in gradients.iter().flatten() {
        sum = (sum + sum_of_squares(&gradient.contiguous()?)?)?;
    }
    sum.sqrt()
}

/// Format of a sum over many numbers: not every device has f64.
pub(crate) fn scalar_dtype(device: &Device) -> DType {
    if device.is_cpu() { DType::F64 } else { DType::F32 }
}

fn sum_of_squares(x: &Tensor) -> Result<Tensor> {
    let (storage, layout) = x.storage_and_layout();
    if let Storage::Cpu(storage) = &*storage {
        let numbers = slice(storage, layout)?;
        let square = |chunk: &[f32]| chunk.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
        let sums: Vec<f64> = numbers.par_chunks(CHUNK).map(square).collect();
        return Tensor::new(sums.iter().sum::<f64>(), &Device::Cpu);
    }
    drop(storage);
    squares_by_rows(x)
}

/// By rows first: a GPU does a sum of all in one block.
fn squares_by_rows(x: &Tensor) -> Result<Tensor> {
    x.sqr()?.sum(D::Minus1)?.sum_all()
}

impl Update {
    fn decay(&self, parameter: &Parameter) -> f64 {
        if parameter.decay { 1.0 - self.learning_rate * self.settings.weight_decay } else { 1.0 }
    }

    /// On the CPU: no copy of a tensor is made.
    fn in_place(&self, parameter: &Parameter, gradient: &Tensor, scale: f32) -> Result<()> {
        let OptimizerConfig { beta1, beta2, epsilon, .. } = self.settings;
        parameter.first.inplace_op2(gradient, &FirstMoment { gain: (1.0 - beta1) as f32, scale })?;
        let (keep, gain) = (beta2 as f32, (1.0 - beta2) as f32);
        parameter.second.inplace_op2(gradient, &SecondMoment { keep, gain, scale })?;
        let op = Move {
            decay: self.decay(parameter) as f32,
            step: (self.learning_rate / self.corrections.0) as f32,
            root: self.corrections.1.sqrt() as f32,
            epsilon: epsilon as f32,
        };
        parameter.value.inplace_op3(&parameter.first, &parameter.second, &op)
    }

    /// On any device, the same formulas; the gradient is scaled already.
    fn composed(&self, parameter: &Parameter, gradient: &Tensor) -> Result<()> {
        let OptimizerConfig { beta1, beta2, epsilon, .. } = self.settings;
        let (first, second) = (parameter.first.as_detached_tensor(), parameter.second.as_detached_tensor());
        let first = (&first + ((gradient - &first)? * (1.0 - beta1))?)?;
        let second = ((second * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
        let divisor = ((second.sqrt()? / self.corrections.1.sqrt())? + epsilon)?;
        let step = ((&first / divisor)? * (self.learning_rate / self.corrections.0))?;
        let value = ((parameter.value.as_detached_tensor() * self.decay(parameter))? - step)?;
        parameter.first.set(&first)?;
        parameter.second.set(&second)?;
        parameter.value.set(&value)
    }
}

/// m ← m + (1 - beta1) (g - m)
struct FirstMoment {
    gain: f32,
    scale: f32,
}

/// v ← beta2 v + (1 - beta2) g²
struct SecondMoment {
    keep: f32,
    gain: f32,
    scale: f32,
}

/// w ← decay w - step m / (√v / root + epsilon)
struct Move {
    decay: f32,
    step: f32,
    root: f32,
    epsilon: f32,
}

impl InplaceOp2 for FirstMoment {
    fn name(&self) -> &'static str {
        "first moment"
    }

    fn cpu_fwd(&self, m: &mut CpuStorage, ml: &Layout, g: &CpuStorage, gl: &Layout) -> Result<()> {
        let (m, g) = (slice_mut(m, ml)?, slice(g, gl)?);
        m.par_chunks_mut(CHUNK).zip(g.par_chunks(CHUNK)).for_each(|(m, g)| {
            for (m, g) in m.iter_mut().zip(g) {
                *m += self.gain * (g * self.scale - *m);
            }
        });
        Ok(())
    }
}

impl InplaceOp2 for SecondMoment {
    fn name(&self) -> &'static str {
        "second moment"
    }

    fn cpu_fwd(&self, v: &mut CpuStorage, vl: &Layout, g: &CpuStorage, gl: &Layout) -> Result<()> {
        let (v, g) = (slice_mut(v, vl)?, slice(g, gl)?);
        v.par_chunks_mut(CHUNK).zip(g.par_chunks(CHUNK)).for_each(|(v, g)| {
            for (v, g) in v.iter_mut().zip(g) {
                let g = g * self.scale;
                *v = self.keep * *v + self.gain * g * g;
            }
        });
        Ok(())
    }
}

impl InplaceOp3 for Move {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        w: &mut CpuStorage,
        wl: &Layout,
        m: &CpuStorage,
        ml: &Layout,
        v: &CpuStorage,
        vl: &Layout,
    ) -> Result<()> {
        let (w, m, v) = (slice_mut(w, wl)?, slice(m, ml)?, slice(v, vl)?);
        let moments = m.par_chunks(CHUNK).zip(v.par_chunks(CHUNK));
        w.par_chunks_mut(CHUNK).zip(moments).for_each(|(w, (m, v))| {
            for ((w, m), v) in w.iter_mut().zip(m).zip(v) {
                *w = self.decay * *w - self.step * (m / (v.sqrt() / self.root + self.epsilon));
            }
        });
        Ok(())
    }
}

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(numbers), Some((start, end))) => Ok(&numbers[start..end]),
        _ => candle_core::bail!("a contiguous f32 tensor is expected"),
    }
}

fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(numbers), Some((start, end))) => Ok(&mut numbers[start..end]),
        _ => candle_core::bail!("a contiguous f32 tensor is expected"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(values: &[f32]) -> Parameter {
        let var = |values: &[f32]| Var::new(values, &Device::Cpu).expect("a variable");
        let zeros = vec![0.0; values.len()];
        let (value, first, second) = (var(values), var(&zeros), var(&zeros));
        Parameter { name: "w".into(), value, first, second, decay: true }
    }

    #[test]
    fn in_place_and_composed_agree() {
        let (one, other) = (parameter(&[0.5, -1.0, 2.0]), parameter(&[0.5, -1.0, 2.0]));
        let settings = OptimizerConfig {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-6,
            weight_decay: 0.1,
            max_grad_norm: 0.0,
            label_smoothing: 0.0,
        };
        for number in 1..=5 {
            let gradient =
                Tensor::new(&[0.1f32 * number as f32, -3.0, 1e-4], &Device::Cpu).expect("a tensor");
            let corrections = (1.0 - 0.9f64.powi(number), 1.0 - 0.99f64.powi(number));
            let update = Update { settings, learning_rate: 1e-2, scale: Scale::Known(0.7), corrections };
            update.in_place(&one, &gradient, 0.7).expect("an update");
            update.composed(&other, &(gradient * 0.7).expect("a product")).expect("an update");
        }
        let numbers = |x: &Var| x.to_vec1::<f32>().expect("numbers");
        for (a, b) in [
            (numbers(&one.value), numbers(&other.value)),
            (numbers(&one.first), numbers(&other.first)),
            (numbers(&one.second), numbers(&other.second)),
        ] {
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} {b}");
            }
        }
        assert_ne!(numbers(&one.value), [0.5, -1.0, 2.0]);
    }

    #[test]
    fn norm_and_clipping() {
        let gradient = |x: &[f32]| Some(Tensor::new(x, &Device::Cpu).expect("a tensor"));
        let found = norm(&[gradient(&[3.0, 0.0]), None, gradient(&[4.0])], &Device::Cpu).expect("a norm");
        assert_eq!(found.to_scalar::<f64>().expect("a number"), 5.0);
        let scale = |norm: f64, limit| {
            let norm = Tensor::new(norm, &Device::Cpu).expect("a scalar");
            let Ok(Scale::Known(scale)) = Scale::clipping(&norm, limit) else { panic!("not known") };
            scale
        };
        assert!((scale(5.0, 1.0) - 0.2).abs() < 1e-6);
        assert_eq!((scale(0.5, 1.0), scale(5.0, 0.0)), (1.0, 1.0));
    }

    /// What devices do instead of the above, on the CPU.
    #[test]
    fn norm_and_clipping_where_the_host_does_not_wait() {
        for shape in [vec![6], vec![2, 3]] {
            let x = Tensor::from_vec(vec![1f32, 2.0, 3.0, 4.0, 5.0, 6.0], shape, &Device::Cpu);
            let sum = x.and_then(|x| squares_by_rows(&x)).expect("a sum");
            assert_eq!(sum.to_scalar::<f32>().expect("a scalar"), 91.0);
        }
        let scale = |norm: f32| {
            let norm = Tensor::new(norm, &Device::Cpu).expect("a scalar");
            on_device(&norm, 1.0).and_then(|scale| scale.to_scalar::<f32>()).expect("a scalar")
        };
        assert!((scale(5.0) - 0.2).abs() < 1e-6);
        assert_eq!(scale(0.5), 1.0);
    }
}
