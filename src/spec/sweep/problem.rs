//! What is wrong with a sweep.

use crate::error::Error;
use std::fmt;

/// Why values are not those of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepProblem {
    /// The key to change, one of an experiment or of [`sweep_keys`]; `None` for the sweep as a whole.
    pub key: Option<&'static str>,
    /// A sentence without the name of the key.
    pub message: String,
}

impl SweepProblem {
    pub(in crate::spec) fn at(key: &'static str, message: impl Into<String>) -> SweepProblem {
        SweepProblem { key: Some(key), message: message.into() }
    }

    /// A key that says how to sweep, where no key is swept.
    pub(in crate::spec) fn without_swept_key(key: &'static str) -> SweepProblem {
        let message =
            "no key has several values, as in learning_rate = [1e-5, 2e-5]; add a list, or remove this key";
        SweepProblem::at(key, message)
    }

    /// All problems of `subject`, such as `the sweep tune`, as one error.
    pub(crate) fn error(subject: &str, problems: &[SweepProblem]) -> Error {
        let problems: Vec<String> = problems.iter().map(SweepProblem::to_string).collect();
        Error::Usage(format!("{subject}: {}", problems.join("; ")))
    }
}

impl fmt::Display for SweepProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            Some(key) => write!(f, "`{key}`: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
