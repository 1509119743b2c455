//! What a step is given, as one block of words in device memory: numbers of the step, tokens and labels.

use super::device::Span;
use crate::batch::{Batch, Label};

/// Rows of a tile of attention.
pub(super) const TILE: usize = 16;

/// Sizes that a step is recorded for; batches that are a little smaller use the same recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket {
    pub(super) tokens: usize,
    pub(super) examples: usize,
}

impl Bucket {
    /// The smallest for `batch`. Buckets are a sixteenth of a power of two apart, so that less than an eighth
    /// of the rows is for nothing, and few recordings do for all batches.
    pub(super) fn of(batch: &Batch) -> Self {
        let apart = (batch.tokens().next_power_of_two() / 16).max(32);
        Bucket { tokens: batch.tokens().next_multiple_of(apart), examples: batch.len().next_multiple_of(8) }
    }

    /// Tiles of attention, at most.
    pub(super) fn tiles(self) -> usize {
        self.tokens / TILE + self.examples
    }

    /// Whether a room of this size has place for the other.
    pub(super) fn holds(self, other: Self) -> bool {
        self.tokens >= other.tokens && self.examples >= other.examples
    }

    /// ParamRange for both.
    pub(super) fn union(self, other: Self) -> Self {
        Bucket { tokens: self.tokens.max(other.tokens), examples: self.examples.max(other.examples) }
    }
}

/// Words of the structure `Step` of `kernels/common.cuh`, filled up.
const STEP: usize = 16;

/// The numbers of a step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers {
    /// Key and step of the dropout masks.
    pub(super) key: (u32, u32),
    pub(super) step: u32,
    /// Marks the gradients of words.
    pub(super) stamp: u32,
    /// 1 / examples of the whole batch
    pub(super) share: f32,
    /// Of AdamW: 1 - learning rate · weight decay, learning rate / (1 - beta1ⁿ), √(1 - beta2ⁿ)
    pub(super) decay: f32,
    pub(super) rate: f32,
    pub(super) root: f32,
}

/// Where the parts of the block are, in device memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input {
    pub(super) bucket: Bucket,
    /// All of it.
    pub(super) block: Span<u32>,
    /// The structure `Step`.
    pub(super) step: Span<u32>,
    /// (T) each
    pub(super) ids: Span<u32>,
    pub(super) types: Span<u32>,
    /// ParamRange of each token in its example.
    pub(super) positions: Span<u32>,
    /// Example of each token.
    pub(super) owners: Span<u32>,
    /// Tokens by word, then by place.
    pub(super) order: Span<u32>,
    /// Different words.
    pub(super) words: Span<u32>,
    /// Where the tokens of each word begin in `order`: (words + 1)
    pub(super) starts: Span<u32>,
    /// Where each example begins: (examples + 1)
    pub(super) offsets: Span<u32>,
    /// Classes, or the bits of the numbers of a regression: (examples)
    pub(super) labels: Span<u32>,
    /// Example, in the high half, and number in it of each tile of attention.
    pub(super) tiles: Span<u32>,
}

impl Input {
    /// Words of the block of a bucket.
    pub(super) fn words(bucket: Bucket) -> usize {
        STEP + Self::lengths(bucket).iter().sum::<usize>()
    }

    fn lengths(bucket: Bucket) -> [usize; 10] {
        let Bucket { tokens: t, examples: e } = bucket;
        [t, t, t, t, t, t, t + 1, e + 1, e, bucket.tiles()]
    }

    /// The block of a bucket from the beginning of `memory` on.
    pub(super) fn new(bucket: Bucket, memory: Span<u32>) -> Self {
        let mut end = STEP;
        let parts = Self::lengths(bucket).map(|length| {
            let part = memory.slice(end..end + length);
            end += length;
            part
        });
        let [ids, types, positions, owners, order, words, starts, offsets, labels, tiles] = parts;
        Input {
            bucket,
            block: memory.first(end),
            step: memory.first(STEP),
            ids,
            types,
            positions,
            owners,
            order,
            words,
            starts,
            offsets,
            labels,
            tiles,
        }
    }

    /// Of the step, the word that has the number of tokens.
    pub(super) fn tokens(&self) -> Span<u32> {
        self.step.slice(0..1)
    }

    /// Of the step, the word that has the number of examples.
    pub(super) fn examples(&self) -> Span<u32> {
        self.step.slice(1..2)
    }
}

/// The words of a block for `batch`, which the bucket holds.
pub(super) fn words(bucket: Bucket, batch: &Batch, numbers: Numbers) -> Vec<u32> {
    let (words, starts, order) = by_word(&batch.ids);
    let tiles = tiles(&batch.offsets);
    let mut block = Vec::with_capacity(Input::words(bucket));
    block.extend([batch.tokens(), batch.len(), words.len(), tiles.len()].map(|count| count as u32));
    block.extend([batch.first_token as u32, batch.first_example as u32]);
    block.extend([numbers.key.0, numbers.key.1, numbers.step, numbers.stamp]);
    block.extend([numbers.share, numbers.decay, numbers.rate, numbers.root].map(f32::to_bits));
    block.resize(STEP, 0);
    let examples = || batch.offsets.windows(2).enumerate();
    let positions = examples().flat_map(|(_, bounds)| 0..(bounds[1] - bounds[0]) as u32).collect();
    let owner = |(owner, bounds): (usize, &[usize])| std::iter::repeat_n(owner as u32, bounds[1] - bounds[0]);
    let owners = examples().flat_map(owner).collect();
    let label = |label: &Label| match label {
        Label::Class(class) => *class,
        Label::Value(value) => value.to_bits(),
    };
    let labels = batch.labels.iter().map(label).collect();
    let offsets: Vec<u32> = batch.offsets.iter().map(|offset| *offset as u32).collect();
    let parts: [&Vec<u32>; 10] = [
        &batch.ids,
        &batch.type_ids,
        &positions,
        &owners,
        &order,
        &words,
        &starts,
        &offsets,
        &labels,
        &tiles,
    ];
    for (part, length) in parts.into_iter().zip(Input::lengths(bucket)) {
        let end = block.len() + length;
        block.extend(part);
        assert!(block.len() <= end, "a batch that its bucket does not hold");
        block.resize(end, 0);
    }
    block
}

