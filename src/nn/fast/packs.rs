//! The weights of the layers as right operands of products, packed anew after each update.

use super::kernels::packed::Packing;
use super::kernels::product::Packed;
use super::layout::{LayerPlaces, Layout};
use rayon::prelude::*;
use std::ops::Range;

/// The packed weights of one layer.
#[derive(Debug, Default)]
pub(super) struct LayerPacks {
    pub(super) query: Packed,
    pub(super) key_value: Packed,
    pub(super) attention_out: Packed,
    pub(super) up: Packed,
    pub(super) down: Packed,
}

/// The packed weights of all layers.
#[derive(Debug)]
pub(super) struct Packs {
    pub(super) packing: Packing,
    pub(super) layers: Vec<LayerPacks>,
}

impl Packs {
    /// Room for the layers of `layout`.
    pub(super) fn new(packing: Packing, layout: &Layout) -> Self {
        let layers = layout.layers.iter().map(|_| LayerPacks::default()).collect();
        Packs { packing, layers }
    }

    /// Words that the packed layers of `layout` take.
    pub(super) fn words(packing: Packing, layout: &Layout) -> usize {
        let words = |places: &LayerPlaces| -> usize {
            let mut packs = LayerPacks::default();
            let weights = packs.with_places(places).map(|(_, place, ins)| (place.len() / ins, ins));
            weights.iter().map(|(outs, ins)| Packed::words(packing, *outs, *ins)).sum()
        };
        layout.layers.iter().map(words).sum()
    }

    /// Packs the weights of an arena, on the threads of the pool that it is called in.
    pub(super) fn refresh(&mut self, layout: &Layout, weights: &[f32]) {
        let packing = self.packing;
        let packs = self.layers.iter_mut().zip(&layout.layers);
        let packs: Vec<_> = packs.flat_map(|(packs, places)| packs.with_places(places)).collect();
        packs.into_par_iter().for_each(|(pack, place, ins)| pack.refresh(packing, &weights[place], ins));
    }
}

impl LayerPacks {
    /// Each weight with its place in the arena and its inputs.
    fn with_places<'a>(&'a mut self, places: &LayerPlaces) -> [(&'a mut Packed, Range<usize>, usize); 5] {
        let hidden = places.attention_norm.weight.len();
        let intermediate = places.up.bias.len();
        let LayerPacks { query, key_value, attention_out, up, down } = self;
        [
            (query, places.query.clone(), hidden),
            (key_value, places.key_value.clone(), hidden),
            (attention_out, places.attention_out.weight.clone(), hidden),
            (up, places.up.weight.clone(), hidden),
            (down, places.down.weight.clone(), intermediate),
        ]
    }
}
