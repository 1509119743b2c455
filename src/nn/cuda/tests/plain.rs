//! Tests of the kernels of the plain engine.

use super::super::device::Launch;
use super::super::input::SortedTokens;
use super::super::ops::plain::{
    AttentionMask, TensorUpdate, UpdatedTensors, attention_mask, dropout_mask, embedding_gradient,
    tensor_adamw,
};
use super::*;
use crate::nn::plain::dropout::{self, apply_to_rows};
use candle_core::DType;
use kernels::dropout::Dropout;

/// The masks are those that the plain engine draws on the CPU.
fn masks_equal_those_of_the_cpu<D: Device>(open: impl Fn() -> D) {
    const RATE: f64 = 0.25;
    let mut fixture = Fixture::new(open());
    let (masks, cpu) = (Dropout::new(SEED, STEP), candle_core::Device::Cpu);
    for (site, first, rows, width) in [(0, 0, 1, 1), (3, 5, 40, 20), (2, 7, 3, 300)] {
        let ones = candle_core::Tensor::ones((rows, width), DType::F32, &cpu).expect("ones");
        let expected = apply_to_rows(masks, &ones, site, RATE, first).expect("a mask");
        let mask = fixture.f32s(&vec![9.0; rows * width]);
        let kernel_site = masks.site(site, RATE).expect("a rate").for_kernel();
        let launch = dropout_mask(kernel_site, (first * width) as u64, mask);
        fixture.device.launch(launch).expect("a launch");
        let expected: Vec<f32> = expected.flatten_all().and_then(|t| t.to_vec1()).expect("numbers");
        assert_eq!(fixture.read(mask), expected);
    }
    for (layer, heads, max_positions, lengths) in
        [(0, 2, 16, vec![3, 7, 2]), (1, 3, 40, vec![17, 1, 33]), (4, 1, 64, vec![64])]
    {
        let batch = batch(&lengths);
        let sizes = (heads, max_positions);
        let expected = dropout::attention_mask(masks, layer, RATE, &batch, sizes, &cpu)
            .expect("a mask")
            .expect("a rate");
        let expected: Vec<f32> = expected.flatten_all().and_then(|t| t.to_vec1()).expect("numbers");
        let mask = fixture.f32s(&vec![9.0; expected.len()]);
        let offsets: Vec<u32> = batch.offsets.iter().map(|offset| *offset as u32).collect();
        let offsets = fixture.u32s(&offsets);
        let site = masks.site(kernels::dropout::attention(layer), RATE).expect("a rate").for_kernel();
        let longest = batch.longest();
        let sizes = AttentionMask { heads, max_positions, first_token: batch.first_token, longest };
        fixture.device.launch(attention_mask(site, sizes, offsets, mask)).expect("a launch");
        assert_eq!(fixture.read(mask), expected, "{lengths:?}");
    }
}

fn embedding_gradient_adds_the_tokens_of_each_word<D: Device>(open: impl Fn() -> D) {
    for (ids, rows, width) in [(vec![3, 0, 3, 3, 7, 0], 9, 5), (vec![2; 40], 3, 300), (vec![1], 2, 257)] {
        let mut fixture = Fixture::new(open());
        let d = random(1, ids.len() * width);
        let (sorted, d_slice) = (SortedTokens::of(ids.iter().copied().zip(0..)), fixture.f32s(&d));
        let gradient = fixture.allocate(rows * width);
        let slices = [&sorted.rows, &sorted.row_starts, &sorted.tokens_by_row].map(|x| fixture.u32s(x));
        let launch: Launch = embedding_gradient(slices, d_slice, width, gradient);
        fixture.device.launch(launch).expect("a launch");
        let mut expected = vec![0.0; rows * width];
        for (token, id) in ids.iter().enumerate() {
            for column in 0..width {
                expected[*id as usize * width + column] += f64::from(d[token * width + column]);
            }
        }
        assert_close("gradient", &fixture.read(gradient), &expected, 1e-5);
    }
}

fn tensor_adamw_follows_its_definition<D: Device>(open: impl Fn() -> D) {
    let update = TensorUpdate {
        one_minus_beta1: 0.1,
        beta2: 0.99,
        one_minus_beta2: 0.01,
        epsilon: 1e-6,
        decay: 0.9,
        step_size: 1e-2,
        bias_correction2_sqrt: 0.5,
    };
    for (count, scale) in [(1, None), (1000, None), (257, Some(0.25f32))] {
        let mut fixture = Fixture::new(open());
        let [weights, gradient, first] = [1, 2, 3].map(|minor| random(minor, count));
        let second: Vec<f32> = random(4, count).iter().map(|x| x * x).collect();
        let tensors = UpdatedTensors {
            gradient: fixture.f32s(&gradient),
            scale: scale.map_or(DeviceSlice::NULL, |scale| fixture.f32s(&[scale])),
            weights: fixture.f32s(&weights),
            first_moments: fixture.f32s(&first),
            second_moments: fixture.f32s(&second),
        };
        fixture.device.launch(tensor_adamw(update, tensors)).expect("a launch");
        let mut expected = [vec![], vec![], vec![]];
        for i in 0..count {
            let g = f64::from(gradient[i]) * f64::from(scale.unwrap_or(1.0));
            let m = f64::from(first[i]) + f64::from(update.one_minus_beta1) * (g - f64::from(first[i]));
            let v =
                f64::from(update.beta2) * f64::from(second[i]) + f64::from(update.one_minus_beta2) * g * g;
            let denominator = v.sqrt() / f64::from(update.bias_correction2_sqrt) + f64::from(update.epsilon);
            expected[0].push(f64::from(weights[i]) * 0.9 - f64::from(update.step_size) * m / denominator);
            expected[1].push(m);
            expected[2].push(v);
        }
        assert_close("weight", &fixture.read(tensors.weights), &expected[0], 2e-6);
        assert_close("first moment", &fixture.read(tensors.first_moments), &expected[1], 2e-6);
        assert_close("second moment", &fixture.read(tensors.second_moments), &expected[2], 2e-6);
    }
}

on_devices!(
    masks_equal_those_of_the_cpu,
    embedding_gradient_adds_the_tokens_of_each_word,
    tensor_adamw_follows_its_definition,
);
