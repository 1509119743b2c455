//! Buckets of distances between query and key, for attention with [`AttentionBias::RelativeBuckets`].
//!
//! [`AttentionBias::RelativeBuckets`]: super::architecture::AttentionBias::RelativeBuckets

/// Number of buckets.
pub(crate) const RELATIVE_BUCKETS: usize = 32;

/// Distances from which on the bucket is the same.
const MAX_DISTANCE: f32 = 128.0;

/// The bucket of each distance of two tokens among `length`, key minus query: entry `d + length - 1` is that of distance
/// `d`, from `1 - length` on. The same in both directions: exact for short distances, then logarithmic
/// (`MPNetEncoder.relative_position_bucket`).
pub(crate) fn relative_buckets(length: usize) -> Vec<u32> {
    let longest = length as i64 - 1;
    (-longest..=longest).map(relative_bucket).collect()
}

fn relative_bucket(distance: i64) -> u32 {
    let half = RELATIVE_BUCKETS / 2;
    let exact = half / 2;
    let first = if distance > 0 { half } else { 0 };
    let distance = distance.unsigned_abs() as usize;
    if distance < exact {
        return (first + distance) as u32;
    }
    // In f32, as PyTorch computes it.
    let share = (distance as f32 / exact as f32).ln() / (f64::from(MAX_DISTANCE) / exact as f64).ln() as f32;
    let logarithmic = exact + (share * (half - exact) as f32) as usize;
    (first + logarithmic.min(half - 1)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `MPNetEncoder.relative_position_bucket(torch.tensor([...]))` in PyTorch.
    #[test]
    fn buckets_equal_those_of_transformers() {
        let distances =
            [-600, -128, -127, -91, -90, -64, -32, -16, -9, -8, -7, -1, 0, 1, 7, 8, 11, 12, 45, 46, 300];
        let found = distances.map(relative_bucket);
        let expected = [15, 15, 15, 15, 14, 14, 12, 10, 8, 8, 7, 1, 0, 17, 23, 24, 24, 25, 28, 29, 31];
        assert_eq!(found, expected);
        let all = relative_buckets(600);
        assert_eq!(all.len(), 1199);
        assert_eq!(all[599 - 90..=599], (-90..=0).map(relative_bucket).collect::<Vec<_>>());
    }
}
