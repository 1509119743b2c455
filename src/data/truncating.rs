//! A tokenizer with truncation.
//!
//! The `tokenizers` crate would stop to tokenize a text at the maximum length of the row. That changes which text of a
//! pair is the longer one, and so where a pair is truncated, so that texts are tokenized as a whole here.

use super::dataset::Example;
use crate::batch::Encoded;
use tokenizers::{
    Encoding, PostProcessor, PostProcessorWrapper, Result, Token, Tokenizer, TruncationDirection,
    TruncationParams, TruncationStrategy, truncate_encodings,
};

/// A tokenizer with truncation.
pub(super) struct TruncatingTokenizer {
    /// The tokenizer without truncation, padding and special tokens around texts.
    pub(super) inner: Tokenizer,
    /// Adds the special tokens around texts.
    post_processor: PostProcessorWrapper,
    pub(super) truncation: TruncationParams,
}

impl TruncatingTokenizer {
    /// Truncates rows to `max_length` tokens, special tokens included: the longer text of a pair first.
    ///
    /// # Errors
    /// The special tokens are more than `max_length`.
    pub(super) fn new(
        mut inner: Tokenizer,
        max_length: usize,
        direction: TruncationDirection,
    ) -> std::result::Result<Self, String> {
        let truncation =
            TruncationParams { max_length, strategy: TruncationStrategy::LongestFirst, stride: 0, direction };
        let unusable = || "the tokenizer cannot be used: it adds no special tokens".to_string();
        let post_processor = inner.get_post_processor().cloned().ok_or_else(unusable)?;
        inner.with_post_processor(None::<PostProcessorWrapper>);
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| format!("the tokenizer cannot be used: {e}"))?;
        check_texts(&post_processor)?;
        let special = post_processor.added_tokens(false).max(post_processor.added_tokens(true));
        if max_length < special {
            return Err(format!(
                "model_max_length in tokenizer_config.json is {max_length}, less than the {special} special tokens of \
                 an input; set it to the number of tokens that the model takes"
            ));
        }
        Ok(TruncatingTokenizer { inner, post_processor, truncation })
    }

    /// The tokenizer with truncation and special tokens.
    ///
    /// # Errors
    /// The tokenizer does not support the truncation.
    pub(super) fn to_tokenizer(&self) -> Result<Tokenizer> {
        let mut tokenizer = self.inner.clone();
        tokenizer.with_post_processor(Some(self.post_processor.clone()));
        tokenizer.with_truncation(Some(self.truncation.clone()))?;
        Ok(tokenizer)
    }

    /// The number of special tokens that are added to a single text or to a pair.
    fn special_tokens(&self, is_pair: bool) -> usize {
        self.post_processor.added_tokens(is_pair)
    }

    /// Encodes a row with special tokens and without offsets. The flag says whether it was truncated.
    pub(super) fn encode(&self, row: &Example) -> Result<(Encoded, bool)> {
        let encode = |text: &str| self.inner.encode_fast(text, false);
        let texts = (encode(&row.text)?, row.text_pair.as_deref().map(encode).transpose()?);
        let (encoding, is_truncated) = self.join(texts)?;
        Ok((to_encoded(row, &encoding), is_truncated))
    }

    /// Encodes a row with special tokens and offsets.
    pub(super) fn encode_with_offsets(&self, row: &Example) -> Result<Encoding> {
        let encode = |text: &str| self.inner.encode(text, false);
        let texts = (encode(&row.text)?, row.text_pair.as_deref().map(encode).transpose()?);
        Ok(self.join(texts)?.0)
    }

    /// The number of tokens of a row without truncation, special tokens included.
    pub(super) fn count(&self, row: &Example) -> Result<usize> {
        let count = |text: &str| self.inner.encode_fast(text, false).map(|encoding| encoding.len());
        let second = row.text_pair.as_deref().map(count).transpose()?;
        Ok(count(&row.text)? + second.unwrap_or(0) + self.special_tokens(second.is_some()))
    }

    /// Truncates the tokens of the texts of a row and adds special tokens.
    fn join(&self, (first, second): (Encoding, Option<Encoding>)) -> Result<(Encoding, bool)> {
        let max_length = self.truncation.max_length.saturating_sub(self.special_tokens(second.is_some()));
        let truncation = TruncationParams { max_length, ..self.truncation.clone() };
        let (mut first, mut second) = truncate_encodings(first, second, &truncation)?;
        // The rest of the texts would be combined with each other.
        let mut is_truncated = !first.take_overflowing().is_empty();
        if let Some(second) = &mut second {
            is_truncated |= !second.take_overflowing().is_empty();
        }
        Ok((self.post_processor.process(first, second, true)?, is_truncated))
    }
}

/// Checks that each text is in its input once, since only then the special tokens are all that is added to it. In a template,
/// a special token such as `$` or `$A` stands for the first text.
fn check_texts(post_processor: &PostProcessorWrapper) -> std::result::Result<(), String> {
    for is_pair in [false, true] {
        let text = || Encoding::from_tokens(vec![Token::new(0, "a".into(), (0, 1))], 0);
        let texts = 1 + usize::from(is_pair);
        let input = post_processor.process(text(), is_pair.then(text), true);
        let length = input.map_err(|e| format!("the tokenizer cannot be used: {e}"))?.len();
        if length != texts + post_processor.added_tokens(is_pair) {
            return Err(
                "the tokenizer cannot be used: its special tokens do not stand around each text; check \
                        post_processor in tokenizer.json, and whether cls_token or sep_token begins with `$`"
                    .into(),
            );
        }
    }
    Ok(())
}

/// The token ids of an encoded row.
pub(super) fn to_encoded(row: &Example, encoding: &Encoding) -> Encoded {
    Encoded {
        ids: encoding.get_ids().to_vec(),
        type_ids: encoding.get_type_ids().to_vec(),
        label: row.label.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::processors::bert::BertProcessing;
    use tokenizers::processors::template::TemplateProcessing;

    #[test]
    fn each_text_is_in_its_input_once() {
        let template = |single: &str, pair: &str| {
            let mut builder = TemplateProcessing::builder();
            builder.try_single(single).unwrap().try_pair(pair).unwrap();
            check_texts(&builder.special_tokens(vec![("x", 1)]).build().unwrap().into())
        };
        assert_eq!(template("x $A x", "x $A x $B:1 x:1"), Ok(()));
        assert_eq!(template("$A", "$A $B"), Ok(()));
        assert_eq!(check_texts(&BertProcessing::new(("x".into(), 1), ("y".into(), 2)).into()), Ok(()));
        for (single, pair) in [("$ $A x", "$A $B"), ("x", "$A $B"), ("$A", "$A $B $A x")] {
            let error = template(single, pair).unwrap_err();
            assert!(error.contains("`$`"), "{single}, {pair}: {error}");
        }
    }
}
