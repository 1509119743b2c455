//! The arenas cut into pieces that threads update.

use super::kernels::Cpu;
use super::kernels::adamw::{Moving, Update, adamw};
use super::layout::Layout;

/// Numbers that one task of an update works on. Sums add them in order, so it is part of their result.
const CHUNK: usize = 1 << 14;

/// Why a piece can be had: the arenas are as long as their layout.
const INSIDE: &str = "the arenas are as long as their layout";

/// Part of a tensor with its gradient and moments.
pub(super) struct Piece<'a> {
    pub(super) has_decay: bool,
    weight: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    pub(super) gradient: &'a mut [f32],
}

impl Piece<'_> {
    /// AdamW of all its numbers.
    pub(super) fn update(&mut self, cpu: Cpu, update: Update) {
        let Piece { weight, first, second, gradient, .. } = self;
        adamw(cpu, Moving { weight, first, second }, gradient, update);
    }
}

/// All tensors but the word embedding, cut into pieces.
pub(super) fn pieces<'a>(
    layout: &Layout,
    mut weights: &'a mut [f32],
    mut first: &'a mut [f32],
    mut second: &'a mut [f32],
    mut gradients: &'a mut [f32],
) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    for place in layout.places.iter().filter(|place| place.range.end <= layout.dense()) {
        for first_number in place.range.clone().step_by(CHUNK) {
            let length = CHUNK.min(place.range.end - first_number);
            pieces.push(Piece {
                has_decay: place.slot.decay,
                weight: weights.split_off_mut(..length).expect(INSIDE),
                first: first.split_off_mut(..length).expect(INSIDE),
                second: second.split_off_mut(..length).expect(INSIDE),
                gradient: gradients.split_off_mut(..length).expect(INSIDE),
            });
        }
    }
    pieces
}
