//! Writing of the tokenizer files of an exported model.

use super::encode::Tokenizer;
use super::load::{FILES, SPECIAL_TOKENS};
use crate::error::{Error, Result};
use serde_json::{Value, json};
use std::path::Path;

impl Tokenizer {
    /// Writes the tokenizer files into `folder` in the layout of Transformers' `AutoTokenizer`. Files of the original
    /// model are copied, the others are generated.
    ///
    /// # Errors
    /// [`Error::Write`] with the file at fault.
    pub fn save(&self, folder: &Path) -> Result<()> {
        for name in FILES {
            let original = self.files.iter().find(|(file, _)| *file == name).map(|(_, bytes)| bytes.to_vec());
            let Some(bytes) = original.map_or_else(|| self.generate(name), |bytes| Ok(Some(bytes)))? else {
                continue;
            };
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(Error::writing(&path))?;
        }
        Ok(())
    }

    /// The content of a file that the model does not have, or `None` if the file is not needed.
    fn generate(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let pretty = |value: &Value| Ok(Some(format!("{value:#}\n").into_bytes()));
        match name {
            "tokenizer.json" => {
                let mut tokenizer = self.inner.clone();
                tokenizer
                    .with_truncation(None)
                    .and_then(|tokenizer| tokenizer.to_string(true))
                    .map(|text| Some(text.into_bytes()))
                    .map_err(|e| Error::Training(format!("tokenizer.json cannot be written: {e}")))
            }
            "tokenizer_config.json" => {
                let class = if self.is_distilbert { "DistilBertTokenizer" } else { "BertTokenizer" };
                let mut config = serde_json::Map::from_iter([
                    ("tokenizer_class".to_string(), json!(class)),
                    ("do_lower_case".to_string(), json!(self.is_lowercase)),
                    ("model_max_length".to_string(), json!(self.max_positions)),
                ]);
                config.extend(special_tokens());
                pretty(&Value::Object(config))
            }
            "special_tokens_map.json" => pretty(&Value::Object(special_tokens().collect())),
            "vocab.txt" => {
                let mut vocab: Vec<(String, u32)> = self.inner.get_vocab(true).into_iter().collect();
                vocab.sort_unstable_by_key(|(_, id)| *id);
                // The line number is the id, so that the ids must have no gaps.
                let has_no_gaps = vocab.iter().enumerate().all(|(line, (_, id))| line == *id as usize);
                Ok(has_no_gaps.then(|| {
                    vocab.into_iter().map(|(token, _)| token + "\n").collect::<String>().into_bytes()
                }))
            }
            _ => Ok(None),
        }
    }
}

/// The special tokens as entries of a JSON object.
fn special_tokens() -> impl Iterator<Item = (String, Value)> {
    SPECIAL_TOKENS.iter().map(|(key, token)| ((*key).to_string(), json!(token)))
}
