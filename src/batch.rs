//! What the data room makes and an engine eats: token ids without padding.
//!
//! A batch is its examples' real tokens one after the other, with offsets. No engine-specific
//! layout appears here; one that needs a rectangle pads inside.

/// What an example is labelled with. All examples of a data set are labelled in the same way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Label {
    /// One of several classes, by its index.
    Class(u32),
    /// A number that is to be told: the task is a regression.
    Value(f32),
}

impl Label {
    /// The label as one number; classes are few, so that each is exact.
    pub fn number(self) -> f32 {
        match self {
            Label::Class(class) => class as f32,
            Label::Value(value) => value,
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
    /// The label, where it is known.
    pub label: Option<Label>,
}

/// Examples that are worked on together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Token ids of all examples, concatenated: (tokens).
    pub ids: Vec<u32>,
    /// Segment of each token: (tokens).
    pub type_ids: Vec<u32>,
    /// Where each example begins in `ids`, and the end of the last: (examples + 1).
    pub offsets: Vec<usize>,
    /// Label of each example, or empty when any example has none: (examples).
    pub labels: Vec<Label>,
    /// Tokens that precede these in the batch that this is a part of. Dropout masks are
    /// numbered by it, so that a batch done in parts draws the same masks as the whole.
    pub first_token: usize,
    /// Examples that precede these in the batch that this is a part of.
    pub first_example: usize,
}

impl Batch {
    /// Concatenates `examples`, in their order.
    pub fn new<'a>(examples: impl IntoIterator<Item = &'a Encoded>) -> Self {
        let mut batch = Batch { offsets: vec![0], ..Batch::default() };
        let mut labelled = true;
        for example in examples {
            batch.ids.extend(&example.ids);
            batch.type_ids.extend(&example.type_ids);
            batch.offsets.push(batch.ids.len());
            match example.label {
                Some(label) => batch.labels.push(label),
                None => labelled = false,
            }
        }
        if !labelled {
            batch.labels.clear();
        }
        batch
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of tokens over all examples.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Tokens of the longest example.
    pub fn longest(&self) -> usize {
        self.offsets.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0)
    }

    /// Cuts the batch, in order, into parts of at most `max_examples` examples and `max_tokens`
    /// tokens; an example longer than `max_tokens` is a part alone. Both limits are at least one.
    pub fn parts(&self, max_examples: usize, max_tokens: usize) -> Vec<Batch> {
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
            parts.push(self.part(first, end));
            first = end;
        }
        parts
    }

    /// Cuts the batch, in order, into at most `count` parts of nearly the same number of tokens.
    pub fn shares(&self, count: usize) -> Vec<Batch> {
        let mut parts = Vec::new();
        let mut first = 0;
        for number in 1..=count {
            let goal = self.tokens() * number / count;
            let is_near = |end: usize| self.offsets[end].abs_diff(goal);
            let mut end = first;
            while end < self.len() && (number == count || is_near(end + 1) <= is_near(end)) {
                end += 1;
            }
            if end > first {
                parts.push(self.part(first, end));
                first = end;
            }
        }
        parts
    }

    /// Examples `first..end` as a batch of their own.
    fn part(&self, first: usize, end: usize) -> Batch {
        let (from, to) = (self.offsets[first], self.offsets[end]);
        Batch {
            ids: self.ids[from..to].to_vec(),
            type_ids: self.type_ids[from..to].to_vec(),
            offsets: self.offsets[first..=end].iter().map(|offset| offset - from).collect(),
            labels: if self.labels.is_empty() { Vec::new() } else { self.labels[first..end].to_vec() },
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
    fn parts_keep_order_and_places() {
        let examples = [3, 5, 2, 9, 1].map(|n| example(n, Some(n % 2)));
        let batch = Batch::new(&examples);
        assert_eq!((batch.len(), batch.tokens(), batch.longest()), (5, 20, 9));
        let parts = batch.parts(2, 8);
        let shape: Vec<_> =
            parts.iter().map(|p| (p.len(), p.tokens(), p.first_token, p.first_example)).collect();
        assert_eq!(shape, [(2, 8, 0, 0), (1, 2, 8, 2), (1, 9, 10, 3), (1, 1, 19, 4)]);
        let ids: Vec<u32> = parts.iter().flat_map(|p| p.ids.clone()).collect();
        assert_eq!(ids, batch.ids);
        assert_eq!(parts.iter().flat_map(|p| p.labels.clone()).collect::<Vec<_>>(), batch.labels);
    }

    #[test]
    fn shares_are_even_and_whole() {
        let lengths = [9, 1, 1, 1, 4, 4, 30, 2];
        let examples: Vec<_> = lengths.iter().map(|n| example(*n, Some(0))).collect();
        let batch = Batch::new(&examples);
        for count in 1..10 {
            let shares = batch.shares(count);
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
        let tokens: Vec<usize> = batch.shares(2).iter().map(Batch::tokens).collect();
        assert_eq!(tokens, [20, 32]);
        assert_eq!(Batch::new(&examples[..1]).shares(4).len(), 1);
    }

    #[test]
    fn one_missing_label_leaves_none() {
        let batch = Batch::new(&[example(2, Some(1)), example(2, None)]);
        assert!(batch.labels.is_empty());
        assert_eq!(batch.len(), 2);
    }
}
