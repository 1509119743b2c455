//! The input of a pass: scalars of the step, tokens and labels, packed into one block of 32-bit words that is copied to
//! the device at once. A captured graph reads it from there.

use super::device::DeviceSlice;
use crate::batch::{Batch, Label};
use crate::nn::config::ModelConfig;
use crate::nn::positions::{padding_position, positions};

/// Rows of a tile of attention, as in `kernels/attention.cuh`.
pub(super) const TILE: usize = 16;

/// The padded size of a micro-batch. All micro-batches in a bucket share the captured graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket {
    pub(super) tokens: usize,
    pub(super) examples: usize,
    /// 32-bit words of the label of an example.
    pub(super) label_words: usize,
}

/// 32-bit words of the label of an example of a model with that many outputs: a bit for each output, which is also
/// enough for a class or a number.
pub(super) fn label_words(outputs: usize) -> usize {
    outputs.div_ceil(u32::BITS as usize).max(1)
}

impl Bucket {
    /// The smallest bucket for `batch` and a model with that many outputs. Token counts of buckets are a sixteenth of a
    /// power of two apart, but at least 32: above 256 tokens less than an eighth is padding, and there are few buckets.
    pub(super) fn of(batch: &Batch, outputs: usize) -> Self {
        Bucket::with_size(batch.tokens(), batch.len(), outputs)
    }

    /// The smallest bucket for a micro-batch of these counts. It also contains all smaller micro-batches.
    pub(super) fn with_size(tokens: usize, examples: usize, outputs: usize) -> Self {
        let distance = (tokens.next_power_of_two() / 16).max(32);
        Bucket {
            tokens: tokens.next_multiple_of(distance),
            examples: examples.next_multiple_of(8),
            label_words: label_words(outputs),
        }
    }

    /// Upper bound of the tiles of attention.
    pub(super) fn tiles(self) -> usize {
        self.tokens / TILE + self.examples
    }

    /// Whether all counts are at least those of `other`.
    pub(super) fn contains(self, other: Self) -> bool {
        self.tokens >= other.tokens
            && self.examples >= other.examples
            && self.label_words >= other.label_words
    }

    /// The smallest bucket that contains both.
    pub(super) fn union(self, other: Self) -> Self {
        Bucket {
            tokens: self.tokens.max(other.tokens),
            examples: self.examples.max(other.examples),
            label_words: self.label_words.max(other.label_words),
        }
    }
}

/// 32-bit words of the structure `StepParams` of `kernels/common.cuh`, with padding.
const STEP_WORDS: usize = 16;

/// The scalars that differ between steps: a part of the structure `StepParams`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StepScalars {
    /// Philox key of the dropout masks.
    pub(super) dropout_key: (u32, u32),
    /// Step of the dropout masks.
    pub(super) step: u32,
    /// Marks the rows of the embeddings' gradient that this step writes.
    pub(super) stamp: u32,
    /// 1 / [`loss_denominator`](crate::nn::loss::loss_denominator) of the whole batch.
    pub(super) loss_scale: f32,
    /// 1 - learning rate · weight decay
    pub(super) decay: f32,
    /// learning rate / (1 - beta1ⁿ), where n is the number of the optimizer step
    pub(super) step_size: f32,
    /// √(1 - beta2ⁿ)
    pub(super) bias_correction2_sqrt: f32,
}

/// The input block in device memory, with its sections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input {
    pub(super) bucket: Bucket,
    /// The whole block.
    pub(super) block: DeviceSlice<u32>,
    /// The structure `StepParams`.
    pub(super) step: DeviceSlice<u32>,
    /// Token ids: (T)
    pub(super) ids: DeviceSlice<u32>,
    /// Segment of each token: (T)
    pub(super) type_ids: DeviceSlice<u32>,
    /// Row of each token in the position embedding: (T)
    pub(super) positions: DeviceSlice<u32>,
    /// Example of each token: (T)
    pub(super) example_ids: DeviceSlice<u32>,
    /// [`SortedTokens::tokens_by_row`] of words and positions: (2 T)
    pub(super) tokens_by_row: DeviceSlice<u32>,
    /// [`SortedTokens::rows`]: (2 T)
    pub(super) embedding_rows: DeviceSlice<u32>,
    /// [`SortedTokens::row_starts`]: (2 T + 1)
    pub(super) row_starts: DeviceSlice<u32>,
    /// First token of each example: (E + 1)
    pub(super) offsets: DeviceSlice<u32>,
    /// Classes or the bits of the f32 targets of a regression, (E), or a bit for each output, (E, label_words), the
    /// lowest bit first.
    pub(super) labels: DeviceSlice<u32>,
    /// The tiles of attention, each `example << 16 | index`, where index counts the tiles of the example.
    pub(super) tiles: DeviceSlice<u32>,
}

