//! The tokenizer of a model. Token ids equal those of `AutoTokenizer` in Transformers 5; `tests/reference` has its version.

mod bpe;
mod build;
mod class;
mod components;
mod encode;
mod load;
mod save;
mod sentencepiece;
mod settings;
mod token;
mod unigram;

pub use encode::{Tokenized, Tokenizer, WordEncoding, WordSpan};
