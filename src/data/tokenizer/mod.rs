//! The tokenizer of a model. Token ids equal those of `AutoTokenizer` in Transformers 5; `tests/reference` has its version.

mod build;
mod class;
mod encode;
mod load;
mod save;
mod settings;
mod token;

pub use encode::{Tokenized, Tokenizer, WordEncoding, WordSpan};
