//! The order in which examples are worked on: pure functions of seed and epoch, without state,
//! so that a resumed run needs to know only where it was.

use crate::batch::Encoded;
use crate::rng::{Rng, Stream};
use std::cmp::Reverse;

/// The order of `len` examples in that epoch (from 0): a permutation of `0..len`.
pub fn epoch_order(seed: u64, epoch: u32, len: usize) -> Vec<usize> {
    Rng::new(seed, Stream::Order).permutation(epoch, 0, len)
}

/// Cuts an order into batches of `batch_size` (at least 1); the last may be smaller.
pub fn batches(order: &[usize], batch_size: usize) -> impl ExactSizeIterator<Item = &[usize]> {
    order.chunks(batch_size.max(1))
}

/// Indices of the examples, longest first: batches of equal lengths waste nothing, and a batch
/// that does not fit into memory is met at once. Equal lengths keep their order.
pub fn by_length(examples: &[Encoded]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|&index| Reverse(examples[index].ids.len()));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_visits_each_example_once_in_its_own_order() {
        let first = epoch_order(42, 0, 1001);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1001).collect::<Vec<_>>());
        assert_eq!(first, epoch_order(42, 0, 1001));
        assert_ne!(first, epoch_order(42, 1, 1001));
        assert_ne!(first, epoch_order(43, 0, 1001));
    }

    #[test]
    fn batches_cover_the_order_and_can_be_entered_anywhere() {
        let order = epoch_order(1, 2, 70);
        let all: Vec<&[usize]> = batches(&order, 32).collect();
        assert_eq!(all.iter().map(|b| b.len()).collect::<Vec<_>>(), [32, 32, 6]);
        assert_eq!(all.concat(), order);
        assert_eq!(batches(&order, 32).nth(2), Some(all[2]));
        assert_eq!(batches(&[], 32).count(), 0);
    }

    #[test]
    fn longest_come_first_and_ties_keep_their_order() {
        let examples: Vec<Encoded> =
            [3, 7, 3, 9].iter().map(|n| Encoded { ids: vec![0; *n], ..Encoded::default() }).collect();
        assert_eq!(by_length(&examples), [3, 1, 0, 2]);
    }
}
