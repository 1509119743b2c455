//! Tables of tasks, metrics, splits, known models and published results. A new task, metric or model is a new row.

mod formats;
mod glue;
mod label_map;
mod label_match;
mod labels;
mod metrics;
mod model_size;
mod models;
mod problem_type;
mod published;
mod recommended;
mod shapes;
mod source;
mod splits;
mod task_id;
mod tasks;

pub use formats::FileFormat;
pub use glue::{
    GLUE_TASKS, SUBMISSION, SubmissionFile, SubmissionLabels, has_submission_files, submission_file,
};
pub use label_map::LabelMap;
pub use label_match::{LabelMatch, list_labels, match_labels, output_of};
pub use labels::{ClassName, Labels, joined, set_text};
pub use metrics::{Metric, MetricDisplay};
pub use model_size::ModelSize;
pub use models::{KnownModel, MODELS, known_model, known_model_by_short_id};
pub use problem_type::ProblemType;
pub use published::{
    Published, PublishedAverage, PublishedScore, published, published_average, published_test,
    published_validation, repeatable,
};
pub use recommended::{Recommendation, RecommendedSetting, recommended};
pub use shapes::{SHAPES, Shape, shape};
pub use source::{Columns, HubDataset, LocalFormat, TaskSource, TreeLabels};
pub use splits::{STANDARD_SPLITS, SplitName, SplitRole, SplitSpec};
pub use task_id::TaskId;
pub use tasks::{TASKS, Task, task, trainable_tasks};
