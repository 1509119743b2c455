//! AdamW as in `torch.optim.AdamW`: decoupled weight decay, bias correction, and epsilon added to the root of the
//! corrected second moment.

#[cfg(feature = "cuda")]
use super::cuda::TensorAdamW;
#[cfg(feature = "cuda")]
use crate::nn::cuda::plain::TensorUpdate;
use crate::nn::engine::OptimizerConfig;
use candle_core::{
    CpuStorage, D, DType, Device, InplaceOp2, InplaceOp3, Layout, Result, Storage, Tensor, Var,
};
use rayon::prelude::*;

/// Elements that one task processes. Sums add the chunks in order, so the value affects their rounding.
const CHUNK: usize = 1 << 14;

/// A parameter with its moments.
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) value: Var,
    pub(crate) first_moment: Var,
    pub(crate) second_moment: Var,
    pub(crate) has_weight_decay: bool,
    /// Its learning rate, as a factor of the scheduled one.
    pub(crate) lr_scale: f64,
    /// Whether it is trained.
    pub(crate) requires_grad: bool,
}

/// Factor of the gradients that clips their norm.
#[derive(Debug, Clone)]
pub(crate) enum GradScale {
    /// A value in host memory.
    Host(f64),
    /// A scalar tensor on the device, which the host does not wait for.
    OnDevice(Tensor),
}

impl GradScale {
    /// As `torch.nn.utils.clip_grad_norm_` for gradients of the given norm; `limit` 0 disables clipping.
    pub(crate) fn clipping(norm: &Tensor, limit: f64) -> Result<Self> {
        if limit == 0.0 {
            return Ok(GradScale::Host(1.0));
        }
        if norm.device().is_cpu() {
            return Ok(GradScale::Host((limit / (norm.to_scalar::<f64>()? + 1e-6)).min(1.0)));
        }
        Ok(GradScale::OnDevice(on_device(norm, limit)?))
    }
}

fn on_device(norm: &Tensor, limit: f64) -> Result<Tensor> {
    ((norm + 1e-6)?.recip()? * limit)?.minimum(1.0)
}

/// Values of an update that are the same for all parameters.
#[derive(Debug, Clone)]
struct Update<'a> {
    config: &'a OptimizerConfig,
    learning_rate: f64,
    scale: GradScale,
    /// 1 − β₁ⁿ and 1 − β₂ⁿ for update n.
    bias_corrections: (f64, f64),
}

/// Updates every parameter that has a gradient. `number` is the number of the update, from 1.
pub(crate) fn update(
    parameters: &[Parameter],
    gradients: &[Option<Tensor>],
    config: &OptimizerConfig,
    (number, learning_rate, scale): (u64, f64, GradScale),
) -> Result<()> {
    let power = |beta: f64| 1.0 - beta.powf(number as f64);
    let bias_corrections = (power(config.beta1), power(config.beta2));
    let update = Update { config, learning_rate, scale, bias_corrections };
    for (parameter, gradient) in parameters.iter().zip(gradients) {
        let Some(gradient) = gradient else { continue };
        let gradient = gradient.contiguous()?;
        #[cfg(feature = "cuda")]
        if parameter.value.device().is_cuda() {
            update.on_cuda(parameter, &gradient)?;
            continue;
        }
        match &update.scale {
            GradScale::Host(scale) if parameter.value.device().is_cpu() => {
                update.in_place(parameter, &gradient, *scale as f32)?;
            }
            GradScale::Host(scale) => update.composed(parameter, &(gradient * *scale)?)?,
            GradScale::OnDevice(scale) => update.composed(parameter, &gradient.broadcast_mul(scale)?)?,
        }
    }
    Ok(())
}

/// Global L2 norm of the gradients, a scalar on their device: f64 on the CPU, f32 elsewhere.
pub(crate) fn norm(gradients: &[Option<Tensor>], device: &Device) -> Result<Tensor> {
    let mut sum = Tensor::zeros((), scalar_dtype(device), device)?;
    for gradient in gradients.iter().flatten() {
        sum = (sum + sum_of_squares(&gradient.contiguous()?)?)?;
    }
    sum.sqrt()
}

/// Data type of a sum over many elements; not every device supports f64.
pub(crate) fn scalar_dtype(device: &Device) -> DType {
    if device.is_cpu() { DType::F64 } else { DType::F32 }
}

