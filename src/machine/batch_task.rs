//! The task of a batch system that this process is.

/// The variable that Slurm sets in every job.
const JOB_ID: &str = "SLURM_JOB_ID";
/// The variables that Slurm sets in a task of an array.
const ARRAY: [&str; 2] = ["SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"];
/// The variable with how often a job was requeued.
const RESTARTS: &str = "SLURM_RESTART_COUNT";

/// A job of Slurm, or a task of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchTask {
    /// What Slurm's commands call it: `ARRAY_TASK` for a task of an array, or else the id of the job. It stays the same when
    /// the task is requeued.
    pub id: String,
    /// Whether only the batch system starts it, so that a second start means that the first one is over: a person can start a
    /// program twice in an interactive job.
    pub is_restarted: bool,
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
        let of_array = array.zip(task).map(|(array, task)| format!("{array}_{task}"));
        let is_restarted = of_array.is_some() || number(RESTARTS).is_some_and(|count| count != "0");
        Some(BatchTask { id: of_array.unwrap_or(job), is_restarted })
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
        let is_restarted = |count: &str| {
            let variable = |name: &str| match name {
                JOB_ID => Some("17".to_owned()),
                RESTARTS => Some(count.to_owned()),
                _ => None,
            };
            BatchTask::from_variables(variable).unwrap().is_restarted
        };
        assert!(is_restarted("2") && !is_restarted("0") && !is_restarted(""));
    }
}