impl Input {
    /// Number of 32-bit words in the block of a bucket.
    pub(super) fn len(bucket: Bucket) -> usize {
        STEP_WORDS + Self::section_lengths(bucket).iter().sum::<usize>()
    }

    /// Lengths of the sections after `step`, in the order of the fields.
    fn section_lengths(bucket: Bucket) -> [usize; 10] {
        let Bucket { tokens: t, examples: e, label_words } = bucket;
        [t, t, t, t, 2 * t, 2 * t, 2 * t + 1, e + 1, e * label_words, bucket.tiles()]
    }

    /// The block of a bucket at the beginning of `memory`.
    pub(super) fn new(bucket: Bucket, memory: DeviceSlice<u32>) -> Self {
        let mut end = STEP_WORDS;
        let sections = Self::section_lengths(bucket).map(|length| {
            let section = memory.slice(end..end + length);
            end += length;
            section
        });
        let [
            ids,
            type_ids,
            positions,
            example_ids,
            tokens_by_row,
            embedding_rows,
            row_starts,
            offsets,
            labels,
            tiles,
        ] = sections;
        Input {
            bucket,
            block: memory.prefix(end),
            step: memory.prefix(STEP_WORDS),
            ids,
            type_ids,
            positions,
            example_ids,
            tokens_by_row,
            embedding_rows,
            row_starts,
            offsets,
            labels,
            tiles,
        }
    }

    /// The field of `step` with the number of tokens.
    pub(super) fn token_count(&self) -> DeviceSlice<u32> {
        self.step.slice(0..1)
    }

    /// The field of `step` with the number of examples.
    pub(super) fn example_count(&self) -> DeviceSlice<u32> {
        self.step.slice(1..2)
    }
}

/// The words of the input block for `batch` with its `rows`, padded to `bucket`.
///
/// # Panics
///
/// If the batch is larger than the bucket.
pub(super) fn pack(bucket: Bucket, batch: &Batch, rows: &EmbeddingRows, scalars: StepScalars) -> Vec<u32> {
    let EmbeddingRows { positions, sorted: SortedTokens { rows, row_starts, tokens_by_row } } = rows;
    let tiles = tiles(&batch.offsets);
    let mut block = Vec::with_capacity(Input::len(bucket));
    block.extend([batch.tokens(), batch.len(), rows.len(), tiles.len()].map(|count| count as u32));
    block.extend([batch.first_token as u32, batch.first_example as u32]);
    block.extend([scalars.dropout_key.0, scalars.dropout_key.1, scalars.step, scalars.stamp]);
    let floats = [scalars.loss_scale, scalars.decay, scalars.step_size, scalars.bias_correction2_sqrt];
    block.extend(floats.map(f32::to_bits));
    block.resize(STEP_WORDS, 0);
    let lengths = batch.offsets.windows(2).map(|bounds| bounds[1] - bounds[0]);
    let repeat = |(example, length)| std::iter::repeat_n(example as u32, length);
    let example_ids = lengths.enumerate().flat_map(repeat).collect();
    let label = |label: &Label| match label {
        Label::Class(class) => vec![*class],
        Label::Set(indices) => bit_mask(indices, bucket.label_words),
        Label::Value(value) => vec![value.to_bits()],
    };
    let labels = batch.labels.iter().flat_map(label).collect();
    let offsets = batch.offsets.iter().map(|offset| *offset as u32).collect();
    let sections: [&Vec<u32>; 10] = [
        &batch.ids,
        &batch.type_ids,
        positions,
        &example_ids,
        tokens_by_row,
        rows,
        row_starts,
        &offsets,
        &labels,
        &tiles,
    ];
    for (section, length) in sections.into_iter().zip(Input::section_lengths(bucket)) {
        let end = block.len() + length;
        block.extend(section);
        assert!(block.len() <= end, "the batch is larger than its bucket");
        block.resize(end, 0);
    }
    block
}

