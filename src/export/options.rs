//! What an export writes and how it is verified.

use crate::data::TextColumns;
use crate::nn::{MAX_ONNX_BYTES, OnnxPrecision};
use crate::run::error_analysis::ThresholdTarget;
use std::path::Path;
use std::str::FromStr;

/// The format of an exported model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelFormat {
    /// The layout of Hugging Face.
    Hf,
    /// The adapters and the head, in the layout of PEFT.
    Peft,
    /// A graph for ONNX Runtime, with the files of Hugging Face beside it.
    Onnx(OnnxPrecision),
}

impl ModelFormat {
    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            ModelFormat::Hf => "hf",
            ModelFormat::Peft => "peft",
            ModelFormat::Onnx(_) => "onnx",
        }
    }

    /// The library that reads it, as the hub calls it.
    pub fn library(self) -> &'static str {
        match self {
            ModelFormat::Hf | ModelFormat::Onnx(_) => "transformers",
            ModelFormat::Peft => "peft",
        }
    }

    /// The precision of the weights.
    pub fn precision(self) -> &'static str {
        match self {
            ModelFormat::Hf | ModelFormat::Peft | ModelFormat::Onnx(OnnxPrecision::F32) => "f32",
            ModelFormat::Onnx(OnnxPrecision::Int8) => "int8",
        }
    }
}

/// What happens to an export that differs from the model by more than the tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDifference {
    /// It fails and writes nothing.
    #[default]
    Fail,
    /// It is written, and its report says so.
    Write,
}

/// A temperature that logits are divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TemperatureChoice {
    /// The one with the lowest loss on the validation rows.
    Fit,
    /// This one.
    Value(f64),
}

impl FromStr for TemperatureChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "fit" {
            return Ok(TemperatureChoice::Fit);
        }
        let value = text.parse().ok().filter(|value: &f64| value.is_finite() && *value > 0.0);
        value.map(TemperatureChoice::Value).ok_or_else(|| "expected \"fit\" or a number above 0".into())
    }
}

/// The threshold of a label, or of every label, by the target that it reaches: `spam=precision:0.95`, or `recall:0.9`.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdChoice {
    /// The label; every label if absent.
    pub label: Option<String>,
    /// What the threshold reaches on the validation rows.
    pub target: ThresholdTarget,
}

impl FromStr for ThresholdChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The name of a label may have these characters, a target does not.
        let (label, target) = match text.rsplit_once('=') {
            Some((label, target)) => (Some(label.to_owned()), target),
            None => (None, text),
        };
        let (metric, value) =
            target.split_once(':').ok_or("expected METRIC:VALUE, such as precision:0.95")?;
        let metric = metric.parse()?;
        let value = value.parse().ok().filter(|value: &f64| (0.0..=1.0).contains(value));
        let value = value.ok_or("expected a value from 0 to 1 after the colon")?;
        Ok(ThresholdChoice { label, target: ThresholdTarget { metric, value } })
    }
}

/// How a model is exported.
#[derive(Debug, Clone, Copy)]
pub struct ExportOptions<'a> {
    /// The format.
    pub format: ModelFormat,
    /// If the export differs from the model.
    pub on_difference: OnDifference,
    /// Divides the logits by a temperature.
    pub temperature: Option<TemperatureChoice>,
    /// Thresholds that are stored with the model.
    pub thresholds: &'a [ThresholdChoice],
    /// A file with texts to verify with; by default the validation rows of the run, or generated texts.
    pub input: Option<(&'a Path, TextColumns<'a>)>,
    /// Number of validation rows to verify with, drawn as by a run with this key; by default those of the run.
    pub max_eval_samples: Option<usize>,
    /// The number of bytes of tensors from which on those of an ONNX model are in a file of their own.
    pub max_onnx_bytes: u64,
}

impl ExportOptions<'_> {
    /// The export of a format with nothing else.
    pub fn of(format: ModelFormat) -> Self {
        ExportOptions {
            format,
            on_difference: OnDifference::default(),
            temperature: None,
            thresholds: &[],
            input: None,
            max_eval_samples: None,
            max_onnx_bytes: MAX_ONNX_BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::error_analysis::ThresholdMetric;

    #[test]
    fn temperatures_and_targets_are_read_or_rejected() {
        assert_eq!("fit".parse(), Ok(TemperatureChoice::Fit));
        assert_eq!("1.5".parse(), Ok(TemperatureChoice::Value(1.5)));
        for text in ["0", "-1", "inf", "NaN", "warm"] {
            assert!(text.parse::<TemperatureChoice>().is_err(), "{text}");
        }
        let target = ThresholdTarget { metric: ThresholdMetric::Precision, value: 0.95 };
        assert_eq!("precision:0.95".parse(), Ok(ThresholdChoice { label: None, target }));
        let label = Some("a=b:c".to_owned());
        assert_eq!("a=b:c=precision:0.95".parse(), Ok(ThresholdChoice { label, target }));
        for text in ["precision", "precision:2", "f1:0.5", "spam=", "precision:NaN"] {
            assert!(text.parse::<ThresholdChoice>().is_err(), "{text}");
        }
    }
}
