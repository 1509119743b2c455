//! The scores of runs with their best weights, as their event logs say. A log that grows is read on from where it was left.

use crate::catalog::Metric;
use crate::event::{AverageEval, Averaging, Eval, Event, Scores, SplitName};
use crate::run::log_tail::{LogTail, TailItem, parse_event};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// What the line of an evaluation in a log has, of weights or of averaged weights.
const EVALUATION: &str = "eval\",";

/// The logs of the runs of a scoreboard, which may still grow. Each of their lines is read once.
#[derive(Debug, Default)]
pub struct ScoreLogs {
    seeds: HashMap<PathBuf, ScoreLog>,
}

impl ScoreLogs {
    /// Reads what is new in the logs of the seeds in `dirs`, and forgets those of other directories.
    pub(super) fn update(&mut self, dirs: &[PathBuf]) {
        let mut seeds = HashMap::new();
        for dir in dirs {
            let mut log = self.seeds.remove(dir).unwrap_or_else(|| ScoreLog::of(dir));
            // A log that cannot be read may be another one the next time.
            if log.update() {
                seeds.insert(dir.clone(), log);
            }
        }
        self.seeds = seeds;
    }

    /// The scores of the seed in `dir`; `None` before its first evaluation after a step.
    pub(super) fn best_of(&self, dir: &Path) -> Option<BestScores> {
        self.seeds.get(dir)?.best()
    }
}

/// The evaluations in the log of a seed that its best scores may depend on.
#[derive(Debug)]
struct ScoreLog {
    tail: LogTail,
    /// The last best evaluation of the validation split.
    best: Option<(Eval, Option<Averaging>)>,
    /// The scores of other splits at the step of `best` and after it, of weights and of averaged weights.
    others: BTreeMap<(u64, Option<Averaging>, SplitName), Scores>,
}

impl ScoreLog {
    fn of(dir: &Path) -> ScoreLog {
        ScoreLog { tail: LogTail::of_events(dir), best: None, others: BTreeMap::new() }
    }

    /// Reads the new lines. Returns whether the log can be read.
    fn update(&mut self) -> bool {
        let ScoreLog { tail, best, others } = self;
        let read = tail.read_lines(&mut |item| {
            let line = match item {
                TailItem::Item(line) => line,
                TailItem::Restarted => {
                    (*best, *others) = (None, BTreeMap::new());
                    return;
                }
            };
            // Most lines of a long log are steps.
            let is_evaluation =
                line.windows(EVALUATION.len()).take(64).any(|part| part == EVALUATION.as_bytes());
            let (eval, averaging) = match is_evaluation.then(|| parse_event(line)).flatten() {
                Some(Event::Eval(eval)) => (eval, None),
                Some(Event::AverageEval(AverageEval { averaging, eval })) => (eval, Some(averaging)),
                _ => return,
            };
            if eval.split == SplitName::Validation && eval.best {
                others.retain(|(step, ..), _| *step >= eval.step);
                *best = Some((eval, averaging));
            } else {
                others.insert((eval.step, averaging, eval.split), eval.scores);
            }
        });
        read.is_ok()
    }

    fn best(&self) -> Option<BestScores> {
        let (best, averaging) = self.best.as_ref()?;
        let of_best = self.others.iter().filter(|((step, of, _), _)| (step, of) == (&best.step, averaging));
        let others = of_best.map(|((.., split), scores)| (*split, scores.clone())).collect();
        Some(BestScores { validation: best.scores.clone(), others })
    }
}

/// The scores of a seed with its best weights.
pub(super) struct BestScores {
    /// Those of the validation split.
    pub(super) validation: Scores,
    /// Those of the other splits that metrics are taken from.
    pub(super) others: BTreeMap<SplitName, Scores>,
}

