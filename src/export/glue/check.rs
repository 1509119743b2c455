//! Reads the archive of a submission as the leaderboard does, and finds what it would reject.

use super::archive::{ArchiveEntry, read_archive};
use crate::catalog::{SUBMISSION, SubmissionFile, submission_file};
use crate::config::closest_match;
use crate::error::Result;
use crate::format::count;
use crate::text::plural;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// The first line of each file.
pub(super) const HEADER: &str = "index\tprediction";
/// The most bytes of the header, and of a row.
const HEADER_BYTES: u64 = 64;
const ROW_BYTES: u64 = 64;
/// The problems of a file that are reported one by one.
const MAX_PROBLEMS: usize = 5;

/// What was found in an archive.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct SubmissionCheck {
    /// The number of files of a submission in it.
    pub files: usize,
    /// The number of their rows.
    pub rows: u64,
    /// What the leaderboard would reject.
    pub problems: Vec<SubmissionProblem>,
}

/// A reason to reject an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubmissionProblem {
    /// The file in the archive.
    pub file: String,
    /// The line at fault, from 1, if it is one of the file.
    pub line: Option<u64>,
    /// What was found and expected, as a clause whose subject is the file or the line.
    pub problem: String,
}

impl fmt::Display for SubmissionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.problem),
            None => write!(f, "{}: {}", self.file, self.problem),
        }
    }
}

/// Checks the archive `path`: the names of its files, and in each the header, the indices, the predictions and the number of
/// rows.
///
/// # Errors
/// [`Error::Read`](crate::error::Error::Read) for a file that cannot be read, and
/// [`Error::Data`](crate::error::Error::Data) for one that is no zip archive.
pub fn check_submission(path: &Path) -> Result<SubmissionCheck> {
    let mut checker = Checker::default();
    let limit = |name: &str| submission_file(name).map_or(0, |file| HEADER_BYTES + file.rows * ROW_BYTES);
    read_archive(path, &limit, &mut |entry| checker.add_entry(entry))?;
    Ok(checker.finish())
}

/// Checks an archive, one file after the other.
#[derive(Default)]
struct Checker {
    check: SubmissionCheck,
    /// The names of the files that were in it.
    found: Vec<&'static str>,
}

impl Checker {
    fn add_entry(&mut self, ArchiveEntry { name, content }: ArchiveEntry) {
        match (content, submission_file(&name)) {
            (Some(_), Some(file)) if self.found.contains(&file.name) => {
                self.check.add(&name, None, "is in the archive twice".into());
            }
            (Some(content), Some(file)) => {
                self.found.push(file.name);
                match content {
                    Ok(bytes) => self.check.add_file(file, &bytes),
                    Err(problem) => self.check.add(&name, None, problem),
                }
            }
            (None, _) => self.check.add(&name, None, "is a folder; put the files at the top level".into()),
            (Some(_), None) => self.check.add(&name, None, unexpected(&name)),
        }
    }

    fn finish(mut self) -> SubmissionCheck {
        for file in SUBMISSION.iter().filter(|file| !self.found.contains(&file.name)) {
            let problem = "is missing; a submission has predictions for every task";
            self.check.add(file.name, None, problem.into());
        }
        self.check
    }
}

/// Why a file with that name is none of a submission.
fn unexpected(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or_default();
    if last != name {
        return "is in a folder; put the files at the top level".into();
    }
    let similar = closest_match(last, SUBMISSION.iter().map(|file| file.name));
    let advice = similar.map_or_else(|| "remove it".into(), |similar| format!("did you mean {similar}?"));
    format!("is no file of a submission; {advice}")
}

impl SubmissionCheck {
    fn add(&mut self, file: &str, line: Option<u64>, problem: String) {
        self.problems.push(SubmissionProblem { file: file.to_owned(), line, problem });
    }

    /// Checks the content of a file.
    fn add_file(&mut self, file: &SubmissionFile, bytes: &[u8]) {
        self.files += 1;
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let line = before.split(|byte| *byte == b'\n').count() as u64;
                return self.add(file.name, Some(line), "is not UTF-8; write the file as UTF-8".into());
            }
        };
        let mut rows = Rows { file, lines: HashMap::new(), next: 0, problems: Vec::new(), count: 0 };
        let text = text.strip_suffix('\n').unwrap_or(text);
        for (line, number) in text.split('\n').zip(1..) {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if number == 1 { rows.header(line) } else { rows.row(number, line) }
        }
        self.rows += rows.count;
        let further = rows.problems.len().saturating_sub(MAX_PROBLEMS);
        for (line, problem) in rows.problems.into_iter().take(MAX_PROBLEMS) {
            self.add(file.name, Some(line), problem);
        }
        if further > 0 {
            self.add(file.name, None, format!("has {} of these kinds", plural(further, "further problem")));
        }
        if rows.count != file.rows {
            let (rows, expected) = (plural(rows.count, "row"), count(file.rows));
            self.add(file.name, None, format!("has {rows}, and the test split has {expected}"));
        }
    }
}

