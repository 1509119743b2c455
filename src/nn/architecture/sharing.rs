//! Which layers of an encoder have the same parameters.

/// Layers that share their parameters (Lan et al. 2019, <https://arxiv.org/abs/1909.11942>). Repeated *blocks* of one or
/// more layers are divided into groups; all blocks of a group have the same parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LayerSharing {
    blocks: usize,
    groups: usize,
    layers_per_block: usize,
}

impl LayerSharing {
    /// `layers` layers, each with parameters of its own.
    pub(crate) fn none(layers: usize) -> Self {
        LayerSharing { blocks: layers, groups: layers, layers_per_block: 1 }
    }

    /// `blocks` blocks of `layers_per_block` layers in `groups` groups, of which there are at most as many as blocks.
    pub(crate) fn in_groups(blocks: usize, groups: usize, layers_per_block: usize) -> Self {
        LayerSharing { blocks, groups, layers_per_block }
    }

    /// Number of layers.
    pub(crate) fn layers(self) -> usize {
        self.blocks * self.layers_per_block
    }

    /// Number of layers with parameters of their own.
    pub(crate) fn parameter_sets(self) -> usize {
        self.groups * self.layers_per_block
    }

    /// The parameter set of a layer.
    pub(crate) fn parameter_set(self, layer: usize) -> usize {
        let (block, within) = (layer / self.layers_per_block, layer % self.layers_per_block);
        // As AlbertTransformer.forward computes it.
        let group = (block as f64 / (self.blocks as f64 / self.groups as f64)) as usize;
        group * self.layers_per_block + within
    }

    /// The group of a parameter set, and its layer within a block.
    pub(super) fn group_and_layer(self, set: usize) -> (usize, usize) {
        (set / self.layers_per_block, set % self.layers_per_block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_of_a_group_have_the_same_parameters() {
        let sets = |sharing: LayerSharing| -> Vec<usize> {
            (0..sharing.layers()).map(|layer| sharing.parameter_set(layer)).collect()
        };
        assert_eq!(sets(LayerSharing::none(4)), [0, 1, 2, 3]);
        assert_eq!(sets(LayerSharing::in_groups(4, 1, 1)), [0; 4]);
        assert_eq!(sets(LayerSharing::in_groups(5, 2, 1)), [0, 0, 0, 1, 1]);
        let pairs = LayerSharing::in_groups(4, 2, 2);
        assert_eq!(sets(pairs), [0, 1, 0, 1, 2, 3, 2, 3]);
        assert_eq!((pairs.layers(), pairs.parameter_sets(), pairs.group_and_layer(3)), (8, 4, (1, 1)));
        for blocks in 1..40 {
            for groups in 1..=blocks {
                let mut found = sets(LayerSharing::in_groups(blocks, groups, 1));
                found.dedup();
                assert!(found.into_iter().eq(0..groups), "{blocks} blocks in {groups} groups");
            }
        }
    }
}
