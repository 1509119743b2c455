//! The scoreboard of a GLUE run as a table, or as JSON.

use crate::catalog::{Metric, task};
use crate::cli::output;
use crate::error::Result;
use crate::format;
use crate::run::sweep::{MetricScore, Scoreboard, SweepReport, TaskScores};
use crate::text::plural;
use serde_json::{Value, json};

/// The columns that are left out in a narrow terminal, in this order.
const OPTIONAL: [&str; 4] = ["SEEDS", "PUBLISHED TEST", "PUBLISHED", "STATUS"];

/// Prints the scoreboard of a sweep of tasks.
pub(super) fn print(report: &SweepReport, is_json: bool) -> Result<()> {
    let Some(board) = &report.scoreboard else { return Ok(()) };
    if is_json {
        let mut object = json!(board);
        if let Value::Object(fields) = &mut object {
            fields.insert("glue_run".into(), json!(report.dir.path()));
        }
        return output::json(&object);
    }
    output::stdout_line(output::fitted_table(&rows(board), &OPTIONAL))?;
    output::stdout_line(average_line(board))?;
    for task in board.tasks.iter().filter(|task| matches!(task.status, "skipped" | "failed")) {
        let reason = task.reason.as_deref().unwrap_or("see log.txt of its run");
        output::stdout_line(format!("{} {}: {reason}", task.task, task.status))?;
    }
    Ok(())
}

/// The table: a row for each metric of each task.
fn rows(board: &Scoreboard) -> Vec<Vec<String>> {
    let heads =
        ["TASK", "METRIC", "SCORE", "95 % INTERVAL", "SEEDS", "PUBLISHED", "PUBLISHED TEST", "STATUS"];
    let heads = heads.map(str::to_owned).to_vec();
    std::iter::once(heads).chain(board.tasks.iter().flat_map(task_rows)).collect()
}

fn task_rows(scores: &TaskScores) -> Vec<Vec<String>> {
    let name = task(scores.task).map_or(scores.task, |task| task.folder());
    let row = |index: usize, score: Option<&MetricScore>| {
        let (name, status) = if index == 0 { (name, scores.status) } else { ("", "") };
        let of_score = |text: &dyn Fn(&MetricScore) -> String| score.map_or_else(|| "-".into(), text);
        let optional = |metric: Metric, value: Option<f64>| {
            value.map_or_else(|| "-".into(), |value| format::score(metric, value))
        };
        vec![
            name.to_owned(),
            of_score(&|score| format::metric(score.metric).to_owned()),
            of_score(&|score| optional(score.metric, score.value)),
            of_score(&|score| {
                let interval = score.confidence_interval;
                interval
                    .map_or_else(|| "-".into(), |found| format::interval(score.metric, found.low, found.high))
            }),
            of_score(&|score| score.seeds.to_string()),
            of_score(&|score| optional(score.metric, score.published.map(|found| found.value))),
            of_score(&|score| optional(score.metric, score.published_test.map(|found| found.value))),
            status.to_owned(),
        ]
    };
    if scores.scores.is_empty() {
        return vec![row(0, None)];
    }
    scores.scores.iter().enumerate().map(|(index, score)| row(index, Some(score))).collect()
}

/// `GLUE average 78.3 over 9 tasks; published: 79.5 on the validation splits (Transformers, distillation README)`.
fn average_line(board: &Scoreboard) -> String {
    let own = match board.average {
        Some(average) => {
            format!("GLUE average {:.1} over {}", 100.0 * average.value, plural(average.tasks as u64, "task"))
        }
        None => "GLUE average: no task is finished yet".into(),
    };
    let Some(published) = board.published_average else { return own };
    let splits = [(published.validation, "validation"), (published.test, "test")];
    let values = splits
        .into_iter()
        .filter_map(|(value, split)| Some(format!("{:.1} on the {split} splits", value?)))
        .collect::<Vec<_>>();
    format!("{own}; published for 9 tasks: {} ({})", values.join(", "), published.source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{PublishedScore, published_average};
    use crate::run::sweep::GlueAverage;
    use crate::stats::ConfidenceInterval;

    #[test]
    fn each_metric_has_a_row_and_the_average_says_over_how_many_tasks() {
        let score = |metric, value| MetricScore {
            metric,
            value,
            sd: None,
            confidence_interval: value.map(|_| ConfidenceInterval { low: 0.1, high: 0.9 }),
            seeds: 1,
            rows: 408,
            published: Some(PublishedScore { value: 0.8407, source: "README" }),
            published_test: None,
        };
        let task = |name, status, scores| TaskScores {
            task: name,
            trial: 0,
            status,
            reason: None,
            run: None,
            scores,
            mean: Some(0.5),
        };
        let board = Scoreboard {
            model: "google-bert/bert-base-uncased".into(),
            tasks: vec![
                task("mrpc", "finished", vec![score(Metric::Accuracy, Some(0.84)), score(Metric::F1, None)]),
                task("qnli", "skipped", Vec::new()),
            ],
            average: Some(GlueAverage { value: 0.5, tasks: 1 }),
            published_average: published_average("google-bert/bert-base-uncased"),
        };
        let rows = rows(&board);
        assert_eq!(rows[1], ["MRPC", "accuracy", "84.0", "10.0 … 90.0", "1", "84.1", "-", "finished"]);
        assert_eq!(rows[2], ["", "F1", "-", "-", "1", "84.1", "-", ""]);
        assert_eq!(rows[3], ["QNLI", "-", "-", "-", "-", "-", "-", "skipped"]);
        assert_eq!(
            average_line(&board),
            "GLUE average 50.0 over 1 task; published for 9 tasks: 79.5 on the validation splits (Transformers, \
             distillation README)"
        );
    }
}
