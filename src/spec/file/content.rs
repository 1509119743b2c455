//! What an experiments file has: the values and the specification of each experiment, and its errors.

use crate::config::sort;
use crate::error::Diagnostic;
use crate::spec::run_spec::RunSpec;
use crate::spec::slurm::SlurmSettings;
use crate::spec::sweep::{Axis, Sweep, SweepSettings, sweep_key_names};
use std::collections::BTreeMap;

/// The valid values of one table, by the name of the key.
pub(crate) type TableValues = BTreeMap<&'static str, TableValue>;

/// The values of swept keys, by the name of the key.
pub(crate) type SweptKeys = BTreeMap<&'static str, Axis>;

/// A value and its position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableValue {
    /// As typed, without quotes.
    pub(crate) text: String,
    /// Byte offset of the value.
    pub(super) offset: usize,
}

/// One experiment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Experiment {
    /// Its specification, with the values of `[defaults]` where it has none of its own, and the first value of each swept
    /// key. Incomplete if there are errors.
    pub(crate) spec: RunSpec,
    /// The values of the swept keys.
    pub(crate) swept: SweptKeys,
    /// The sweep, if a key is swept and there are no errors.
    pub(crate) sweep: Option<Box<Sweep>>,
    /// The comment lines directly above its table.
    pub(crate) description: Option<String>,
    /// The values in its own table.
    pub(crate) values: TableValues,
    /// The errors in its table, and those in `[defaults]` that concern it, in the order of the lines.
    pub(crate) errors: Vec<Diagnostic>,
    /// Byte offset of its name.
    pub(super) offset: usize,
}

impl Experiment {
    /// An experiment without values.
    pub(super) fn new(spec: RunSpec, offset: usize) -> Experiment {
        let (values, swept) = (TableValues::new(), SweptKeys::new());
        Experiment { spec, swept, sweep: None, description: None, values, errors: Vec::new(), offset }
    }

    /// The settings of its sweep.
    pub(crate) fn sweep_settings(&self) -> SweepSettings {
        let mut settings = SweepSettings::default();
        for name in sweep_key_names() {
            if let Some(value) = self.values.get(name) {
                // The text was checked when it was read.
                settings.set(name, &value.text).ok();
            }
        }
        settings
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.spec.experiment
    }
}

/// The content of an experiments file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ExperimentsFile {
    pub(crate) defaults: TableValues,
    /// In the order of the file; each name once.
    pub(crate) experiments: Vec<Experiment>,
    /// The table `[slurm]`.
    pub(crate) slurm: SlurmSettings,
    /// The errors in it, in the order of the lines.
    pub(crate) slurm_errors: Vec<Diagnostic>,
    /// The errors outside of experiments, in the order of the lines.
    pub(crate) errors: Vec<Diagnostic>,
}

impl ExperimentsFile {
    /// The experiment of that name.
    pub(crate) fn experiment(&self, name: &str) -> Option<&Experiment> {
        self.experiments.iter().find(|experiment| experiment.name() == name)
    }

    /// Every error in the file, in the order of the lines.
    pub(crate) fn all_errors(&self) -> Vec<Diagnostic> {
        let of_experiments = self.experiments.iter().flat_map(|experiment| &experiment.errors);
        let mut errors = of_experiments.chain(&self.errors).cloned().collect();
        sort(&mut errors);
        errors
    }
}
