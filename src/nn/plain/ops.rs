//! Differentiable operations that candle lacks, or has only without a backward pass.

use crate::batch::{Batch, Label};
use candle_core::{D, DType, Result, Tensor};
use kernels::activation::Activation;

/// A linear layer: x Wᵀ + b, or x Wᵀ without a bias.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    /// W: (outputs, inputs)
    pub(crate) weight: Tensor,
    /// b: (outputs)
    pub(crate) bias: Option<Tensor>,
    /// Data type that the operands are converted to; the product is converted back to f32.
    pub(crate) operand_dtype: DType,
}

impl Linear {
    /// (rows, inputs) → (rows, outputs)
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (x, weight) = (x.to_dtype(self.operand_dtype)?, self.weight.to_dtype(self.operand_dtype)?);
        add_bias(x.matmul(&weight.t()?)?.to_dtype(DType::F32)?, self.bias.as_ref())
    }
}

/// LayerNorm: γ ⊙ (x − mean(x)) / √(var(x) + eps) + β, by row.
#[derive(Debug, Clone)]
pub(crate) struct LayerNorm {
    /// γ: (width)
    pub(crate) weight: Tensor,
    /// β: (width); 0 without it.
    pub(crate) bias: Option<Tensor>,
    pub(crate) eps: f64,
}

impl LayerNorm {
    /// (rows, width) → (rows, width)
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centered.sqr()?.mean_keepdim(D::Minus1)?;
        let normalized = centered.broadcast_div(&(variance + self.eps)?.sqrt()?)?;
        add_bias(normalized.broadcast_mul(&self.weight)?, self.bias.as_ref())
    }
}

fn add_bias(x: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) => x.broadcast_add(bias),
        None => Ok(x),
    }
}

/// Softmax over the last dimension.
pub(crate) fn softmax(x: &Tensor) -> Result<Tensor> {
    // Softmax is invariant to the subtracted maximum, so it needs no gradient.
    let exponentials = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
    exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)
}

/// log(softmax(x)) over the last dimension, without underflow to log(0).
pub(crate) fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let shifted = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

/// Sum of the losses of the examples, a scalar, for `logits` (examples, outputs): squared errors of numbers,
/// cross-entropies of classes, or binary cross-entropies of sets of labels. `class_weights` are those of
/// [`OptimizerConfig`](crate::nn::OptimizerConfig).
pub(crate) fn loss(
    logits: &Tensor,
    labels: &[Label],
    smoothing: f64,
    class_weights: Option<&[f32]>,
) -> Result<Tensor> {
    match labels.first() {
        Some(Label::Value(_)) | None => squared_error(logits, labels),
        Some(Label::Class(_)) => cross_entropy(logits, labels, smoothing, class_weights),
        Some(Label::Set(_)) => binary_cross_entropy(logits, labels, class_weights),
    }
}

/// The sum over the examples of their distance to the teacher, see [`Distillation`](crate::nn::Distillation).
pub(crate) fn teacher_loss(logits: &Tensor, batch: &Batch, temperature: f64) -> Result<Tensor> {
    let (examples, outputs) = logits.dims2()?;
    let teacher = Tensor::from_slice(&batch.teacher_logits, (examples, outputs), logits.device())?;
    let (logits, teacher, share) = match batch.labels.first() {
        Some(Label::Value(_)) | None => return logits.sub(&teacher)?.sqr()?.sum_all(),
        Some(Label::Class(_)) => (logits.clone(), teacher, 1.0),
        Some(Label::Set(_)) => {
            // σ(z) and σ(−z) are the softmax of the logits z and 0.
            let pair = |z: &Tensor| Tensor::stack(&[z, &z.zeros_like()?], D::Minus1);
            (pair(logits)?, pair(&teacher)?, 1.0 / outputs as f64)
        }
    };
    let log_probs = log_softmax(&(logits / temperature)?)?;
    let teacher = log_softmax(&(teacher / temperature)?)?;
    let divergence = (teacher.exp()? * (teacher - log_probs)?)?.sum_all()?;
    divergence * (share * temperature * temperature)
}

/// As `torch.nn.functional.mse_loss` with `reduction="sum"`.
fn squared_error(logits: &Tensor, labels: &[Label]) -> Result<Tensor> {
    let targets: Vec<f32> = labels.iter().filter_map(Label::value).collect();
    let targets = Tensor::from_vec(targets, (labels.len(), 1), logits.device())?;
    logits.sub(&targets)?.sqr()?.sum_all()
}

/// As `torch.nn.functional.cross_entropy` with `weight`, `label_smoothing` and `reduction="sum"`.
fn cross_entropy(
    logits: &Tensor,
    labels: &[Label],
    smoothing: f64,
    class_weights: Option<&[f32]>,
) -> Result<Tensor> {
    let (examples, classes) = logits.dims2()?;
    let mut targets = vec![(smoothing / classes as f64) as f32; examples * classes];
    for (target, label) in targets.chunks_exact_mut(classes).zip(labels) {
        for class in label.indices() {
            target[*class as usize] += (1.0 - smoothing) as f32;
        }
        if let Some(weights) = class_weights {
            target.iter_mut().zip(weights).for_each(|(target, weight)| *target *= weight);
        }
    }
    let targets = Tensor::from_vec(targets, (examples, classes), logits.device())?;
    log_softmax(logits)?.mul(&targets)?.sum_all()?.neg()
}

