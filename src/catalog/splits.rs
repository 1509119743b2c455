//! The splits of a task: what they are for and what their files are called.

use serde::{Deserialize, Serialize};

/// The name of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitName {
    /// The rows to train on.
    Train,
    /// The rows that select the best weights.
    Validation,
    /// MNLI's second validation split, of genres that the training split does not have.
    ValidationMismatched,
    /// The rows of the final score.
    Test,
    /// MNLI's second test split, of the genres of the second validation split.
    TestMismatched,
}

/// What a split is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitRole {
    /// It is trained on.
    Train,
    /// It is evaluated and selects the best weights.
    Validation,
    /// It is evaluated after the validation split, and metrics with a
    /// [`source`](super::Metric::source) are taken from it.
    ExtraValidation,
    /// It is evaluated if all of its rows have a label.
    Test,
    /// A training does not read it: the finished model predicts its rows for a submission.
    ExtraTest,
}

impl SplitName {
    /// Every split name, in the order in which tables list them.
    pub const ALL: [SplitName; 5] = [
        SplitName::Train,
        SplitName::Validation,
        SplitName::ValidationMismatched,
        SplitName::Test,
        SplitName::TestMismatched,
    ];

    /// The name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            SplitName::Train => "train",
            SplitName::Validation => "validation",
            SplitName::ValidationMismatched => "validation_mismatched",
            SplitName::Test => "test",
            SplitName::TestMismatched => "test_mismatched",
        }
    }

    /// A name of at most ten characters for narrow tables.
    pub const fn short_name(self) -> &'static str {
        match self {
            SplitName::ValidationMismatched => "mismatched",
            SplitName::TestMismatched => "test mism.",
            name => name.name(),
        }
    }

    /// What a split of that name is used for.
    pub const fn role(self) -> SplitRole {
        match self {
            SplitName::Train => SplitRole::Train,
            SplitName::Validation => SplitRole::Validation,
            SplitName::ValidationMismatched => SplitRole::ExtraValidation,
            SplitName::Test => SplitRole::Test,
            SplitName::TestMismatched => SplitRole::ExtraTest,
        }
    }

    /// Whether a task with this split needs its rows, each with a label. Only test rows may be absent or have
    /// no labels.
    pub fn is_required(self) -> bool {
        !matches!(self.role(), SplitRole::Test | SplitRole::ExtraTest)
    }
}

/// A split that a task has.
#[derive(Debug, Clone, Copy)]
pub struct SplitSpec {
    /// Its name.
    pub name: SplitName,
    /// Names of its file in a local copy, without the extension, the preferred one first.
    pub file_stems: &'static [&'static str],
    /// Names of its Parquet files, or of their folder, on the hub.
    pub hub_stems: &'static [&'static str],
    /// Selects the random permutation that `max_train_samples` and `max_eval_samples` draw rows with. Changing
    /// it changes which rows a seed draws.
    pub sample_key: u32,
}

const TRAIN: SplitSpec =
    SplitSpec { name: SplitName::Train, file_stems: &["train"], hub_stems: &["train"], sample_key: 0 };

const TEST_KEY: u32 = 2;

/// The splits of most tasks.
pub const STANDARD_SPLITS: &[SplitSpec] = &[
    TRAIN,
    SplitSpec {
        name: SplitName::Validation,
        file_stems: &["dev", "validation"],
        hub_stems: &["validation", "dev", "valid"],
        sample_key: 1,
    },
    SplitSpec { name: SplitName::Test, file_stems: &["test"], hub_stems: &["test"], sample_key: TEST_KEY },
];

/// The splits of MNLI, whose validation and test rows are of matched and of mismatched genres.
pub(super) const MNLI_SPLITS: &[SplitSpec] = &[
    TRAIN,
    SplitSpec {
        name: SplitName::Validation,
        file_stems: &["dev_matched", "validation_matched"],
        hub_stems: &["validation_matched", "validation", "dev", "valid"],
        sample_key: 1,
    },
    SplitSpec {
        name: SplitName::ValidationMismatched,
        file_stems: &["dev_mismatched", "validation_mismatched"],
        hub_stems: &["validation_mismatched"],
        sample_key: 4,
    },
    SplitSpec {
        name: SplitName::Test,
        file_stems: &["test_matched"],
        hub_stems: &["test_matched", "test"],
        sample_key: TEST_KEY,
    },
    SplitSpec {
        name: SplitName::TestMismatched,
        file_stems: &["test_mismatched"],
        hub_stems: &["test_mismatched"],
        sample_key: 5,
    },
];

/// The only split of AX, GLUE's diagnostic examples.
pub(super) const AX_SPLITS: &[SplitSpec] = &[SplitSpec {
    name: SplitName::Test,
    file_stems: &["diagnostic", "AX", "test", "diagnostic-full"],
    hub_stems: &["test"],
    sample_key: TEST_KEY,
}];