impl BestScores {
    /// The scores that have a metric of the task, and the name of the metric there.
    pub(super) fn scores_of(&self, metric: Metric) -> Option<(&Scores, Metric)> {
        match metric.source() {
            None => Some((&self.validation, metric)),
            Some((split, own)) => Some((self.others.get(&split)?, own)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};

    fn eval(step: u64, split: SplitName, best: bool, accuracy: f64) -> String {
        let metrics = [(Metric::Accuracy, Some(accuracy))].into_iter().collect();
        let scores = Scores { metrics, examples: 100, ..Scores::default() };
        let eval = Eval { step, epoch: 1.0, split, scores, best, seconds: 0.1 };
        serde_json::to_string(&Event::Eval(eval)).unwrap() + "\n"
    }

    /// The accuracy of the validation split and of the mismatched one.
    fn best(logs: &ScoreLogs, dir: &Path) -> Option<(Option<f64>, Option<f64>)> {
        let best = logs.best_of(dir)?;
        let value = |metric| best.scores_of(metric).and_then(|(scores, own)| scores.get(own));
        Some((value(Metric::Accuracy), value(Metric::AccuracyMm)))
    }

    #[test]
    fn best_scores_are_those_of_the_last_best_evaluation() {
        let home = tempfile::tempdir().unwrap();
        let (own, other) = (SplitName::Validation, SplitName::ValidationMismatched);
        let log = [
            eval(0, own, false, 0.1),
            eval(4, other, false, 0.55),
            eval(4, own, true, 0.6),
            eval(8, other, false, 0.65),
            eval(8, own, true, 0.7),
            eval(12, other, false, 0.9),
            eval(12, own, false, 0.69),
            "{\"kind\":\"eval\",\"torn".into(),
        ];
        std::fs::write(home.path().join("events.jsonl"), log.concat()).unwrap();
        let mut logs = ScoreLogs::default();
        logs.update(&[home.path().into(), home.path().join("none")]);
        assert_eq!(best(&logs, home.path()), Some((Some(0.7), Some(0.65))));
        assert_eq!(best(&logs, &home.path().join("none")), None);
    }

    #[test]
    fn best_scores_are_those_of_averaged_weights_if_these_are_the_best() {
        let home = tempfile::tempdir().unwrap();
        let (own, other) = (SplitName::Validation, SplitName::ValidationMismatched);
        let averaged = |split, best, accuracy| {
            let line = eval(4, split, best, accuracy);
            let Ok(Event::Eval(eval)) = serde_json::from_str(&line) else { panic!("{line}") };
            let average = AverageEval { averaging: Averaging::Ema, eval };
            serde_json::to_string(&Event::AverageEval(average)).unwrap() + "\n"
        };
        let log = [
            eval(4, other, false, 0.55),
            averaged(other, false, 0.75),
            eval(4, own, false, 0.6),
            averaged(own, true, 0.7),
        ];
        std::fs::write(home.path().join("events.jsonl"), log.concat()).unwrap();
        let mut logs = ScoreLogs::default();
        logs.update(&[home.path().into()]);
        assert_eq!(best(&logs, home.path()), Some((Some(0.7), Some(0.75))));
    }

    #[test]
    fn each_line_of_a_log_is_read_once() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.jsonl");
        let (own, other) = (SplitName::Validation, SplitName::ValidationMismatched);
        let first = eval(4, own, true, 0.6);
        std::fs::write(&path, &first).unwrap();
        let (mut logs, dirs) = (ScoreLogs::default(), [home.path().to_path_buf()]);
        logs.update(&dirs);
        assert_eq!(best(&logs, home.path()), Some((Some(0.6), None)));
        // What was read is replaced by other bytes, which nobody looks at.
        let mut file = std::fs::File::options().write(true).open(&path).unwrap();
        file.write_all(&b"x".repeat(first.len() - 1)).unwrap();
        file.seek(std::io::SeekFrom::End(0)).unwrap();
        logs.update(&dirs);
        assert_eq!(best(&logs, home.path()), Some((Some(0.6), None)));
        file.write_all((eval(8, other, false, 0.5) + &eval(8, own, true, 0.7)).as_bytes()).unwrap();
        logs.update(&dirs);
        assert_eq!(best(&logs, home.path()), Some((Some(0.7), Some(0.5))));
        // A shorter file is another log.
        std::fs::write(&path, eval(2, own, true, 0.2)).unwrap();
        logs.update(&dirs);
        assert_eq!(best(&logs, home.path()), Some((Some(0.2), None)));
        logs.update(&[]);
        assert_eq!(best(&logs, home.path()), None);
    }
}
