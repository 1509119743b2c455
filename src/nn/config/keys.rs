//! The values of a `config.json`, with errors that name the key.

use crate::error::{Error, Result};
use crate::nn::error_text::shortened;
use serde_json::{Map, Value};

/// Largest size that a configuration may have.
const MAX_SIZE: u64 = u32::MAX as u64;

/// The keys of a `config.json`.
pub(super) struct Keys<'a> {
    pub(super) model: &'a str,
    pub(super) raw: &'a Map<String, Value>,
}

impl Keys<'_> {
    pub(super) fn error(&self, problem: impl std::fmt::Display) -> Error {
        Error::model(self.model, format!("config.json: {}", shortened(&problem.to_string())))
    }

    /// The first key of `names` that is present and not null, and its value.
    pub(super) fn find<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &Value)> {
        names.iter().find_map(|name| match self.raw.get(*name) {
            None | Some(Value::Null) => None,
            Some(value) => Some((*name, value)),
        })
    }

    /// A required size, a whole number from 1.
    pub(super) fn size(&self, names: &[&str]) -> Result<usize> {
        let (name, value) =
            self.find(names).ok_or_else(|| self.error(format_args!("key {} is missing", names[0])))?;
        match value.as_u64() {
            // The limit keeps products of two sizes within 64 bits.
            Some(size @ 1..=MAX_SIZE) => Ok(size as usize),
            _ => {
                Err(self
                    .error(format_args!("{name} is {value}; expected a whole number from 1 to {MAX_SIZE}")))
            }
        }
    }

    /// A number from 0; `default` if the key is missing.
    pub(super) fn number(&self, names: &[&str], default: f64) -> Result<f64> {
        let Some((name, value)) = self.find(names) else { return Ok(default) };
        match value.as_f64() {
            Some(number) if number.is_finite() && number >= 0.0 => Ok(number),
            _ => Err(self.error(format_args!("{name} is {value}; expected a number from 0"))),
        }
    }

    /// A dropout rate; `default` if the key is missing.
    pub(super) fn rate(&self, names: &[&str], default: f64) -> Result<f64> {
        let rate = self.number(names, default)?;
        if rate < 1.0 {
            Ok(rate)
        } else {
            Err(self.error(format_args!("{} is {rate}; expected a number from 0 to below 1", names[0])))
        }
    }

    /// A size with a default.
    pub(super) fn size_or(&self, name: &str, default: usize) -> Result<usize> {
        if self.find(&[name]).is_some() { self.size(&[name]) } else { Ok(default) }
    }

    /// Whether something applies; `false` if the key is missing.
    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        self.flag_or(name, false)
    }

    /// A flag with a default.
    pub(super) fn flag_or(&self, name: &str, default: bool) -> Result<bool> {
        match self.find(&[name]) {
            None => Ok(default),
            Some((_, Value::Bool(value))) => Ok(*value),
            Some((_, value)) => Err(self.error(format_args!("{name} is {value}; expected true or false"))),
        }
    }
}
