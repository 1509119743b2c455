//! The random number generator of all training: Philox4x32-10, a counter-based generator.
//!
//! A value depends only on key and counter, not on previous draws. So the backward pass can recompute a dropout
//! mask, a resumed run needs no generator state, and a device kernel can draw the same numbers in any order.
//!
//! Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011). The tests compare
//! with the published known answers.

const MULTIPLIERS: (u32, u32) = (0xD251_1F53, 0xCD9E_8D57);
const WEYL: (u32, u32) = (0x9E37_79B9, 0xBB67_AE85);

/// The number of blocks that [`Rng::blocks`] draws at once: the number of 32-bit lanes of the widest vector.
pub const LANES: usize = 16;

/// The purpose of a stream of numbers. Streams of the same seed are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// Initial values of new parameters.
    Weights = 1,
    /// Order of the examples of an epoch.
    Order = 2,
    /// Dropout masks.
    Dropout = 3,
    /// Choice of examples for a subsample.
    Sample = 4,
    /// Values of the trials of a sweep.
    Search = 5,
}

/// The numbers of one seed and stream, addressed by two coordinates and an index.
#[derive(Debug, Clone, Copy)]
pub struct Rng {
    key: (u32, u32),
}

impl Rng {
    /// The generator of `seed` for `stream`.
    pub fn new(seed: u64, stream: Stream) -> Self {
        // One application of the cipher mixes seed and stream, so that similar seeds and streams have unrelated
        // keys.
        let mixed = philox([seed as u32, (seed >> 32) as u32, stream as u32, 0], (0, 0), ROUNDS);
        Rng { key: (mixed[0], mixed[1]) }
    }

    /// The key of all blocks, for kernels that draw on a device.
    pub fn key(&self) -> (u32, u32) {
        self.key
    }

    /// The four words at (`major`, `minor`, `block`). Word `i` of block `b` is number `4 b + i`.
    #[inline]
    pub fn block(&self, major: u32, minor: u32, block: u64) -> [u32; 4] {
        philox([block as u32, (block >> 32) as u32, minor, major], self.key, ROUNDS)
    }

    /// [`LANES`] blocks as `[word][block]`, computed side by side so that the loops become vector instructions.
    ///
    /// They use seven rounds, the fewest that pass all tests of BigCrush (table 2 of the paper), because dropout
    /// draws far more numbers than everything else. They differ from the numbers of [`Rng::block`].
    #[inline(always)]
    pub fn blocks(&self, major: u32, minor: u32, blocks: [u64; LANES]) -> [[u32; LANES]; 4] {
        let mut words = [[0; LANES], [0; LANES], [minor; LANES], [major; LANES]];
        for lane in 0..LANES {
            words[0][lane] = blocks[lane] as u32;
            words[1][lane] = (blocks[lane] >> 32) as u32;
        }
        let mut key = self.key;
        for _ in 0..BULK_ROUNDS {
            let before = words;
            for lane in 0..LANES {
                let counter = [before[0][lane], before[1][lane], before[2][lane], before[3][lane]];
                let after = round(counter, key);
                for word in 0..4 {
                    words[word][lane] = after[word];
                }
            }
            key = next_key(key);
        }
        words
    }

    /// A uniform draw from [0, 1) with 53 random bits.
    pub fn uniform(&self, major: u32, minor: u32, index: u64) -> f64 {
        let [a, b, ..] = self.block(major, minor, index);
        let bits = (u64::from(a) << 32 | u64::from(b)) >> 11;
        bits as f64 / (1u64 << 53) as f64
    }

    /// A draw from the standard normal distribution (Box–Muller).
    pub fn normal(&self, major: u32, minor: u32, index: u64) -> f64 {
        let [a, b, c, d] = self.block(major, minor, index);
        let unit =
            |hi: u32, lo: u32| ((u64::from(hi) << 32 | u64::from(lo)) >> 11) as f64 / (1u64 << 53) as f64;
        let radius = (-2.0 * (1.0 - unit(a, b)).ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * unit(c, d)).cos()
    }

