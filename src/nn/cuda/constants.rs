//! [`Constants`]: device memory that no step changes.

use super::arena::ArenaAllocator;
use super::device::{Device, DeviceSlice};
use super::ops::RotaryAngles;
use crate::error::Result;
use crate::nn::config::ModelConfig;
use crate::nn::relative_positions::relative_buckets;
use crate::nn::rotary::{RotaryTable, rotary_tables};

/// What a model computes with beside its parameters.
#[derive(Debug, Clone)]
pub(super) struct Constants {
    /// Zeros, which stand for biases that the model does not have.
    pub(super) zeros: DeviceSlice<f32>,
    /// The bucket of each distance of relative positions, as in [`RelativeBias`](super::ops::RelativeBias), or null.
    pub(super) buckets: DeviceSlice<u32>,
    /// The angles of rotary positions of each base.
    rotary: Vec<(f64, RotaryAngles)>,
}

/// The contents of [`Constants`] that are not zeros.
struct Values {
    buckets: Vec<u32>,
    rotary: Vec<(f64, RotaryTable)>,
}

impl Values {
    fn of(config: &ModelConfig) -> Self {
        let has_buckets = config.names().relative_bias.is_some();
        let buckets = if has_buckets { relative_buckets(config.max_tokens()) } else { Vec::new() };
        Values { buckets, rotary: rotary_tables(config) }
    }
}

impl Constants {
    /// The constants of a model in a buffer of their own.
    ///
    /// # Errors
    /// The device has too little memory.
    pub(super) fn new<D: Device>(config: &ModelConfig, device: &mut D) -> Result<(Self, D::Buffer)> {
        let values = Values::of(config);
        let buffer = device.allocate(Constants::layout(config, &values, 0).1)?;
        let (constants, _) = Constants::layout(config, &values, D::address(&buffer));
        if !constants.buckets.is_null() {
            device.write(constants.buckets, &values.buckets)?;
        }
        for ((_, angles), (_, table)) in constants.rotary.iter().zip(&values.rotary) {
            for (to, values) in [(angles.cosines, &table.cos), (angles.sines, &table.sin)] {
                let words: Vec<u32> = values.iter().map(|x| x.to_bits()).collect();
                device.write(DeviceSlice::new(to.address(), to.len()), &words)?;
            }
        }
        Ok((constants, buffer))
    }

    /// Bytes of the constants of a model.
    pub(super) fn bytes(config: &ModelConfig) -> usize {
        Constants::layout(config, &Values::of(config), 0).1
    }

    /// The constants from the address `base` on, and their size in bytes.
    fn layout(config: &ModelConfig, values: &Values, base: u64) -> (Self, usize) {
        let mut arena = ArenaAllocator::new(base, false);
        let widest = config.architecture.layer_structure.up_width(config.intermediate);
        let zeros = arena.f32(widest.max(3 * config.hidden).max(config.embedding_size));
        let has_buckets = !values.buckets.is_empty();
        let buckets = if has_buckets { arena.u32(values.buckets.len()) } else { DeviceSlice::NULL };
        let angles = |(theta, table): &(f64, RotaryTable)| {
            let [cosines, sines] = [&table.cos, &table.sin].map(|values| arena.f32(values.len()));
            (*theta, RotaryAngles { cosines, sines, head_size: config.head_size() })
        };
        let rotary = values.rotary.iter().map(angles).collect();
        (Constants { zeros, buckets, rotary }, arena.bytes())
    }

    /// The angles of rotary positions of the base `theta`.
    pub(super) fn rotary(&self, theta: f64) -> Option<RotaryAngles> {
        self.rotary.iter().find(|(of, _)| *of == theta).map(|(_, angles)| *angles)
    }
}
