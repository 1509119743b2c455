//! The device that a run asks for.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The device that a run asks for, written as PyTorch writes devices: `auto`, `cpu`, `cuda:N` or `metal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceSpec {
    /// The first CUDA device of a program that is built with CUDA, or else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The NVIDIA GPU with this number, from 0.
    Cuda(usize),
    /// Apple's GPU.
    Metal,
}

impl DeviceSpec {
    /// The valid values, for help and errors.
    pub const EXPECTED: &'static str = "auto, cpu, cuda:N or metal";
}

impl fmt::Display for DeviceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceSpec::Auto => f.pad("auto"),
            DeviceSpec::Cpu => f.pad("cpu"),
            DeviceSpec::Cuda(index) => f.pad(&format!("cuda:{index}")),
            DeviceSpec::Metal => f.pad("metal"),
        }
    }
}

impl FromStr for DeviceSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = DeviceSpec::EXPECTED;
        match text {
            "auto" => Ok(DeviceSpec::Auto),
            "cpu" => Ok(DeviceSpec::Cpu),
            "metal" => Ok(DeviceSpec::Metal),
            "cuda" | "gpu" => Err(format!("expected {expected}, found `{text}`; did you mean `cuda:0`?")),
            _ => cuda_index(text)
                .map(DeviceSpec::Cuda)
                .ok_or_else(|| format!("expected {expected}, found `{text}`")),
        }
    }
}

/// N of `cuda:N`, a number of at most 4 digits.
fn cuda_index(text: &str) -> Option<usize> {
    let digits = text.strip_prefix("cuda:")?;
    let is_number = digits.len() <= 4 && digits.bytes().all(|digit| digit.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

impl Serialize for DeviceSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_parse_and_serialize_alike() {
        let devices = [
            ("auto", DeviceSpec::Auto),
            ("cpu", DeviceSpec::Cpu),
            ("cuda:12", DeviceSpec::Cuda(12)),
            ("metal", DeviceSpec::Metal),
        ];
        for (text, device) in devices {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string(), text);
            assert_eq!(serde_json::to_value(device).unwrap(), text);
            assert_eq!(serde_json::from_value::<DeviceSpec>(text.into()).unwrap(), device);
        }
    }

    #[test]
    fn unknown_devices_are_refused() {
        for text in ["", "tpu", "cuda:", "cuda:-1", "cuda:+1", "cuda:x", "cuda:12345", "CPU"] {
            let error = text.parse::<DeviceSpec>().unwrap_err();
            assert_eq!(error, format!("expected auto, cpu, cuda:N or metal, found `{text}`"));
        }
        assert!("cuda".parse::<DeviceSpec>().unwrap_err().ends_with("did you mean `cuda:0`?"));
        let error = serde_json::from_str::<DeviceSpec>("\"tpu\"").unwrap_err().to_string();
        assert!(error.starts_with("expected auto, cpu, cuda:N or metal, found `tpu`"), "{error}");
    }
}
