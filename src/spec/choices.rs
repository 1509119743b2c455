//! Values of a specification that are one of a few words.

use crate::config::expected_one_of;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Declares an enum whose variants are written as words, with the parser of these words.
macro_rules! choices {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $type {
            $($(#[$variant_doc])* #[serde(rename = $name)] $variant,)+
        }

        impl $type {
            /// The names of all values.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The name in files.
            pub const fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name,)+
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($name => Ok($type::$variant),)+
                    _ => Err(expected_one_of($type::NAMES, text)),
                }
            }
        }
    };
}

choices! {
    /// How the learning rate changes over the steps.
    LrSchedulerType {
        /// Linear decay to zero after the warm-up.
        Linear = "linear",
        /// Decay to zero along half a cosine after the warm-up.
        Cosine = "cosine",
        /// Constant, without warm-up.
        Constant = "constant",
        /// Constant after the warm-up.
        ConstantWithWarmup = "constant_with_warmup",
    }
}

choices! {
    /// Number format of the matrix products; weights and moments are always f32.
    Precision {
        /// The default of the device.
        Auto = "auto",
        /// 32-bit floating point.
        F32 = "f32",
        /// TensorFloat-32 on NVIDIA GPUs: products use 19 of the 32 bits.
        Tf32 = "tf32",
        /// bfloat16: 16 bits with the exponent range of f32.
        Bf16 = "bf16",
        /// 8-bit integers, by dynamic quantization. For inference on the CPU.
        Int8 = "int8",
    }
}

impl Precision {
    /// The names of the values that training supports.
    pub const TRAINING_NAMES: &'static [&'static str] = &["auto", "f32", "tf32", "bf16"];
}

choices! {
    /// Which engine computes.
    EngineChoice {
        /// The default of the device.
        Auto = "auto",
        /// Candle's autograd over composed operations.
        Plain = "plain",
        /// Hand-written kernels for the device.
        Fast = "fast",
    }
}

choices! {
    /// What the metrics of a run are written for while it is trained, beside its log.
    ReportTo {
        /// Nothing else.
        None = "none",
        /// TensorBoard: event files.
        TensorBoard = "tensorboard",
    }
}

choices! {
    /// The linear layers that have low-rank adapters.
    LoraTargetModules {
        /// Those of queries and values, the default of PEFT for most encoders.
        QueryValue = "query-value",
        /// All of the encoder layers.
        AllLinear = "all-linear",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_serialize_alike() {
        for name in LrSchedulerType::NAMES {
            let value: LrSchedulerType = name.parse().unwrap();
            assert_eq!((value.name(), value.to_string().as_str()), (*name, *name));
            assert_eq!(serde_json::to_value(value).unwrap(), **name);
            assert_eq!(serde_json::from_value::<LrSchedulerType>((*name).into()).unwrap(), value);
        }
    }

    #[test]
    fn unknown_words_are_refused_with_the_valid_ones() {
        assert_eq!(
            "linaer".parse::<LrSchedulerType>().unwrap_err(),
            "expected one of linear, cosine, constant, constant_with_warmup, found `linaer`; \
             did you mean `linear`?"
        );
        assert_eq!("8".parse::<EngineChoice>().unwrap_err(), "expected one of auto, plain, fast, found `8`");
        let error = serde_json::from_str::<Precision>("\"f64\"").unwrap_err().to_string();
        assert!(error.contains("`f64`") && error.contains("`bf16`"), "{error}");
    }
}
