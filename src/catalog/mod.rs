//! What one can pick, as tables: tasks and known models. A new task or model is one row.

mod metrics;
mod models;
mod shapes;
mod tasks;

pub use metrics::Metric;
pub use models::{KnownModel, MODELS, known_model};
pub use shapes::{SHAPES, Shape, shape};
pub use tasks::{Columns, Hub, Local, Source, TASKS, Task, Tree, task};
