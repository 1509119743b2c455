//! Files of a tiny model and of a run, which the targets use around the file under test.

/// A DistilBERT with one layer of width 8 and a head for two classes.
pub(crate) const CONFIG: &[u8] = sample!("config.json");
pub(crate) const WEIGHTS: &[u8] = sample!("model.safetensors");
pub(crate) const TOKENIZER: &[u8] = sample!("tokenizer.json");

/// The specification of a run.
pub(crate) const SPEC: &str = "experiment = \"fuzz\"\nmodel = \"demo\"\ntask = \"demo\"\n";

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/data/run-0.1/runs/tiny-20261130-020004-6a06/best/", $name))
    };
}
use sample;
