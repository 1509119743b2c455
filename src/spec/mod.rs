//! experiments.toml → [`RunSpec`]: the complete specification of a run.

mod choices;
mod command_line;
mod delimiter;
mod device;
mod difference;
mod encoding_label;
mod experiments;
mod field;
mod file;
mod interval;
mod key;
mod keys;
mod kind;
mod lists;
mod overrides;
mod recommendation;
mod rules;
mod run_spec;
mod save;
mod slurm;
mod source_file;
mod sweep;
mod toml_text;
mod toml_value;

pub use choices::{EngineChoice, LoraTargetModules, LrSchedulerType, Precision, ReportTo};
pub use command_line::train_command;
pub use delimiter::Delimiter;
pub use device::DeviceSpec;
pub use difference::{Difference, differences, differences_by};
pub use encoding_label::EncodingLabel;
pub use experiments::{Experiments, KeyValue, ResolvedExperiment, ValueOrigin};
pub use interval::IntervalStrategy;
pub use key::Key;
pub use keys::{key_aliases, key_called, key_named, keys};
pub use kind::{ABOVE_ZERO, BELOW_ONE, ValueKind};
pub use lists::{ClassWeightRule, ClassWeights, LabelColumns};
pub use run_spec::{RunSpec, built_in};
pub use save::SaveTarget;
pub use slurm::{SLURM_TABLE, SlurmSettings};
pub use source_file::DEFAULT_FILE;
pub use sweep::{
    AshaSettings, Axis, MAX_TRIALS, Scale, Search, Sweep, SweepProblem, SweepSettings, SweptValues,
    ValueRange, is_sweep_key, sweep_keys,
};
pub use toml_text::{
    assignments, from_toml, settings, settings_json, sweep_assignments, sweep_from_toml, sweep_json,
    sweep_to_toml, to_toml,
};