/// The bits `indices` in `words` words, the lowest bit first.
fn bit_mask(indices: &[u32], words: usize) -> Vec<u32> {
    let mut mask = vec![0; words];
    for index in indices {
        mask[(index / u32::BITS) as usize] |= 1 << (index % u32::BITS);
    }
    mask
}

/// The rows of the word and position embeddings that a batch uses.
#[derive(Debug)]
pub(super) struct EmbeddingRows {
    /// As in [`Input`].
    pub(super) positions: Vec<u32>,
    /// The tokens of each row that gets a gradient. The rows of positions follow those of words, as in
    /// [`Layout`](super::layout::Layout).
    pub(super) sorted: SortedTokens,
}

impl EmbeddingRows {
    /// The rows of `batch`.
    pub(super) fn of(config: &ModelConfig, batch: &Batch) -> Self {
        let positions = positions(config, batch);
        let has_positions = config.position_rows > 0;
        let first = config.vocab_size as u32;
        let with_gradient = |row: &u32, padding: Option<u32>| Some(*row) != padding;
        let of_words = batch.ids.iter().zip(0..).filter(|(id, _)| with_gradient(id, config.padding_id));
        let padding = padding_position(config).filter(|_| has_positions);
        let of_positions =
            positions.iter().zip(0..).filter(|(row, _)| has_positions && with_gradient(row, padding));
        let words = of_words.map(|(id, token)| (*id, token));
        let sorted = SortedTokens::of(words.chain(of_positions.map(|(row, token)| (first + row, token))));
        EmbeddingRows { positions, sorted }
    }
}

/// Tokens of a batch, grouped by the rows of an embedding that they use.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::nn) struct SortedTokens {
    /// The distinct rows, in order.
    pub(in crate::nn) rows: Vec<u32>,
    /// First index into `tokens_by_row` of each of them, and the length of that: (rows + 1)
    pub(in crate::nn) row_starts: Vec<u32>,
    /// Tokens by row, then by their number.
    pub(in crate::nn) tokens_by_row: Vec<u32>,
}

impl SortedTokens {
    /// Sorts pairs of a row and a token that uses it. Tokens of the same row must be in order.
    pub(in crate::nn) fn of(pairs: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut pairs: Vec<(u32, u32)> = pairs.collect();
        pairs.sort_by_key(|(row, _)| *row);
        let (mut rows, mut row_starts) = (Vec::new(), Vec::new());
        for (index, (row, _)) in pairs.iter().enumerate() {
            if rows.last() != Some(row) {
                rows.push(*row);
                row_starts.push(index as u32);
            }
        }
        row_starts.push(pairs.len() as u32);
        SortedTokens { rows, row_starts, tokens_by_row: pairs.into_iter().map(|(_, token)| token).collect() }
    }
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
    fn buckets_are_few_with_little_padding() {
        let mut found = std::collections::BTreeSet::new();
        let mut smaller = Bucket::with_size(1, 1, 2);
        for tokens in 1..=8192 {
            let bucket = Bucket::of(&batch(&[tokens]), 2);
            let padding = bucket.tokens - tokens;
            assert!(padding < 32 || padding * 8 < tokens, "{tokens} tokens in {bucket:?}");
            assert!(bucket.contains(smaller), "{bucket:?} is smaller than {smaller:?}");
            smaller = bucket;
            found.insert(bucket.tokens);
        }
        assert!(found.len() < 80, "{} buckets", found.len());
        let bucket = Bucket::of(&batch(&[3; 33]), 32);
        assert_eq!((bucket.tokens, bucket.examples, bucket.label_words), (128, 40, 1));
        let larger = bucket.union(Bucket { tokens: 64, examples: 48, label_words: 2 });
        assert!(larger.contains(bucket) && !bucket.contains(larger) && larger.examples == 48);
        assert_eq!(larger.label_words, 2);
    }