/// The different words, where the tokens of each begin, and the tokens by word.
fn by_word(ids: &[u32]) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_by_key(|token| ids[*token as usize]);
    let (mut words, mut starts) = (Vec::new(), Vec::new());
    for (place, token) in order.iter().enumerate() {
        let id = ids[*token as usize];
        if words.last() != Some(&id) {
            words.push(id);
            starts.push(place as u32);
        }
    }
    starts.push(ids.len() as u32);
    (words, starts, order)
}

/// The tiles of all examples.
fn tiles(offsets: &[usize]) -> Vec<u32> {
    let tiles = |(example, bounds): (usize, &[usize])| {
        let count = (bounds[1] - bounds[0]).div_ceil(TILE) as u32;
        (0..count).map(move |tile| (example as u32) << 16 | tile)
    };
    offsets.windows(2).enumerate().flat_map(tiles).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Encoded;

    fn batch(lengths: &[usize]) -> Batch {
        let example = |length: &usize| Encoded {
            ids: (0..*length as u32).map(|token| token * 7 % 5).collect(),
            type_ids: vec![0; *length],
            label: Some(Label::Class(1)),
        };
        Batch::new(&lengths.iter().map(example).collect::<Vec<_>>())
    }

    #[test]
    fn buckets_are_few_and_waste_little() {
        let mut found = std::collections::BTreeSet::new();
        for tokens in 1..=8192 {
            let bucket = Bucket::of(&batch(&[tokens]));
            let wasted = bucket.tokens - tokens;
            assert!(wasted < 32 || wasted * 8 < tokens, "{tokens} tokens in {bucket:?}");
            found.insert(bucket.tokens);
        }
        assert!(found.len() < 80, "{} buckets", found.len());
        let bucket = Bucket::of(&batch(&[3; 33]));
        assert_eq!((bucket.tokens, bucket.examples), (128, 40));
        let larger = bucket.union(Bucket { tokens: 64, examples: 48 });
        assert!(larger.holds(bucket) && !bucket.holds(larger) && larger.examples == 48);
    }

    #[test]
    fn tiles_fit_their_bucket() {
        for lengths in [vec![1; 40], vec![17; 9], vec![512, 1, 16, 33], vec![1]] {
            let batch = batch(&lengths);
            let found = tiles(&batch.offsets);
            assert!(found.len() <= Bucket::of(&batch).tiles(), "{lengths:?}");
            let rows: usize = lengths.iter().map(|length| length.div_ceil(TILE)).sum();
            assert_eq!(found.len(), rows);
            assert_eq!(found.last().map(|code| code >> 16), Some(lengths.len() as u32 - 1));
        }
    }

    #[test]
    fn tokens_are_sorted_by_word_and_stay_in_order() {
        let (words, starts, order) = by_word(&[7, 3, 7, 9, 3]);
        assert_eq!((words, starts, order), (vec![3, 7, 9], vec![0, 2, 4, 5], vec![1, 4, 0, 2, 3]));
    }

    #[test]
    fn a_block_has_each_part_in_its_place() {
        let batch = batch(&[2, 3]);
        let bucket = Bucket::of(&batch);
        let block = words(bucket, &batch, Numbers { step: 9, share: 0.5, ..Numbers::default() });
        assert_eq!(block.len(), Input::words(bucket));
        // Addresses as if the block began at word 64.
        let input = Input::new(bucket, Span::new(256, block.len()));
        let part = |span: Span<u32>, count: usize| {
            let first = (span.address() as usize - 256) / 4;
            block[first..first + count].to_vec()
        };
        assert_eq!(part(input.tokens(), 1), [5]);
        assert_eq!(part(input.examples(), 1), [2]);
        assert_eq!(part(input.step, 11)[8..], [9, 0, 0.5f32.to_bits()]);
        assert_eq!(part(input.ids, 5), [0, 2, 0, 2, 4]);
        assert_eq!(part(input.positions, 5), [0, 1, 0, 1, 2]);
        assert_eq!(part(input.owners, 5), [0, 0, 1, 1, 1]);
        assert_eq!(part(input.offsets, 3), [0, 2, 5]);
        assert_eq!(part(input.labels, 2), [1, 1]);
        assert_eq!(part(input.tiles, 2), [0, 1 << 16]);
        let values = Batch { labels: vec![Label::Value(2.5), Label::Value(-0.5)], ..batch };
        let block = words(bucket, &values, Numbers::default());
        let first = (input.labels.address() as usize - 256) / 4;
        assert_eq!(block[first..first + 2], [2.5f32.to_bits(), (-0.5f32).to_bits()]);
    }
}
