//! Tables of tasks, metrics, known models, model architectures and published scores. A new task or model is one
//! row.

mod formats;
mod metrics;
mod models;
mod published;
mod shapes;
mod splits;
mod task_id;
mod tasks;

pub use formats::Format;
pub use metrics::{LabelKind, Metric, MetricDisplay};
pub use models::{KnownModel, MODELS, known_model};
pub use published::{Published, published, repeatable};
pub use shapes::{SHAPES, Shape, shape};
pub use splits::{STANDARD_SPLITS, SplitName, SplitRole, SplitSpec};
pub use task_id::TaskId;
pub use tasks::{Columns, Hub, Labels, Local, Name, Source, TASKS, Task, Tree, task};
