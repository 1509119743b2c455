//! Low-rank adapters in the arenas of the engine, see [`crate::nn::lora`].

use super::layout::{AdapterRanges, Layout};
use crate::nn::lora::Lora;
use kernels::element_type::ElementType;
use kernels::matmul::{Matmul, MatmulBackend, WeightGrad, WeightMatrix};

/// What adapters need beside their factors: the arena of weights has W + scaling · B A in place of W.
pub(super) struct Adapters {
    /// α/r
    scaling: f32,
    /// The weights W of the layout's adapters, one after the other.
    base: Vec<f32>,
    matmul: Matmul,
    /// A factor times `scaling`.
    scaled: Vec<f32>,
}

impl Adapters {
    /// The adapters of `layout`, which add nothing to `weights` yet.
    pub(super) fn new(lora: &Lora, layout: &Layout, weights: &[f32]) -> Self {
        let base = layout.adapters.iter().flat_map(|adapter| &weights[adapter.weight.clone()]);
        Adapters {
            scaling: lora.scaling() as f32,
            base: base.copied().collect(),
            matmul: Matmul::new(MatmulBackend::fastest(ElementType::F32)),
            scaled: Vec::new(),
        }
    }

    /// Writes W + scaling · B A to the arena of weights, in the current thread pool.
    pub(super) fn add(&mut self, layout: &Layout, weights: &mut [f32]) {
        let Adapters { scaling, base, matmul, scaled } = self;
        matmul.threads = rayon::current_num_threads();
        let mut base = base.as_slice();
        for adapter in &layout.adapters {
            let (of_adapter, rest) = base.split_at(adapter.weight.len());
            base = rest;
            scale(&weights[adapter.b.clone()], *scaling, scaled);
            let [weight, a] = two_of(weights, adapter.weight.clone(), adapter.a.clone());
            weight.copy_from_slice(of_adapter);
            matmul.backward_input(weight, scaled, WeightMatrix::new(a, adapter.inputs), true);
        }
    }

    /// The gradients of the factors from those of the sums, in the arena of gradients: d_A = scaling · Bᵀ d_W and
    /// d_B = scaling · d_W Aᵀ.
    pub(super) fn backward(&mut self, layout: &Layout, weights: &[f32], gradients: &mut [f32]) {
        let Adapters { scaling, matmul, scaled, .. } = self;
        matmul.threads = rayon::current_num_threads();
        for adapter in &layout.adapters {
            let AdapterRanges { a, b, weight, inputs } = adapter;
            let [d_weight, d_a, d_b] = gradients
                .get_disjoint_mut([weight.clone(), a.clone(), b.clone()])
                .expect("ranges of different parameters");
            scale(&weights[a.clone()], *scaling, scaled);
            matmul.forward(d_b, d_weight, WeightMatrix::new(scaled, *inputs));
            scale(&weights[b.clone()], *scaling, scaled);
            let gradient =
                WeightGrad { d_w: d_a, d_y: vec![scaled], x: vec![d_weight], outputs: adapter.rank() };
            matmul.backward_weights(vec![gradient], false);
        }
    }

    /// Memory of the weights W, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        size_of_val(self.base.as_slice()) as u64
    }
}

/// `scaled` = `factor` times `x`
fn scale(x: &[f32], factor: f32, scaled: &mut Vec<f32>) {
    scaled.clear();
    scaled.extend(x.iter().map(|x| factor * x));
}

/// Two ranges of an arena.
fn two_of(arena: &mut [f32], one: std::ops::Range<usize>, other: std::ops::Range<usize>) -> [&mut [f32]; 2] {
    arena.get_disjoint_mut([one, other]).expect("ranges of different parameters")
}