    /// A random permutation of `0..len` (Fisher–Yates).
    pub fn permutation(&self, major: u32, minor: u32, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        self.shuffle(major, minor, &mut order);
        order
    }

    /// Brings `items` into the order of [`Rng::permutation`].
    pub fn shuffle<T>(&self, major: u32, minor: u32, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let pick = (self.uniform(major, minor, last as u64) * (last + 1) as f64) as usize;
            items.swap(last, pick);
        }
    }
}

/// The number of rounds that the authors recommend.
const ROUNDS: usize = 10;

/// The number of rounds of [`Rng::blocks`].
const BULK_ROUNDS: usize = 7;

/// The block cipher Philox4x32.
#[inline]
fn philox(mut counter: [u32; 4], mut key: (u32, u32), rounds: usize) -> [u32; 4] {
    for _ in 0..rounds {
        counter = round(counter, key);
        key = next_key(key);
    }
    counter
}

#[inline(always)]
fn round(counter: [u32; 4], key: (u32, u32)) -> [u32; 4] {
    let left = u64::from(MULTIPLIERS.0) * u64::from(counter[0]);
    let right = u64::from(MULTIPLIERS.1) * u64::from(counter[2]);
    [
        (right >> 32) as u32 ^ counter[1] ^ key.0,
        right as u32,
        (left >> 32) as u32 ^ counter[3] ^ key.1,
        left as u32,
    ]
}

#[inline(always)]
fn next_key(key: (u32, u32)) -> (u32, u32) {
    (key.0.wrapping_add(WEYL.0), key.1.wrapping_add(WEYL.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `kat_vectors` of the Random123 distribution, philox 4 32 7 and 10.
    #[test]
    fn published_known_answers() {
        let digits = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let digits_key = (0xa409_3822, 0x299f_31d0);
        let ones = ([u32::MAX; 4], (u32::MAX, u32::MAX));
        assert_eq!(philox([0; 4], (0, 0), 10), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox(ones.0, ones.1, 10), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(philox(digits, digits_key, 10), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
        assert_eq!(philox([0; 4], (0, 0), 7), [0x5f6f_b709, 0x0d89_3f64, 0x4f12_1f81, 0x4f73_0a48]);
        assert_eq!(philox(ones.0, ones.1, 7), [0x5207_ddc2, 0x4516_5e59, 0x4d8e_e751, 0x8c52_f662]);
        assert_eq!(philox(digits, digits_key, 7), [0x4dfc_caba, 0x190a_87f0, 0xc473_62ba, 0xb6b5_242a]);
    }

    #[test]
    fn blocks_equal_single_blocks_of_seven_rounds() {
        let rng = Rng::new(9, Stream::Dropout);
        let blocks: [u64; LANES] = std::array::from_fn(|lane| ((lane as u64) << 31) + 5);
        let words = rng.blocks(3, 2, blocks);
        for (lane, block) in blocks.into_iter().enumerate() {
            let counter = [block as u32, (block >> 32) as u32, 2, 3];
            assert_eq!(words.map(|word| word[lane]), philox(counter, rng.key, BULK_ROUNDS), "block {block}");
        }
    }

    #[test]
    fn draws_have_the_expected_moments() {
        let rng = Rng::new(42, Stream::Weights);
        let n = 100_000u64;
        let normals: Vec<f64> = (0..n).map(|i| rng.normal(0, 0, i)).collect();
        let mean = normals.iter().sum::<f64>() / n as f64;
        let variance = normals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
        let uniform = (0..n).map(|i| rng.uniform(1, 0, i)).sum::<f64>() / n as f64;
        assert!((uniform - 0.5).abs() < 0.005, "mean {uniform}");
    }

    #[test]
    fn permutation_is_complete_and_depends_on_seed_and_coordinates() {
        let rng = Rng::new(7, Stream::Order);
        let first = rng.permutation(0, 0, 1000);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_eq!(first, Rng::new(7, Stream::Order).permutation(0, 0, 1000));
        assert_ne!(first, rng.permutation(1, 0, 1000));
        assert_ne!(first, Rng::new(8, Stream::Order).permutation(0, 0, 1000));
    }
}
