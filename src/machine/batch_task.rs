//! The task of a batch system that this process is.

/// The variable that Slurm sets in every job.
const JOB_ID: &str = "SLURM_JOB_ID";
/// The variables that Slurm sets in a task of an array.
const ARRAY: [&str; 2] = ["SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"];

/// A job of Slurm, or a task of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchTask {
    /// What Slurm's commands call it: `ARRAY_TASK` for a task of an array, or else the id of the job. It stays the same when
    /// the task is requeued.
    pub id: String,
}

impl BatchTask {
    /// The task that this process runs in; `None` outside of Slurm.
    pub fn from_env() -> Option<BatchTask> {
        BatchTask::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Option<BatchTask> {
        let is_id = |id: &String| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        let number = |name| variable(name).filter(is_id);
        let job = number(JOB_ID)?;
        let [array, task] = ARRAY.map(number);
        Some(BatchTask { id: array.zip(task).map_or(job, |(array, task)| format!("{array}_{task}")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_of_an_array_is_named_by_the_array_and_its_index() {
        let id = |variables: &[(&str, &str)]| {
            let variable = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            BatchTask::from_variables(variable).map(|task| task.id)
        };
        assert_eq!(id(&[]), None);
        assert_eq!(id(&[(JOB_ID, "17")]).unwrap(), "17");
        let array = [(JOB_ID, "19"), (ARRAY[0], "17"), (ARRAY[1], "2")];
        assert_eq!(id(&array).unwrap(), "17_2", "not the id of the job, which another task may have");
        assert_eq!(id(&[(JOB_ID, "; true")]), None);
    }
}
