//! Batches of token ids without padding: the output of `data` and the input of an engine.
//!
//! A batch concatenates the tokens of its examples and stores the offset of each example. An engine that needs a
//! rectangular layout pads on its own.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The label of an example. All labels of a dataset are of the same kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Label {
    /// The index of a class.
    Class(u32),
    /// The indices of the labels of an example of a multi-label classification, ascending; empty if it has none.
    Set(Arc<[u32]>),
    /// A regression target.
    Value(f32),
}

impl Label {
    /// A set of labels, from indices in any order and possibly repeated.
    pub fn set(indices: impl IntoIterator<Item = u32>) -> Self {
        let indices: BTreeSet<u32> = indices.into_iter().collect();
        Label::Set(indices.into_iter().collect())
    }

    /// The indices of the classes or labels that apply: a single one of a class, none of a regression target.
    pub fn indices(&self) -> &[u32] {
        match self {
            Label::Class(class) => std::slice::from_ref(class),
            Label::Set(indices) => indices,
            Label::Value(_) => &[],
        }
    }

    /// The index of a class; `None` for the other kinds.
    pub fn class(&self) -> Option<u32> {
        match self {
            Label::Class(class) => Some(*class),
            Label::Set(_) | Label::Value(_) => None,
        }
    }

    /// A regression target; `None` for the other kinds.
    pub fn value(&self) -> Option<f32> {
        match self {
            Label::Value(value) => Some(*value),
            Label::Class(_) | Label::Set(_) => None,
        }
    }
}

/// One example as token ids.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Encoded {
    /// Token ids, special tokens included.
    pub ids: Vec<u32>,
    /// Segment of each token: 0 for the first text, 1 for the second.
    pub type_ids: Vec<u32>,
    /// The label, if known.
    pub label: Option<Label>,
}

/// Examples that are processed together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Token ids of all examples, concatenated: (tokens).
    pub ids: Vec<u32>,
    /// Segment of each token: (tokens).
    pub type_ids: Vec<u32>,
    /// The start of each example in `ids`, and the end of the last: (examples + 1).
    pub offsets: Vec<usize>,
    /// Label of each example: (examples). Empty if any example has no label.
    pub labels: Vec<Label>,
    /// Logits of a teacher for the same examples: (examples, labels), row by row. Empty without a teacher.
    pub teacher_logits: Vec<f32>,
    /// If this is a micro-batch, the number of tokens of the whole batch before it; otherwise 0. It numbers the
    /// dropout masks, so that a batch draws the same masks whole and in micro-batches.
    pub first_token: usize,
    /// If this is a micro-batch, the number of examples of the whole batch before it; otherwise 0.
    pub first_example: usize,
}

