//! The order of examples: pure functions of seed and epoch, so that a resumed run needs only its position.

use crate::batch::Encoded;
use kernels::rng::{Rng, Stream};
use std::cmp::Reverse;

/// The order of `len` examples in an epoch (from 0): a permutation of `0..len`.
pub fn epoch_order(seed: u64, epoch: u32, len: usize) -> Vec<usize> {
    Rng::new(seed, Stream::Order).permutation(epoch, 0, len)
}

/// Splits an order into batches of `batch_size` (at least 1); the last batch may be smaller.
pub fn batches(order: &[usize], batch_size: usize) -> impl ExactSizeIterator<Item = &[usize]> {
    order.chunks(batch_size.max(1))
}

/// Indices of the examples, longest first. Batches of similar lengths need little padding, and a batch that does not
/// fit into memory fails at once. Examples of equal length keep their order.
pub fn longest_first(examples: &[Encoded]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|&index| Reverse(examples[index].ids.len()));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_order_is_a_permutation_of_seed_and_epoch() {
        let first = epoch_order(42, 0, 1001);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1001).collect::<Vec<_>>());
        assert_eq!(first, epoch_order(42, 0, 1001));
        assert_ne!(first, epoch_order(42, 1, 1001));
        assert_ne!(first, epoch_order(43, 0, 1001));
    }

    #[test]
    fn batches_cover_the_order() {
        let order = epoch_order(1, 2, 70);
        let all: Vec<&[usize]> = batches(&order, 32).collect();
        assert_eq!(all.iter().map(|b| b.len()).collect::<Vec<_>>(), [32, 32, 6]);
        assert_eq!(all.concat(), order);
        assert_eq!(batches(&order, 32).nth(2), Some(all[2]));
        assert_eq!(batches(&[], 32).count(), 0);
    }

    #[test]
    fn longest_first_is_stable() {
        let examples: Vec<Encoded> =
            [3, 7, 3, 9].iter().map(|n| Encoded { ids: vec![0; *n], ..Encoded::default() }).collect();
        assert_eq!(longest_first(&examples), [3, 1, 0, 2]);
    }
}
