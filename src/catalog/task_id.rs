//! A task by its name.

use super::tasks::{TASKS, Task, task};
use crate::config::{by_nearness, meant};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A task of the catalog, as a specification names it. It reads and writes as the task's name.
#[derive(Clone, Copy)]
pub struct TaskId(&'static Task);

impl TaskId {
    /// The task itself.
    pub fn task(self) -> &'static Task {
        self.0
    }

    /// The name in experiments.toml.
    pub fn name(self) -> &'static str {
        self.0.name
    }
}

impl Default for TaskId {
    /// The first task of the catalog.
    fn default() -> Self {
        TaskId(&TASKS[0])
    }
}

impl From<&'static Task> for TaskId {
    fn from(task: &'static Task) -> Self {
        TaskId(task)
    }
}

impl PartialEq for TaskId {
    fn eq(&self, other: &TaskId) -> bool {
        self.name() == other.name()
    }
}

impl Eq for TaskId {}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.name())
    }
}

impl FromStr for TaskId {
    type Err = String;

    /// The task of that name. The error names the known tasks, the most similar name first.
    fn from_str(name: &str) -> Result<Self, String> {
        if let Some(task) = task(name) {
            return Ok(TaskId(task));
        }
        let known = by_nearness(name, TASKS.iter().map(|task| task.name)).join(", ");
        Err(match meant(name, TASKS.iter().map(|task| task.name)) {
            Some(nearest) => {
                format!("unknown task `{name}`; did you mean `{nearest}`? The tasks are {known}")
            }
            None => format!("unknown task `{name}`; the tasks are {known}"),
        })
    }
}

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