impl Batch {
    /// Concatenates `examples` in their order.
    pub fn new<'a>(examples: impl IntoIterator<Item = &'a Encoded>) -> Self {
        let mut batch = Batch { offsets: vec![0], ..Batch::default() };
        let mut is_labeled = true;
        for example in examples {
            batch.ids.extend(&example.ids);
            batch.type_ids.extend(&example.type_ids);
            batch.offsets.push(batch.ids.len());
            match &example.label {
                Some(label) => batch.labels.push(label.clone()),
                None => is_labeled = false,
            }
        }
        if !is_labeled {
            batch.labels.clear();
        }
        batch
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether the batch has no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of tokens over all examples.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Number of tokens of the longest example; 0 without examples.
    pub fn longest(&self) -> usize {
        self.offsets.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0)
    }

    /// Splits the batch in order into micro-batches of at most `max_examples` examples and `max_tokens` tokens. An
    /// example longer than `max_tokens` is a micro-batch of its own. Limits of 0 count as 1.
    pub fn micro_batches(&self, max_examples: usize, max_tokens: usize) -> Vec<Batch> {
        let mut parts = Vec::new();
        let mut first = 0;
        while first < self.len() {
            let mut end = first + 1;
            while end < self.len()
                && end - first < max_examples
                && self.offsets[end + 1] - self.offsets[first] <= max_tokens
            {
                end += 1;
            }
            parts.push(self.slice(first, end));
            first = end;
        }
        parts
    }

    /// Splits the batch in order into at most `count` micro-batches with nearly equal numbers of tokens.
    pub fn split_by_tokens(&self, count: usize) -> Vec<Batch> {
        let mut parts = Vec::new();
        let mut first = 0;
        for number in 1..=count {
            let target = self.tokens() * number / count;
            let distance = |end: usize| self.offsets[end].abs_diff(target);
            let mut end = first;
            while end < self.len() && (number == count || distance(end + 1) <= distance(end)) {
                end += 1;
            }
            if end > first {
                parts.push(self.slice(first, end));
                first = end;
            }
        }
        parts
    }

    /// The examples `first..end` as a micro-batch.
    fn slice(&self, first: usize, end: usize) -> Batch {
        let (from, to) = (self.offsets[first], self.offsets[end]);
        Batch {
            ids: self.ids[from..to].to_vec(),
            type_ids: self.type_ids[from..to].to_vec(),
            offsets: self.offsets[first..=end].iter().map(|offset| offset - from).collect(),
            labels: if self.labels.is_empty() { Vec::new() } else { self.labels[first..end].to_vec() },
            teacher_logits: {
                let outputs = self.teacher_logits.len() / self.len();
                self.teacher_logits[first * outputs..end * outputs].to_vec()
            },
            first_token: self.first_token + from,
            first_example: self.first_example + first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(length: u32, label: Option<u32>) -> Encoded {
        let label = label.map(Label::Class);
        Encoded { ids: (0..length).collect(), type_ids: vec![0; length as usize], label }
    }

    #[test]
    fn micro_batches_keep_order_and_offsets() {
        let examples = [3, 5, 2, 9, 1].map(|n| example(n, Some(n % 2)));
        let batch = Batch::new(&examples);
        assert_eq!((batch.len(), batch.tokens(), batch.longest()), (5, 20, 9));
        let micro_batches = batch.micro_batches(2, 8);
        let shape: Vec<_> =
            micro_batches.iter().map(|p| (p.len(), p.tokens(), p.first_token, p.first_example)).collect();
        assert_eq!(shape, [(2, 8, 0, 0), (1, 2, 8, 2), (1, 9, 10, 3), (1, 1, 19, 4)]);
        let ids: Vec<u32> = micro_batches.iter().flat_map(|p| p.ids.clone()).collect();
        assert_eq!(ids, batch.ids);
        assert_eq!(micro_batches.iter().flat_map(|p| p.labels.clone()).collect::<Vec<_>>(), batch.labels);
    }

    #[test]
    fn split_by_tokens_is_even_and_complete() {
        let lengths = [9, 1, 1, 1, 4, 4, 30, 2];
        let examples: Vec<_> = lengths.iter().map(|n| example(*n, Some(0))).collect();
        let batch = Batch::new(&examples);
        for count in 1..10 {
            let shares = batch.split_by_tokens(count);
            assert!(shares.len() <= count && shares.iter().all(|share| !share.is_empty()));
            let ids: Vec<u32> = shares.iter().flat_map(|share| share.ids.clone()).collect();
            assert_eq!(ids, batch.ids);
            let firsts = shares.iter().scan(0, |sum, share| {
                let first = *sum;
                *sum += share.tokens();
                Some(first)
            });
            assert!(shares.iter().zip(firsts).all(|(share, first)| share.first_token == first));
        }
        let tokens: Vec<usize> = batch.split_by_tokens(2).iter().map(Batch::tokens).collect();
        assert_eq!(tokens, [20, 32]);
        assert_eq!(Batch::new(&examples[..1]).split_by_tokens(4).len(), 1);
    }

    #[test]
    fn a_set_is_ascending_without_repetitions() {
        assert_eq!(Label::set([4, 1, 4]), Label::Set([1, 4].into()));
        assert_eq!((Label::set([]).indices(), Label::Class(3).indices()), (&[][..], &[3][..]));
        assert_eq!(
            (Label::Class(3).class(), Label::Value(0.5).value(), Label::set([3]).class()),
            (Some(3), Some(0.5), None)
        );
    }

    #[test]
    fn one_missing_label_clears_all_labels() {
        let batch = Batch::new(&[example(2, Some(1)), example(2, None)]);
        assert!(batch.labels.is_empty());
        assert_eq!(batch.len(), 2);
    }
}
