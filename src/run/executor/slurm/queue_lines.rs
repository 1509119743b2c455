//! The output of `squeue` and `sacct`.

use std::ops::RangeInclusive;

/// The fields of a line of `squeue`: array, index, state, reason, name.
pub(super) const SQUEUE_FORMAT: &str = "%F|%K|%T|%r|%j";
/// The fields of a line of `sacct`.
pub(super) const SACCT_FORMAT: &str = "JobID,State,Reason";
/// The largest number of tasks that a line can stand for.
const MAX_TASKS: u32 = 1_000_000;

/// A line: one task, or several that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueueLine {
    /// The id of the array.
    pub(super) array: String,
    /// The indexes of the tasks.
    pub(super) indexes: Vec<RangeInclusive<u32>>,
    /// The state in Slurm's words.
    pub(super) state: String,
    /// The reason, if there is one.
    pub(super) reason: Option<String>,
    /// The name of the job, where the output has it.
    pub(super) name: Option<String>,
}

impl QueueLine {
    /// Whether it is about the task with that index.
    pub(super) fn has(&self, index: u32) -> bool {
        self.indexes.iter().any(|range| range.contains(&index))
    }
}

/// The lines of `squeue` about arrays. Other lines are skipped.
pub(super) fn parse_squeue(text: &str) -> Vec<QueueLine> {
    let line = |line: &str| {
        let mut fields = line.trim().splitn(5, '|');
        let (array, indexes, state, reason) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let name = fields.next().map(str::to_owned);
        let (array, indexes) = (array.to_owned(), parse_indexes(indexes)?);
        Some(QueueLine { array, indexes, state: state.into(), reason: parse_reason(reason), name })
    };
    text.lines().filter_map(line).collect()
}

/// The lines of `sacct` about arrays.
pub(super) fn parse_sacct(text: &str) -> Vec<QueueLine> {
    let line = |line: &str| {
        let mut fields = line.trim().split('|');
        let (array, indexes) = fields.next()?.split_once('_')?;
        let (state, reason) = (fields.next()?, fields.next().unwrap_or_default());
        let (array, indexes) = (array.to_owned(), parse_indexes(indexes)?);
        Some(QueueLine { array, indexes, state: state.into(), reason: parse_reason(reason), name: None })
    };
    text.lines().filter_map(line).collect()
}

/// Slurm writes `None` where there is no reason, and parentheses around some.
fn parse_reason(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('(').trim_end_matches(')');
    (!matches!(text, "" | "None" | "N/A" | "null")).then(|| text.to_owned())
}

/// The indexes of tasks: `7`, `0-9`, `[1,4-6%2]`.
fn parse_indexes(text: &str) -> Option<Vec<RangeInclusive<u32>>> {
    let text = text.trim_start_matches('[').trim_end_matches(']');
    let text = text.split('%').next().unwrap_or_default();
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        (last < MAX_TASKS).then_some(first..=last)
    };
    text.split(',').map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_an_array_is_read() {
        let text = "12|3|PENDING|Resources|glue-tui-a\n12|[4,6-9%2]|PENDING|JobArrayTaskLimit|glue-tui-a\n\
                    9|N/A|COMPLETED|None|sh\n12|0|RUNNING|None|glue|tui\nnonsense\n12|x|RUNNING|None|a\n\n";
        let lines = parse_squeue(text);
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[0].array.as_str(), lines[0].reason.as_deref()), ("12", Some("Resources")));
        assert!(lines[1].has(4) && !lines[1].has(5) && lines[1].has(9));
        assert_eq!((lines[2].reason.as_deref(), lines[2].name.as_deref()), (None, Some("glue|tui")));
        let lines =
            parse_sacct("12_3|CANCELLED by 0|None\n12_[4-9%2]|PENDING|\n12_5.batch|X|\n8|COMPLETED|None\n");
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].state, "CANCELLED by 0");
    }
}
