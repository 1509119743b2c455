//! What one can pick, as tables: tasks and known models, and what others have reached with them. A new task
//! or model is one row.

mod formats;
mod metrics;
mod models;
mod published;
mod shapes;
mod splits;
mod tasks;

pub use formats::Format;
pub use metrics::{LabelKind, Metric, MetricDisplay};
pub use models::{KnownModel, MODELS, known_model};
pub use published::{Published, published, repeatable};
pub use shapes::{SHAPES, Shape, shape};
pub use splits::{STANDARD_SPLITS, SplitName, SplitRole, SplitSpec};
pub use tasks::{Columns, Hub, Labels, Local, Name, Source, TASKS, Task, TaskId, Tree, task};
