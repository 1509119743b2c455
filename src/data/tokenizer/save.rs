//! Writing of the tokenizer files of a saved model.

use super::class::TokenizerClass;
use super::encode::Tokenizer;
use super::settings::NAMED;
use super::token::to_json;
use crate::error::{Error, Result};
use serde_json::{Map, Value, json};
use std::path::Path;
use tokenizers::{ModelWrapper, TruncationDirection};

impl Tokenizer {
    /// Writes the tokenizer files into `folder`, from which Transformers 4 and 5 load a tokenizer with the same ids, the
    /// same maximum length and the same side of truncation. Each file has everything: a reader of tokenizer.json alone
    /// and a reader of vocab.txt and tokenizer_config.json find the same tokens.
    ///
    /// # Errors
    /// [`Error::Write`] with the file at fault.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(Error::writing(&path))
        };
        let json = self.inner.to_tokenizer().and_then(|tokenizer| tokenizer.to_string(true));
        let json = json.map_err(|e| Error::Training(format!("tokenizer.json cannot be written: {e}")))?;
        write("tokenizer.json", json.as_bytes())?;
        let pretty = |value: Map<String, Value>| format!("{:#}\n", Value::Object(value)).into_bytes();
        write("tokenizer_config.json", &pretty(self.config_to_save()))?;
        write("special_tokens_map.json", &pretty(self.special_tokens()))?;
        match self.vocab_txt.clone().or_else(|| self.vocab_lines()) {
            Some(lines) => write("vocab.txt", &lines),
            None => Ok(()),
        }
    }

    /// tokenizer_config.json of the model with everything that was found in other files or chosen for the run.
    fn config_to_save(&self) -> Map<String, Value> {
        let mut config = self.original_config.clone();
        for key in
            ["max_len", "additional_special_tokens", "extra_special_tokens", "model_specific_special_tokens"]
        {
            config.shift_remove(key);
        }
        let mut set = |key: &str, value: Value| config.insert(key.into(), value);
        set("tokenizer_class", json!(self.class_name));
        if self.class.is_word_piece() {
            set("do_lower_case", json!(self.settings.do_lower_case));
            set("strip_accents", json!(self.settings.strip_accents));
            set("tokenize_chinese_chars", json!(self.settings.tokenize_chinese_chars));
        }
        if self.class == TokenizerClass::Albert {
            set("do_lower_case", json!(self.settings.do_lower_case));
            set("keep_accents", json!(self.settings.keep_accents));
        }
        if self.class == TokenizerClass::DebertaV2 {
            set("do_lower_case", json!(self.settings.do_lower_case));
            set("split_by_punct", json!(self.settings.split_by_punct));
            set("unk_id", json!(self.settings.unk_id));
        }
        if self.class.add_prefix_space().is_some() {
            set("add_prefix_space", json!(self.settings.add_prefix_space));
        }
        set("model_max_length", json!(self.max_length()));
        set("truncation_side", json!(self.truncation_side()));
        let mut added: Vec<_> = self.inner.inner.get_added_tokens_decoder().into_iter().collect();
        added.sort_unstable_by_key(|(id, _)| *id);
        let added: Map<String, Value> =
            added.iter().map(|(id, token)| (id.to_string(), to_json(token))).collect();
        set("added_tokens_decoder", added.into());
        for (key, _) in self.settings.named.iter().filter(|(_, token)| token.is_none()) {
            // A class has a default for a name that is missing.
            if self.class.special_tokens().iter().any(|(name, _)| name == key) {
                set(key, Value::Null);
            }
        }
        let specific: Map<String, Value> =
            self.named_tokens().filter(|(name, _)| !NAMED.contains(&name.as_str())).collect();
        config.retain(|key, _| !specific.contains_key(key));
        if !specific.is_empty() {
            config.insert("extra_special_tokens".into(), specific.into());
        }
        config.extend(self.special_tokens());
        config
    }

    /// The names of special tokens and their texts.
    fn named_tokens(&self) -> impl Iterator<Item = (String, Value)> {
        let named = self.settings.named.iter();
        named.filter_map(|(name, token)| Some((name.clone(), json!(token.as_ref()?.content))))
    }

    /// special_tokens_map.json: the special tokens that every model has, and those without a name.
    fn special_tokens(&self) -> Map<String, Value> {
        let mut tokens: Map<String, Value> =
            self.named_tokens().filter(|(name, _)| NAMED.contains(&name.as_str())).collect();
        let extra: Vec<&str> = self.settings.extra.iter().map(|token| token.content.as_str()).collect();
        if !extra.is_empty() {
            tokens.insert("additional_special_tokens".into(), json!(extra));
        }
        tokens
    }

    /// The vocabulary without added tokens, one token per line. The line number is the id, so that there is no such file
    /// if the ids have gaps.
    fn vocab_lines(&self) -> Option<Vec<u8>> {
        if !matches!(self.inner.inner.get_model(), ModelWrapper::WordPiece(_)) {
            return None;
        }
        let mut vocab: Vec<(String, u32)> = self.inner.inner.get_vocab(false).into_iter().collect();
        vocab.sort_unstable_by_key(|(_, id)| *id);
        let has_no_gaps = vocab.iter().enumerate().all(|(line, (_, id))| line == *id as usize);
        has_no_gaps.then(|| vocab.into_iter().map(|(token, _)| token + "\n").collect::<String>().into_bytes())
    }

    /// The end at which texts are truncated, as in tokenizer_config.json.
    fn truncation_side(&self) -> &'static str {
        match self.inner.truncation.direction {
            TruncationDirection::Left => "left",
            TruncationDirection::Right => "right",
        }
    }
}
