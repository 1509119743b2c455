//! The files of a tokenizer.

/// The names of the files that a tokenizer in the Hugging Face layout may have.
pub const TOKENIZER_FILES: [&str; 11] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
];

/// The sets of files that have a vocabulary.
pub const VOCABULARIES: [&[&str]; 7] = [
    &["tokenizer.json"],
    &["vocab.txt"],
    &["vocab.json", "merges.txt"],
    &["sentencepiece.bpe.model"],
    &["spiece.model"],
    &["spm.model"],
    &["tokenizer.model"],
];

/// Vocabularies of other programs, which are not read: those of DeBERTa, fairseq, subword-nmt and Mistral.
pub const UNSUPPORTED_VOCABULARIES: [&str; 4] = ["bpe_encoder.bin", "dict.txt", "bpe.codes", "tekken.json"];
