//! The GLUE benchmark (Wang et al. 2018): its tasks, and the files of a submission to its leaderboard.

use super::splits::SplitName;
use super::tasks::Task;

/// The names of the tasks of GLUE, in the order of its table of results. The diagnostic examples AX are no task: the model
/// of MNLI predicts them, and they do not count in the average.
pub static GLUE_TASKS: [&str; 9] = ["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli"];

/// A file of a submission: tab-separated, with the columns `index` and `prediction`.
#[derive(Debug)]
pub struct SubmissionFile {
    /// Its name.
    pub name: &'static str,
    /// The task whose rows are predicted.
    pub task: &'static str,
    /// The split with these rows.
    pub split: SplitName,
    /// The task that the model is trained on.
    pub trained_on: &'static str,
    /// The number of rows.
    pub rows: u64,
    /// How predictions are written.
    pub labels: SubmissionLabels,
    /// A label that stands in for all predictions: the most frequent one of the training rows, or their mean.
    pub stand_in: &'static str,
}

/// Whether a model that is trained on the task of that name predicts files of a submission.
pub fn has_submission_files(task: &str) -> bool {
    SUBMISSION.iter().any(|file| file.trained_on == task)
}

/// How the predictions of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmissionLabels {
    /// The indices of the classes.
    Indices,
    /// The names of the classes.
    Names,
    /// Numbers on the scale of the task.
    Numbers,
}

const fn file(
    name: &'static str,
    (task, split): (&'static str, SplitName),
    rows: u64,
    labels: SubmissionLabels,
    stand_in: &'static str,
) -> SubmissionFile {
    SubmissionFile { name, task, split, trained_on: task, rows, labels, stand_in }
}

/// The files of a submission, by name, with the numbers of rows of the published test splits.
pub static SUBMISSION: [SubmissionFile; 11] = [
    SubmissionFile {
        trained_on: "mnli",
        ..file("AX.tsv", ("ax", SplitName::Test), 1104, SubmissionLabels::Names, "contradiction")
    },
    file("CoLA.tsv", ("cola", SplitName::Test), 1063, SubmissionLabels::Indices, "1"),
    file("MNLI-m.tsv", ("mnli", SplitName::Test), 9796, SubmissionLabels::Names, "contradiction"),
    file("MNLI-mm.tsv", ("mnli", SplitName::TestMismatched), 9847, SubmissionLabels::Names, "contradiction"),
    file("MRPC.tsv", ("mrpc", SplitName::Test), 1725, SubmissionLabels::Indices, "1"),
    file("QNLI.tsv", ("qnli", SplitName::Test), 5463, SubmissionLabels::Names, "entailment"),
    file("QQP.tsv", ("qqp", SplitName::Test), 390_965, SubmissionLabels::Indices, "0"),
    file("RTE.tsv", ("rte", SplitName::Test), 3000, SubmissionLabels::Names, "entailment"),
    file("SST-2.tsv", ("sst2", SplitName::Test), 1821, SubmissionLabels::Indices, "1"),
    file("STS-B.tsv", ("stsb", SplitName::Test), 1379, SubmissionLabels::Numbers, "2.701"),
    file("WNLI.tsv", ("wnli", SplitName::Test), 146, SubmissionLabels::Indices, "0"),
];

/// The file of a submission with that name.
pub fn submission_file(name: &str) -> Option<&'static SubmissionFile> {
    SUBMISSION.iter().find(|file| file.name == name)
}

impl SubmissionFile {
    /// Whether `text` is a prediction of the file.
    pub fn accepts(&self, text: &str) -> bool {
        let Some(task) = self.task() else { return false };
        let classes = task.labels.classes();
        match (self.labels, task.labels.scale()) {
            (SubmissionLabels::Numbers, Some((low, high))) => {
                text.parse::<f32>().is_ok_and(|number| (low..=high).contains(&number))
            }
            (SubmissionLabels::Names, _) => classes.iter().any(|name| name == text),
            (SubmissionLabels::Indices, _) => (0..classes.len()).any(|index| index.to_string() == text),
            (SubmissionLabels::Numbers, None) => false,
        }
    }

    /// What a prediction is, as a clause: `entailment or not_entailment`, `a number from 0 to 5`.
    pub fn expected(&self) -> String {
        let Some(task) = self.task() else { return String::new() };
        let classes = task.labels.classes();
        match (self.labels, task.labels.scale()) {
            (SubmissionLabels::Numbers, Some((low, high))) => format!("a number from {low} to {high}"),
            (SubmissionLabels::Names, _) => {
                classes.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(" or ")
            }
            _ => (0..classes.len()).map(|index| index.to_string()).collect::<Vec<_>>().join(" or "),
        }
    }

    /// The prediction of the class with that index; `None` for a file with numbers.
    pub fn class_text(&self, class: usize) -> Option<String> {
        match self.labels {
            SubmissionLabels::Indices => Some(class.to_string()),
            SubmissionLabels::Names => self.task()?.labels.classes().get(class).map(ToString::to_string),
            SubmissionLabels::Numbers => None,
        }
    }

    /// The prediction of a number, clipped to the scale of the task.
    pub fn number_text(&self, number: f32) -> String {
        let scale = self.task().and_then(|task| task.labels.scale());
        let clipped = scale.map_or(number, |(low, high)| number.clamp(low, high));
        format!("{clipped:.3}")
    }

    /// The task whose rows are predicted.
    pub fn task(&self) -> Option<&'static Task> {
        super::tasks::task(self.task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::task;

    #[test]
    fn every_task_has_a_file_and_every_file_a_split() {
        assert!(SUBMISSION.is_sorted_by_key(|file| file.name));
        for name in GLUE_TASKS {
            assert!(task(name).unwrap().is_trainable(), "{name}");
            assert!(SUBMISSION.iter().any(|file| file.trained_on == name), "{name}");
        }
        for file in &SUBMISSION {
            let (own, trained) = (file.task().unwrap(), task(file.trained_on).unwrap());
            assert!(own.split(file.split).is_some() && own.labels == trained.labels, "{}", file.name);
            assert!(!file.split.is_required(), "{}", file.name);
            assert!(file.accepts(file.stand_in), "{}", file.name);
            assert!(!file.accepts("") && !file.accepts("2.5x") && !file.accepts("NaN"), "{}", file.name);
        }
        assert_eq!(SUBMISSION.iter().map(|file| file.rows).sum::<u64>(), 426_309);
    }

    #[test]
    fn predictions_are_words_indices_or_clipped_numbers() {
        let file = |name| submission_file(name).unwrap();
        assert_eq!(file("RTE.tsv").class_text(1).unwrap(), "not_entailment");
        assert_eq!(file("WNLI.tsv").class_text(1).unwrap(), "1");
        assert_eq!(file("AX.tsv").expected(), "entailment or neutral or contradiction");
        let stsb = file("STS-B.tsv");
        assert_eq!([5.2, -0.1, 2.5].map(|number| stsb.number_text(number)), ["5.000", "0.000", "2.500"]);
        assert_eq!((stsb.class_text(0), stsb.expected()), (None, "a number from 0 to 5".into()));
    }
}