/// The rows of a file that were read so far.
struct Rows<'a> {
    file: &'a SubmissionFile,
    /// The line of each index.
    lines: HashMap<u64, u64>,
    /// The index that is expected next.
    next: u64,
    /// What is wrong, with the line.
    problems: Vec<(u64, String)>,
    /// The number of rows.
    count: u64,
}

impl Rows<'_> {
    fn header(&mut self, line: &str) {
        if line != HEADER {
            let problem = match line.strip_prefix('\u{feff}') {
                Some(HEADER) => "begins with a byte-order mark; write the file without it".to_owned(),
                _ => format!("the header is {line:?}, expected {HEADER:?}"),
            };
            self.problems.push((1, problem));
        }
    }

    fn row(&mut self, number: u64, line: &str) {
        self.count += 1;
        // The number of rows is wrong then, which is reported.
        if self.count > self.file.rows {
            return;
        }
        let cells: Vec<&str> = line.split('\t').collect();
        let [index, prediction] = cells[..] else {
            let columns = plural(cells.len(), "column");
            let problem =
                format!("has {columns}, expected 2: the index and the prediction, separated by a tab");
            self.next += 1;
            return self.problems.push((number, problem));
        };
        if let Err(problem) = self.index(number, index) {
            self.problems.push((number, problem));
        }
        if !self.file.accepts(prediction) {
            let problem = format!("the prediction {prediction:?} is not {}", self.file.expected());
            self.problems.push((number, problem));
        }
    }

    /// Takes the index of a row.
    fn index(&mut self, number: u64, text: &str) -> Result<(), String> {
        let expected = self.next;
        let last = self.file.rows.saturating_sub(1);
        let Ok(index) = text.parse::<u64>() else {
            self.next += 1;
            return Err(format!("the index {text:?} is not a whole number from 0 to {last}"));
        };
        self.next = index.saturating_add(1);
        if let Some(line) = self.lines.insert(index, number) {
            return Err(format!("the index {index} is in line {line} already"));
        }
        if index > last {
            return Err(format!("the index {index} is above the last one, {last}"));
        }
        if index != expected {
            return Err(format!(
                "the index is {index}, expected {expected}; the rows are in the order of the test split"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_entries(entries: Vec<ArchiveEntry>) -> SubmissionCheck {
        let mut checker = Checker::default();
        for entry in entries {
            checker.add_entry(entry);
        }
        checker.finish()
    }

    /// A valid file.
    fn rows(file: &SubmissionFile) -> String {
        let rows = (0..file.rows).map(|index| format!("{index}\t{}\n", file.stand_in));
        std::iter::once(format!("{HEADER}\n")).chain(rows).collect()
    }

    fn entries() -> Vec<ArchiveEntry> {
        let entry = |file: &SubmissionFile| ArchiveEntry {
            name: file.name.into(),
            content: Some(Ok(rows(file).into_bytes())),
        };
        SUBMISSION.iter().map(entry).collect()
    }

    /// The problems of an archive whose RTE.tsv is changed.
    fn problems(change: impl FnOnce(String) -> String) -> Vec<String> {
        let mut entries = entries();
        let text = change(rows(submission_file("RTE.tsv").unwrap()));
        entries[7].content = Some(Ok(text.into_bytes()));
        check_entries(entries).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_complete_archive_is_accepted() {
        let check = check_entries(entries());
        assert_eq!(check, SubmissionCheck { files: 11, rows: 426_309, problems: Vec::new() });
        assert_eq!(problems(|text| text.replace('\n', "\r\n")), [""; 0]);
        assert_eq!(problems(|text| text.trim_end().to_owned()), [""; 0], "without the last line break");
    }

    #[test]
    fn names_of_files_are_checked() {
        let names = |change: &dyn Fn(&mut Vec<ArchiveEntry>)| {
            let mut entries = entries();
            change(&mut entries);
            let problems = check_entries(entries).problems;
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let missing = |name: &str| format!("{name}: is missing; a submission has predictions for every task");
        assert_eq!(names(&|all| drop(all.remove(0))), [missing("AX.tsv")]);
        assert_eq!(
            names(&|all| all[1].name = "cola.tsv".into()),
            ["cola.tsv: is no file of a submission; did you mean CoLA.tsv?".into(), missing("CoLA.tsv")]
        );
        let nested = names(&|all| all.iter_mut().for_each(|entry| entry.name = format!("x/{}", entry.name)));
        assert_eq!(nested.len(), 22);
        assert_eq!(nested[0], "x/AX.tsv: is in a folder; put the files at the top level");
        let folder = || ArchiveEntry { name: "x/".into(), content: None };
        assert_eq!(names(&|all| all.push(folder())), ["x/: is a folder; put the files at the top level"]);
        let twice = || ArchiveEntry { name: "AX.tsv".into(), content: Some(Ok(Vec::new())) };
        assert_eq!(names(&|all| all.push(twice())), ["AX.tsv: is in the archive twice"]);
        let damaged = names(&|all| all[0].content = Some(Err("is encrypted".into())));
        assert_eq!(damaged, ["AX.tsv: is encrypted"]);
    }

    #[test]
    fn rows_are_checked_with_their_lines() {
        let replaced = |from: &str, to: &str| problems(|text| text.replacen(from, to, 1));
        assert_eq!(
            replaced(HEADER, "idx\tlabel"),
            ["RTE.tsv:1: the header is \"idx\\tlabel\", expected \"index\\tprediction\""]
        );
        assert!(
            replaced(HEADER, &format!("\u{feff}{HEADER}"))[0].starts_with("RTE.tsv:1: begins with a byte")
        );
        assert_eq!(
            replaced("\n5\tentailment", "\n5\t1"),
            ["RTE.tsv:7: the prediction \"1\" is not entailment or not_entailment"]
        );
        assert_eq!(
            replaced("\n5\tentailment", "\n5\tneutral"),
            ["RTE.tsv:7: the prediction \"neutral\" is not entailment or not_entailment"]
        );
        assert_eq!(
            replaced("\n5\tentailment", "\n5,entailment"),
            ["RTE.tsv:7: has 1 column, expected 2: the index and the prediction, separated by a tab"]
        );
        assert_eq!(
            replaced("\n5\t", "\nfive\t"),
            ["RTE.tsv:7: the index \"five\" is not a whole number from 0 to 2999"]
        );
        assert_eq!(
            replaced("\n5\t", "\n4\t"),
            [
                "RTE.tsv:7: the index 4 is in line 6 already",
                "RTE.tsv:8: the index is 6, expected 5; the rows are in the order of the test split"
            ]
        );
        assert_eq!(
            replaced("\n2999\t", "\n3000\t"),
            ["RTE.tsv:3001: the index 3000 is above the last one, 2999"]
        );
        assert_eq!(
            replaced("2999\tentailment\n", ""),
            ["RTE.tsv: has 2999 rows, and the test split has 3,000"]
        );
        assert_eq!(problems(|_| String::new()).len(), 2, "no header and no rows");
        let from_one = problems(|text| text.replacen("\n0\tentailment", "", 1) + "3000\tentailment\n");
        assert_eq!(from_one.len(), 2, "{from_one:?}");
        assert!(from_one[0].starts_with("RTE.tsv:2: the index is 1, expected 0"), "{from_one:?}");
    }

    #[test]
    fn many_problems_of_a_file_are_counted() {
        let found = problems(|text| text.replace("entailment", "yes"));
        assert_eq!(found.len(), MAX_PROBLEMS + 1);
        assert_eq!(found[MAX_PROBLEMS], "RTE.tsv: has 2995 further problems of these kinds");
    }

    #[test]
    fn numbers_are_finite_and_on_the_scale() {
        let of_stsb = |text: &str| {
            let mut entries = entries();
            let valid = rows(submission_file("STS-B.tsv").unwrap());
            let changed = valid.replacen("\n0\t2.701", &format!("\n0\t{text}"), 1);
            entries[9].content = Some(Ok(changed.into_bytes()));
            check_entries(entries).problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of_stsb("0"), [""; 0]);
        for text in ["NaN", "inf", "5.1", "-0.5", "high", ""] {
            let found = of_stsb(text);
            let expected = format!("STS-B.tsv:2: the prediction {text:?} is not a number from 0 to 5");
            assert_eq!(found, [expected]);
        }
    }
}
