//! Rotary positions (Su et al. 2021, <https://arxiv.org/abs/2104.09864>).

use super::config::ModelConfig;

/// cos and sin of the angles by which the halves of a head are rotated against each other: (positions, head size / 2)
/// each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RotaryTable {
    pub(crate) cos: Vec<f32>,
    pub(crate) sin: Vec<f32>,
}

impl RotaryTable {
    /// The table of the base `theta`. Column i of position p has the angle p · frequency i, computed in f32 as in
    /// Transformers.
    pub(crate) fn new(theta: f64, positions: usize, head_size: usize) -> Self {
        let frequencies = rotary_frequencies(theta, head_size);
        let angles = (0..positions).flat_map(|position| frequencies.iter().map(move |f| position as f32 * f));
        let (sin, cos) = angles
            .map(|angle| {
                let (sin, cos) = f64::from(angle).sin_cos();
                (sin as f32, cos as f32)
            })
            .unzip();
        RotaryTable { cos, sin }
    }
}

/// A table for each base of the layers of a model.
pub(crate) fn rotary_tables(config: &ModelConfig) -> Vec<(f64, RotaryTable)> {
    let mut tables: Vec<(f64, RotaryTable)> = Vec::new();
    let layers = (0..config.layers).map(|layer| config.layer_attention(layer));
    for theta in layers.filter_map(|layer| layer.rope_theta) {
        if !tables.iter().any(|(known, _)| *known == theta) {
            tables.push((theta, RotaryTable::new(theta, config.max_tokens(), config.head_size())));
        }
    }
    tables
}

/// The frequencies theta^(−2i / head size) of the base `theta`: (head size / 2)
pub(crate) fn rotary_frequencies(theta: f64, head_size: usize) -> Vec<f32> {
    let frequency = |i: usize| {
        let exponent = (2 * i) as f32 / head_size as f32;
        1.0 / theta.powf(f64::from(exponent)) as f32
    };
    (0..head_size / 2).map(frequency).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ModernBertRotaryEmbedding` in PyTorch, with `rope_theta` 160000, for position 3 of heads of 8 and for position 8191
    /// of heads of 64.
    #[test]
    fn angles_equal_those_of_transformers() {
        let close = |a: f32, b: f32| (a - b).abs() < 1e-6;
        let table = RotaryTable::new(160_000.0, 4, 8);
        let expected = [-0.989_992_5, 0.988_771_1, 0.999_971_87, 0.999_999_94];
        for (found, expected) in table.cos[12..].iter().zip(expected) {
            assert!(close(*found, expected), "{found}, {expected}");
        }
        let table = RotaryTable::new(160_000.0, 8192, 64);
        let last = 8191 * 32;
        for (column, cos, sin) in [
            (0, -0.646_390_5, -0.763_006_8),
            (1, -0.959_715_7, 0.280_972_78),
            (5, -0.957_329_6, 0.288_998_43),
            (17, 0.055_661_947, 0.998_449_7),
            (31, 0.997_230_1, 0.074_378),
        ] {
            let found = (table.cos[last + column], table.sin[last + column]);
            assert!(close(found.0, cos) && close(found.1, sin), "{column}: {found:?}");
        }
    }
}
