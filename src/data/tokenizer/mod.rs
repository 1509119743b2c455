//! The tokenizer of a model. Token ids equal those of `AutoTokenizer` in Transformers 5; `tests/reference` has its version.

mod bpe;
mod build;
mod charsmap;
mod class;
mod components;
mod encode;
mod load;
mod protobuf;
mod save;
mod sentencepiece;
mod sentencepiece_backend;
mod settings;
mod token;
mod unigram;
mod words;

pub use encode::{Tokenized, Tokenizer};
pub use words::{WordEncoding, WordSpan};
