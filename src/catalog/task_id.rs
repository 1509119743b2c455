//! A task by its name.

use super::tasks::{TASKS, Task, task};
use crate::config::{closest_match, ranked_by_similarity};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A task of the catalog, as a specification names it. It reads and writes as the task's name.
#[derive(Clone, Copy)]
pub struct TaskId(&'static Task);

impl TaskId {
    /// Task `custom`, the only one that reads files of the user.
    pub fn custom() -> Self {
        TASKS.iter().find(|task| task.is_custom()).map_or_else(TaskId::default, TaskId::from)
    }

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
        let known = ranked_by_similarity(name, TASKS.iter().map(|task| task.name)).join(", ");
        Err(match closest_match(name, TASKS.iter().map(|task| task.name)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_ids_parse_and_serialize_as_names() {
        for task in TASKS {
            let id: TaskId = task.name.parse().unwrap();
            assert_eq!((id.name(), id), (task.name, TaskId::from(task)));
            assert_eq!(serde_json::to_value(id).unwrap(), task.name);
            assert_eq!(serde_json::from_value::<TaskId>(task.name.into()).unwrap(), id);
        }
        assert_eq!(TaskId::default().name(), "demo");
    }

    #[test]
    fn unknown_task_is_an_error_that_names_it() {
        let error = serde_json::from_str::<TaskId>("\"sst-2\"").unwrap_err().to_string();
        assert!(
            error.starts_with("unknown task `sst-2`; did you mean `sst2`? The tasks are sst2, "),
            "{error}"
        );
    }
}
