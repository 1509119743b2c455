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
mod toml_text;

pub use choices::{EngineChoice, LrSchedulerType, Precision};
pub use command_line::train_command;
pub use delimiter::Delimiter;
pub use device::DeviceSpec;
pub use difference::{Difference, differences, differences_by};
pub use encoding_label::EncodingLabel;
pub use experiments::{DEFAULT_FILE, Experiments, KeyValue, ValueOrigin};
pub use interval::IntervalStrategy;
pub use key::Key;
pub use keys::{key_called, key_named, keys};
pub use kind::{ABOVE_ZERO, BELOW_ONE, ValueKind};
pub use lists::{ClassWeightRule, ClassWeights, LabelColumns};
pub use run_spec::{RunSpec, built_in};
pub use toml_text::{assignments, from_toml, settings, settings_json, to_toml};
