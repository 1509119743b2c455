//! The tokenizer of a model.

mod encode;
mod load;
mod save;

pub use encode::{Tokenized, Tokenizer, WordEncoding, WordSpan};