/// As `torch.nn.functional.binary_cross_entropy_with_logits` with `pos_weight` and `reduction="sum"`. log σ(z) and
/// log σ(−z) are the log-softmax of the logits z and 0.
fn binary_cross_entropy(logits: &Tensor, labels: &[Label], pos_weight: Option<&[f32]>) -> Result<Tensor> {
    let (examples, outputs) = logits.dims2()?;
    let weight = |label: usize| pos_weight.and_then(|weights| weights.get(label)).copied().unwrap_or(1.0);
    let mut targets = [0.0, 1.0].repeat(examples * outputs);
    for (example, label) in labels.iter().enumerate() {
        for label in label.indices() {
            let label = *label as usize;
            let pair = 2 * (example * outputs + label);
            targets[pair..pair + 2].copy_from_slice(&[weight(label), 0.0]);
        }
    }
    let targets = Tensor::from_vec(targets, (examples, outputs, 2), logits.device())?;
    let pairs = Tensor::stack(&[logits, &logits.zeros_like()?], D::Minus1)?;
    log_softmax(&pairs)?.mul(&targets)?.sum_all()?.neg()
}

/// max(x, 0), with derivative 0 at 0 as in PyTorch (candle's `relu` has 1).
pub(crate) fn relu(x: &Tensor) -> Result<Tensor> {
    x * x.gt(0.0)?.to_dtype(DType::F32)?
}