fn sum_of_squares(x: &Tensor) -> Result<Tensor> {
    let (storage, layout) = x.storage_and_layout();
    if let Storage::Cpu(storage) = &*storage {
        let elements = slice(storage, layout)?;
        let square = |chunk: &[f32]| chunk.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
        let sums: Vec<f64> = elements.par_chunks(CHUNK).map(square).collect();
        return Tensor::new(sums.iter().sum::<f64>(), &Device::Cpu);
    }
    drop(storage);
    sum_of_squares_by_row(x)
}

/// Adds each row first, because a GPU reduces a whole tensor in a single block.
fn sum_of_squares_by_row(x: &Tensor) -> Result<Tensor> {
    x.sqr()?.sum(D::Minus1)?.sum_all()
}

impl Update<'_> {
    fn decay_factor(&self, parameter: &Parameter) -> f64 {
        let decay = self.learning_rate(parameter) * self.config.weight_decay;
        if parameter.has_weight_decay { 1.0 - decay } else { 1.0 }
    }

    fn learning_rate(&self, parameter: &Parameter) -> f64 {
        self.learning_rate * parameter.lr_scale
    }

    /// Factor of the first moment, before the division by the root of the second.
    fn step_size(&self, parameter: &Parameter) -> f64 {
        self.learning_rate(parameter) / self.bias_corrections.0
    }

    /// Update on the CPU, without copying tensors.
    fn in_place(&self, parameter: &Parameter, gradient: &Tensor, scale: f32) -> Result<()> {
        let OptimizerConfig { beta1, beta2, epsilon, .. } = *self.config;
        parameter
            .first_moment
            .inplace_op2(gradient, &FirstMoment { one_minus_beta1: (1.0 - beta1) as f32, scale })?;
        let (one_minus_beta2, beta2) = ((1.0 - beta2) as f32, beta2 as f32);
        parameter.second_moment.inplace_op2(gradient, &SecondMoment { beta2, one_minus_beta2, scale })?;
        let op = WeightUpdate {
            decay_factor: self.decay_factor(parameter) as f32,
            step_size: self.step_size(parameter) as f32,
            bias_correction2_sqrt: self.bias_corrections.1.sqrt() as f32,
            epsilon: epsilon as f32,
        };
        parameter.value.inplace_op3(&parameter.first_moment, &parameter.second_moment, &op)
    }

    /// Update on an NVIDIA GPU, in one launch.
    #[cfg(feature = "cuda")]
    fn on_cuda(&self, parameter: &Parameter, gradient: &Tensor) -> Result<()> {
        let OptimizerConfig { beta1, beta2, epsilon, .. } = self.config;
        let update = TensorUpdate {
            one_minus_beta1: (1.0 - beta1) as f32,
            beta2: *beta2 as f32,
            one_minus_beta2: (1.0 - beta2) as f32,
            epsilon: *epsilon as f32,
            decay: self.decay_factor(parameter) as f32,
            step_size: self.step_size(parameter) as f32,
            bias_correction2_sqrt: self.bias_corrections.1.sqrt() as f32,
        };
        // Without clipping the factor is 1.
        let scale = match &self.scale {
            GradScale::Host(_) => None,
            GradScale::OnDevice(scale) => Some(scale),
        };
        let op = TensorAdamW { update, gradient, scale };
        parameter.value.inplace_op3(&parameter.first_moment, &parameter.second_moment, &op)
    }

    /// Update on any device by tensor operations; the gradient is already scaled.
    fn composed(&self, parameter: &Parameter, gradient: &Tensor) -> Result<()> {
        let OptimizerConfig { beta1, beta2, epsilon, .. } = *self.config;
        let (first, second) =
            (parameter.first_moment.as_detached_tensor(), parameter.second_moment.as_detached_tensor());
        let first = (&first + ((gradient - &first)? * (1.0 - beta1))?)?;
        let second = ((second * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
        let denominator = ((second.sqrt()? / self.bias_corrections.1.sqrt())? + epsilon)?;
        let step = ((&first / denominator)? * self.step_size(parameter))?;
        let value = ((parameter.value.as_detached_tensor() * self.decay_factor(parameter))? - step)?;
        parameter.first_moment.set(&first)?;
        parameter.second_moment.set(&second)?;
        parameter.value.set(&value)
    }
}

/// m ← m + (1 − β₁) (g − m)
struct FirstMoment {
    one_minus_beta1: f32,
    scale: f32,
}

/// v ← β₂ v + (1 − β₂) g²
struct SecondMoment {
    beta2: f32,
    one_minus_beta2: f32,
    scale: f32,
}

/// w ← decay_factor · w − step_size · m / (√v / bias_correction2_sqrt + ε)
struct WeightUpdate {
    decay_factor: f32,
    step_size: f32,
    bias_correction2_sqrt: f32,
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
                *m += self.one_minus_beta1 * (g * self.scale - *m);
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
                *v = self.beta2 * *v + self.one_minus_beta2 * g * g;
            }
        });
        Ok(())
    }
}

