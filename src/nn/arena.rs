//! Flat arenas: one array for the weights of a model, and of the same order for gradients and moments.

use super::engine::Array;
use super::names::ParamSpec;
use std::ops::Range;

/// A tensor's place in an arena.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParamRange {
    pub(crate) slot: ParamSpec,
    pub(crate) range: Range<usize>,
}

impl ParamRange {
    /// The tensor that an arena has here.
    pub(crate) fn copy(&self, arena: &[f32]) -> Array {
        Array { shape: self.slot.shape.clone(), data: arena[self.range.clone()].to_vec() }
    }
}

/// Puts the tensors of a model one after the other.
pub(crate) struct Order<'a> {
    slots: &'a [ParamSpec],
    places: Vec<ParamRange>,
}

impl<'a> Order<'a> {
    /// An empty arena, to be filled with tensors of `slots`.
    pub(crate) fn new(slots: &'a [ParamSpec]) -> Self {
        Order { slots, places: Vec::new() }
    }

    /// Numbers so far.
    pub(crate) fn length(&self) -> usize {
        self.places.last().map_or(0, |place| place.range.end)
    }

    /// The next tensors, as neighbours: `part`, `weight` or `bias`, of each of `names`.
    pub(crate) fn tensors(&mut self, names: &[&str], part: &str) -> Range<usize> {
        let first = self.length();
        for name in names {
            let full = format!("{name}.{part}");
            let slot = self.slots.iter().find(|slot| slot.name == full);
            let slot = slot.expect("the table has every name of the configuration").clone();
            let begin = self.length();
            let range = begin..begin + slot.shape.iter().product::<usize>();
            self.places.push(ParamRange { slot, range });
        }
        first..self.length()
    }

    /// The next tensor.
    pub(crate) fn tensor(&mut self, name: &str, part: &str) -> Range<usize> {
        self.tensors(&[name], part)
    }

    /// All places, in their order.
    pub(crate) fn places(self) -> Vec<ParamRange> {
        self.places
    }
}