    #[test]
    fn number_of_tiles_is_within_bound_of_bucket() {
        for lengths in [vec![1; 40], vec![17; 9], vec![512, 1, 16, 33], vec![1]] {
            let batch = batch(&lengths);
            let found = tiles(&batch.offsets);
            assert!(found.len() <= Bucket::of(&batch, 2).tiles(), "{lengths:?}");
            let rows: usize = lengths.iter().map(|length| length.div_ceil(TILE)).sum();
            assert_eq!(found.len(), rows);
            assert_eq!(found.last().map(|code| code >> 16), Some(lengths.len() as u32 - 1));
        }
    }

    #[test]
    fn tokens_are_sorted_by_row_stably() {
        let expected = SortedTokens {
            rows: vec![3, 7, 9],
            row_starts: vec![0, 2, 4, 5],
            tokens_by_row: vec![1, 4, 0, 2, 3],
        };
        assert_eq!(SortedTokens::of([7, 3, 7, 9, 3].into_iter().zip(0..)), expected);
    }

    #[test]
    fn padding_has_no_rows_with_a_gradient() {
        let config = r#"{"model_type": "roberta", "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 12, "type_vocab_size": 1}"#;
        let config = ModelConfig::parse("m", config.as_bytes()).expect("a configuration");
        let examples = [vec![5, 1, 7], vec![5]];
        let encoded = |ids: Vec<u32>| Encoded { type_ids: vec![0; ids.len()], ids, label: None };
        let EmbeddingRows { positions, sorted } =
            EmbeddingRows::of(&config, &Batch::new(&examples.map(encoded)));
        assert_eq!(positions, [2, 1, 3, 2]);
        let expected = SortedTokens {
            rows: vec![5, 7, 22, 23],
            row_starts: vec![0, 2, 3, 5, 6],
            tokens_by_row: vec![0, 3, 2, 0, 3, 2],
        };
        assert_eq!(sorted, expected);
    }

    /// Rows of a model whose positions are 0, 1, ….
    fn rows_of(batch: &Batch) -> EmbeddingRows {
        let positions =
            batch.offsets.windows(2).flat_map(|bounds| 0..(bounds[1] - bounds[0]) as u32).collect();
        EmbeddingRows { positions, sorted: SortedTokens::of(batch.ids.iter().copied().zip(0..)) }
    }

    #[test]
    fn pack_writes_sections_where_input_expects_them() {
        let batch = batch(&[2, 3]);
        let bucket = Bucket::of(&batch, 2);
        let block = pack(
            bucket,
            &batch,
            &rows_of(&batch),
            StepScalars { step: 9, loss_scale: 0.5, ..StepScalars::default() },
        );
        assert_eq!(block.len(), Input::len(bucket));
        // The block starts at byte 256.
        let input = Input::new(bucket, DeviceSlice::new(256, block.len()));
        let words = |section: DeviceSlice<u32>, count: usize| {
            let first = (section.address() as usize - 256) / 4;
            block[first..first + count].to_vec()
        };
        assert_eq!(words(input.token_count(), 1), [5]);
        assert_eq!(words(input.example_count(), 1), [2]);
        assert_eq!(words(input.step, 11)[8..], [9, 0, 0.5f32.to_bits()]);
        assert_eq!(words(input.ids, 5), [0, 2, 0, 2, 4]);
        assert_eq!(words(input.positions, 5), [0, 1, 0, 1, 2]);
        assert_eq!(words(input.example_ids, 5), [0, 0, 1, 1, 1]);
        assert_eq!(words(input.offsets, 3), [0, 2, 5]);
        assert_eq!(words(input.labels, 2), [1, 1]);
        assert_eq!(words(input.tiles, 2), [0, 1 << 16]);
        let values = Batch { labels: vec![Label::Value(2.5), Label::Value(-0.5)], ..batch };
        let block = pack(bucket, &values, &rows_of(&values), StepScalars::default());
        let first = (input.labels.address() as usize - 256) / 4;
        assert_eq!(block[first..first + 2], [2.5f32.to_bits(), (-0.5f32).to_bits()]);
        let sets = Batch { labels: vec![Label::set([0, 33]), Label::set([2])], ..values };
        let bucket = Bucket::of(&sets, 40);
        let block = pack(bucket, &sets, &rows_of(&sets), StepScalars::default());
        let input = Input::new(bucket, DeviceSlice::new(256, block.len()));
        let first = (input.labels.address() as usize - 256) / 4;
        assert_eq!(block[first..first + 4], [1, 1 << 1, 1 << 2, 0]);
    }
}