impl InplaceOp3 for WeightUpdate {
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
                let denominator = v.sqrt() / self.bias_correction2_sqrt + self.epsilon;
                *w = self.decay_factor * *w - self.step_size * (m / denominator);
            }
        });
        Ok(())
    }
}

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(data), Some((start, end))) => Ok(&data[start..end]),
        _ => candle_core::bail!("expected a contiguous f32 tensor"),
    }
}

fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(data), Some((start, end))) => Ok(&mut data[start..end]),
        _ => candle_core::bail!("expected a contiguous f32 tensor"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(values: &[f32]) -> Parameter {
        let var = |values: &[f32]| Var::new(values, &Device::Cpu).expect("a variable");
        let zeros = vec![0.0; values.len()];
        let (value, first_moment, second_moment) = (var(values), var(&zeros), var(&zeros));
        Parameter {
            name: "w".into(),
            value,
            first_moment,
            second_moment,
            has_weight_decay: true,
            lr_scale: 0.5,
            requires_grad: true,
        }
    }

    #[test]
    fn in_place_and_composed_agree() {
        let (one, other) = (parameter(&[0.5, -1.0, 2.0]), parameter(&[0.5, -1.0, 2.0]));
        let config = OptimizerConfig {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-6,
            weight_decay: 0.1,
            max_grad_norm: 0.0,
            ..OptimizerConfig::default()
        };
        for number in 1..=5 {
            let gradient =
                Tensor::new(&[0.1f32 * number as f32, -3.0, 1e-4], &Device::Cpu).expect("a tensor");
            let bias_corrections = (1.0 - 0.9f64.powi(number), 1.0 - 0.99f64.powi(number));
            let scale = GradScale::Host(0.7);
            let update = Update { config: &config, learning_rate: 1e-2, scale, bias_corrections };
            update.in_place(&one, &gradient, 0.7).expect("an update");
            update.composed(&other, &(gradient * 0.7).expect("a product")).expect("an update");
        }
        let values = |x: &Var| x.to_vec1::<f32>().expect("values");
        for (a, b) in [
            (values(&one.value), values(&other.value)),
            (values(&one.first_moment), values(&other.first_moment)),
            (values(&one.second_moment), values(&other.second_moment)),
        ] {
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} {b}");
            }
        }
        assert_ne!(values(&one.value), [0.5, -1.0, 2.0]);
    }

    #[test]
    fn norm_and_clipping() {
        let gradient = |x: &[f32]| Some(Tensor::new(x, &Device::Cpu).expect("a tensor"));
        let found = norm(&[gradient(&[3.0, 0.0]), None, gradient(&[4.0])], &Device::Cpu).expect("a norm");
        assert_eq!(found.to_scalar::<f64>().expect("a number"), 5.0);
        let scale = |norm: f64, limit| {
            let norm = Tensor::new(norm, &Device::Cpu).expect("a scalar");
            let Ok(GradScale::Host(scale)) = GradScale::clipping(&norm, limit) else {
                panic!("not a host value")
            };
            scale
        };
        assert!((scale(5.0, 1.0) - 0.2).abs() < 1e-6);
        assert_eq!((scale(0.5, 1.0), scale(5.0, 0.0)), (1.0, 1.0));
    }

    /// The code path of other devices, tested on the CPU.
    #[test]
    fn norm_and_clipping_on_the_device() {
        for shape in [vec![6], vec![2, 3]] {
            let x = Tensor::from_vec(vec![1f32, 2.0, 3.0, 4.0, 5.0, 6.0], shape, &Device::Cpu);
            let sum = x.and_then(|x| sum_of_squares_by_row(&x)).expect("a sum");
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