/// The activation function of the feed-forward network.
pub(crate) fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        // x Φ(x). Autograd of this expression is more precise than the derivative of candle's `gelu_erf`.
        Activation::Gelu => (x * 0.5)? * ((x * std::f64::consts::FRAC_1_SQRT_2)?.erf()? + 1.0)?,
        Activation::GeluTanh => {
            let inner = (x + (x.sqr()? * x)? * 0.044_715)?;
            let inner = (inner * (2.0 / std::f64::consts::PI).sqrt())?;
            (x * 0.5)? * (inner.tanh()? + 1.0)?
        }
        Activation::Relu => relu(x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    type Function<'a> = Box<dyn Fn(&Tensor) -> Result<Tensor> + 'a>;

    /// The gradient of Σ f(x)² by autograd and by central differences.
    fn gradients(f: impl Fn(&Tensor) -> Result<Tensor>, at: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let sum = |values: &[f32]| -> f32 {
            let x = Tensor::new(values, &Device::Cpu).expect("a tensor");
            f(&x.unsqueeze(0).expect("a row")).and_then(|y| y.sqr()?.sum_all()?.to_scalar()).expect("a sum")
        };
        let x = Var::new(at, &Device::Cpu).expect("a variable");
        let y = f(&x.unsqueeze(0).expect("a row")).and_then(|y| y.sqr()?.sum_all()).expect("a sum");
        let grads = y.backward().expect("a backward pass");
        let autograd = grads.get(&x).expect("a gradient").to_vec1::<f32>().expect("values");
        let h = 1e-2;
        let differences = (0..at.len())
            .map(|i| {
                let (mut up, mut down) = (at.to_vec(), at.to_vec());
                up[i] += h;
                down[i] -= h;
                (sum(&up) - sum(&down)) / (2.0 * h)
            })
            .collect();
        (autograd, differences)
    }

    /// With bf16 operands, product and gradients are close to those of f32 but not equal.
    #[test]
    fn bf16_operands_are_rounded() {
        let var = |values: &[f32], shape: (usize, usize)| {
            Var::from_slice(values, shape, &Device::Cpu).expect("a variable")
        };
        let x = var(&[0.301, -1.207, 2.003, 0.709, 1.111, -0.507], (2, 3));
        let weight = var(&[0.111, 0.222, 0.333, -0.444, 0.555, 0.777], (2, 3));
        let run = |operand_dtype| -> Result<(Vec<f32>, Vec<f32>)> {
            let bias = Some(Tensor::new(&[0.5f32, -0.5], &Device::Cpu)?);
            let y = Linear { weight: weight.as_tensor().clone(), bias, operand_dtype }.forward(&x)?;
            let gradients = y.sqr()?.sum_all()?.backward()?;
            let gradient = gradients.get(&weight).expect("a gradient").flatten_all()?.to_vec1()?;
            Ok((y.flatten_all()?.to_vec1()?, gradient))
        };
        let (exact, rounded) = (run(DType::F32).expect("f32"), run(DType::BF16).expect("bf16"));
        for (a, b) in exact.0.iter().zip(&rounded.0).chain(exact.1.iter().zip(&rounded.1)) {
            assert!((a - b).abs() < 0.03 * (1.0 + a.abs()) && a != b, "{a}, {b}");
        }
    }

    #[test]
    fn gradients_match_finite_differences() {
        let at = [0.3, -1.2, 2.0, 0.7];
        let norm = LayerNorm {
            weight: Tensor::new(&[1.0f32, 2.0, 0.5, 1.5], &Device::Cpu).expect("a tensor"),
            bias: Some(Tensor::new(&[0.1f32, 0.2, 0.3, 0.4], &Device::Cpu).expect("a tensor")),
            eps: 1e-12,
        };
        let functions: [(&str, Function<'_>); 6] = [
            ("gelu", Box::new(|x| activate(x, Activation::Gelu))),
            ("gelu tanh", Box::new(|x| activate(x, Activation::GeluTanh))),
            ("relu", Box::new(|x| activate(x, Activation::Relu))),
            ("softmax", Box::new(softmax)),
            ("log softmax", Box::new(log_softmax)),
            ("layer norm", Box::new(|x| norm.forward(x))),
        ];
        for (name, f) in functions {
            let (autograd, differences) = gradients(f, &at);
            for (a, d) in autograd.iter().zip(&differences) {
                assert!((a - d).abs() < 2e-3 * (1.0 + d.abs()), "{name}: {autograd:?} {differences:?}");
            }
        }
    }

    /// The loss and its gradient for the logits x = [[1, 2, 3], [0, 0, 100], [-200, 0, 0.5]].
    fn loss_and_gradient(labels: &[Label], smoothing: f64, weights: Option<&[f32]>) -> (f32, Vec<f32>) {
        let x = [[1.0f32, 2.0, 3.0], [0.0, 0.0, 100.0], [-200.0, 0.0, 0.5]];
        let x = Var::new(&x, &Device::Cpu).expect("a variable");
        let loss = loss(&x, labels, smoothing, weights).expect("a loss");
        let gradients = loss.backward().expect("a backward pass");
        let gradient = gradients.get(&x).and_then(|x| x.flatten_all().ok()?.to_vec1().ok());
        (loss.to_scalar().expect("a scalar"), gradient.expect("a gradient"))
    }

    #[track_caller]
    fn assert_near((loss, gradient): (f32, Vec<f32>), expected_loss: f32, expected: [f32; 9]) {
        assert!((loss - expected_loss).abs() < 1e-6 * expected_loss, "{loss}, expected {expected_loss}");
        let is_near = gradient.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 2e-6);
        assert!(gradient.len() == 9 && is_near, "{gradient:?}, expected {expected:?}");
    }

    const WEIGHTS: [f32; 3] = [0.5, 2.0, 1.25];

    /// torch.nn.functional.cross_entropy(x, torch.tensor([2, 0, 1]), weight=w, reduction="sum", label_smoothing=s)
    #[test]
    fn cross_entropy_equals_pytorch_with_smoothing_and_weights() {
        let labels = [2, 0, 1].map(Label::Class);
        let found = loss_and_gradient(&labels, 0.0, None);
        let expected =
            [0.090_030_58, 0.244_728_5, -0.334_759, -1.0, 0.0, 1.0, 0.0, -0.622_459_3, 0.622_459_35];
        assert_near(found, 101.381_68, expected);
        let found = loss_and_gradient(&labels, 0.0, Some(&WEIGHTS));
        let expected =
            [0.112_538_23, 0.305_910_6, -0.418_448_75, -0.5, 0.0, 0.5, 0.0, -1.244_918_6, 1.244_918_7];
        assert_near(found, 52.457_66, expected);
        let found = loss_and_gradient(&labels, 0.3, None);
        let expected =
            [-0.009_969_42, 0.144_728_48, -0.134_759, -0.8, -0.1, 0.9, -0.1, -0.422_459_33, 0.522_459_3];
        assert_near(found, 111.631_68, expected);
        let found = loss_and_gradient(&labels, 0.3, Some(&WEIGHTS));
        let expected =
            [0.062_538_22, 0.105_910_61, -0.168_448_75, -0.4, -0.2, 0.6, -0.05, -0.929_865_3, 0.979_865_3];
        assert_near(found, 72.476, expected);
    }

    /// torch.nn.functional.binary_cross_entropy_with_logits(x, y, pos_weight=w, reduction="sum") for
    /// y = [[0, 1, 1], [0, 0, 0], [1, 0, 1]]; label smoothing does not apply.
    #[test]
    fn binary_cross_entropy_equals_pytorch_with_weights() {
        let labels = [vec![1, 2], vec![], vec![0, 2]].map(Label::set);
        let found = loss_and_gradient(&labels, 0.3, None);
        let expected = [0.731_058_6, -0.119_202_97, -0.047_425_87, 0.5, 0.5, 1.0, -1.0, 0.5, -0.377_540_65];
        assert_near(found, 304.042_3, expected);
        let found = loss_and_gradient(&labels, 0.0, Some(&WEIGHTS));
        let expected = [0.731_058_6, -0.238_405_94, -0.059_282_33, 0.5, 0.5, 1.0, -0.5, 0.5, -0.471_925_8];
        assert_near(found, 204.299_9, expected);
    }
}
