//! `runs`: lists the runs, newest first.

use super::args::{GlobalArgs, RunsArgs};
use super::output::{self, table};
use crate::error::{Error, Result};
use crate::format;
use crate::format::whole_score as score;
use crate::run::executor::TaskList;
use crate::run::executor::slurm::poll;
use crate::run::filter::RunFilter;
use crate::run::{self, Difference, DiskUse, Reproduction, RunDir, RunRow, RunStatus};

pub(super) fn runs(global: &GlobalArgs, args: &RunsArgs) -> Result<()> {
    if args.published {
        return published(global);
    }
    // What cannot be asked now is asked later; the state of each run is that of the last answer.
    poll(&global.runs_dir).ok();
    let mut rows = run::list(&global.runs_dir)?;
    for row in rows.iter_mut().filter(|row| row.problem.is_none()) {
        row.disk = Some(DiskUse::of(&RunDir::at(&row.dir)));
    }
    let filter = RunFilter::parse(&args.filter.join(" "));
    if let Some(problem) = filter.problems().first() {
        return Err(Error::Usage(problem.to_string()));
    }
    let is_empty = rows.is_empty();
    rows.retain(|row| filter.matches_run(row));
    if global.json {
        return output::json(&rows);
    }
    if rows.is_empty() {
        let runs_dir = global.runs_dir.display();
        output::stderr_line(if is_empty {
            format!("no runs in {runs_dir}; start one with: glue-tui train demo")
        } else {
            format!("no run in {runs_dir} matches {}", args.filter.join(" "))
        });
        return Ok(());
    }
    output::stdout_line(output::fitted_table(&lines(&rows), &OPTIONAL))?;
    if let Some(problem) = TaskList::read(&global.runs_dir).problem() {
        output::stderr_line(format!("the states of the jobs in Slurm are not current: {problem}"));
    }
    for row in &rows {
        if let Some(problem) = &row.problem {
            output::stderr_line(format!("{} is unreadable: {problem}", row.name));
        }
        if let Some(problem) = &row.notes_problem {
            output::stderr_line(format!("{} has no name and tags: {problem}", row.name));
        }
    }
    Ok(())
}

/// The columns that a narrow terminal leaves out, the first one first.
const OPTIONAL: [&str; 11] =
    ["95 % CI", "SEED", "MODEL", "STEPS", "TASK", "STARTED", "DISK", "TIME", "TAGS", "CALLED", "REASON"];

/// A title, and the text of a run.
type TableColumn = (&'static str, fn(&RunRow) -> String);

/// The header and a line for each run. Columns that no run has a value for are left out.
fn lines(rows: &[RunRow]) -> Vec<Vec<String>> {
    let columns: [TableColumn; 13] = [
        ("NAME", |row| row.name.clone()),
        ("CALLED", |row| row.notes.display_name.clone().unwrap_or_default()),
        ("TAGS", |row| row.notes.tags_text()),
        ("TASK", |row| row.task.clone()),
        ("MODEL", |row| row.model.clone()),
        ("SEED", |row| row.seed.to_string()),
        ("STATUS", status),
        ("REASON", |row| row.reason.clone().unwrap_or_default()),
        ("BEST", best),
        ("95 % CI", interval),
        ("STEPS", steps),
        ("TIME", |row| format::duration(row.train_seconds)),
        ("DISK", |row| row.disk.map_or(String::new(), |disk| format::bytes(disk.bytes))),
    ];
    let columns = columns.into_iter().chain([("STARTED", started as fn(&RunRow) -> String)]);
    let columns = columns.filter(|(title, cell)| {
        let is_rare = matches!(*title, "CALLED" | "TAGS" | "REASON");
        !is_rare || rows.iter().any(|row| !cell(row).is_empty())
    });
    let columns: Vec<TableColumn> = columns.collect();
    let cell = |row: &RunRow, (title, cell): &TableColumn| {
        let is_known = row.problem.is_none() || matches!(*title, "NAME" | "STATUS" | "STARTED");
        let text = if is_known { cell(row) } else { String::new() };
        if text.is_empty() { "-".into() } else { text }
    };
    let header = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
    let rows = rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect());
    std::iter::once(header).chain(rows).collect()
}

/// The published results beside those of the runs that follow the same recipe.
fn published(global: &GlobalArgs) -> Result<()> {
    let reproductions = run::reproduced(&global.runs_dir)?;
    if global.json {
        return output::json(&reproductions);
    }
    let header = ["EXPERIMENT", "SPLIT", "PUBLISHED", "OURS", "DIFFERENCE", ""];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    lines.extend(reproductions.iter().flat_map(rows_of));
    for reproduction in &reproductions {
        for (name, why) in &reproduction.not_counted {
            output::stderr_line(format!("{name} is not counted for {}: {why}", reproduction.experiment));
        }
    }
    output::stdout_line(table(&lines))
}

fn rows_of(reproduction: &Reproduction) -> Vec<Vec<String>> {
    let cells = |row: &run::ReproductionRow| {
        let percent = |share: f64| format!("{:.2}", 100.0 * share);
        let ours = row.ours.map_or("-".into(), |ours| {
            format!("{} ± {} ({})", percent(ours.mean), percent(ours.sd), ours.count)
        });
        let (difference, verdict) = match row.difference {
            None => ("-".into(), format!("glue-tui train {}", reproduction.experiment)),
            Some(difference @ Difference { value, noise }) => {
                let noise = noise.map_or(String::new(), |noise| format!(" (± {})", percent(noise)));
                (format!("{:+.2}", 100.0 * value), format!("{}{noise}", difference.verdict()))
            }
        };
        let split = row.split.name().to_string();
        vec![reproduction.experiment.clone(), split, percent(row.published), ours, difference, verdict]
    };
    reproduction.rows.iter().map(cells).collect()
}

/// `finished`, or the status with the progress: `stopped 41 %`.
fn status(row: &RunRow) -> String {
    let name = row.status.name();
    match row.status {
        RunStatus::Finished | RunStatus::Unreadable | RunStatus::NotStarted | RunStatus::Pending => {
            name.into()
        }
        _ => format!("{name} {:.0} %", 100.0 * row.progress),
    }
}

fn best(row: &RunRow) -> String {
    match (row.best, row.repeats) {
        (Some((metric, _)), Some(all)) if all.count > 1 => format!(
            "{} {} ± {} ({})",
            metric.name(),
            score(metric, all.mean),
            score(metric, all.sd),
            all.count
        ),
        (Some((metric, value)), _) => format!("{} {}", metric.name(), score(metric, value)),
        (None, _) => String::new(),
    }
}

fn interval(row: &RunRow) -> String {
    let interval = row.best.zip(row.confidence_interval);
    interval.map_or(String::new(), |((metric, _), interval)| {
        format::interval(metric, interval.low, interval.high)
    })
}

fn steps(row: &RunRow) -> String {
    if row.total_steps > 0 { format!("{}/{}", row.steps, row.total_steps) } else { String::new() }
}

/// The start in the local time zone.
fn started(row: &RunRow) -> String {
    let seconds = (row.started > 0.0).then_some(row.started as i64);
    let time = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or(String::new(), |time| {
        time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Metric;
    use crate::run::{Repeats, RunNotes};
    use crate::stats::wilson;

    fn row() -> RunRow {
        RunRow {
            dir: "runs/demo-1".into(),
            name: "demo-1".into(),
            experiment: "demo".into(),
            task: "demo".into(),
            model: "demo".into(),
            seed: 42,
            status: RunStatus::Stopped,
            best: Some((Metric::Accuracy, 0.915)),
            confidence_interval: wilson(183.0, 200),
            steps: 10,
            total_steps: 40,
            train_seconds: 75.0,
            started: 0.0,
            ..RunRow::default()
        }
    }

    fn cells(row: RunRow) -> Vec<String> {
        lines(&[row]).remove(1)
    }

    #[test]
    fn row_has_a_cell_per_column() {
        let header = [
            "NAME", "TASK", "MODEL", "SEED", "STATUS", "BEST", "95 % CI", "STEPS", "TIME", "DISK", "STARTED",
        ];
        assert_eq!(lines(&[row()])[0], header);
        let line = [
            "demo-1",
            "demo",
            "demo",
            "42",
            "stopped 25 %",
            "accuracy 91.50 %",
            "86.8 … 94.6",
            "10/40",
            "1:15",
            "2 kB",
            "-",
        ];
        let disk = Some(DiskUse { bytes: 2000, prunable_bytes: 0 });
        assert_eq!(cells(RunRow { disk, progress: 0.25, ..row() }), line);
    }

    #[test]
    fn names_and_tags_have_columns_once_a_run_has_them() {
        let notes =
            RunNotes { display_name: Some("mine".into()), tags: vec!["a".into(), "b".into()], note: None };
        let all = lines(&[row(), RunRow { notes, reason: Some("Resources".into()), ..row() }]);
        assert_eq!(
            (&all[0][1..3], &all[1][1..3], &all[2][1..3]),
            (
                &["CALLED".into(), "TAGS".into()][..],
                &["-".into(), "-".into()][..],
                &["mine".into(), "#a #b".into()][..],
            )
        );
        for title in OPTIONAL {
            assert!(all[0].iter().any(|cell| cell == title), "{title}");
        }
    }

    #[test]
    fn unreadable_run_is_a_row() {
        let row = RunRow { status: RunStatus::Unreadable, problem: Some("cannot read it".into()), ..row() };
        assert_eq!(cells(row), ["demo-1", "-", "-", "-", "unreadable", "-", "-", "-", "-", "-", "-"]);
    }

    #[test]
    fn repeats_show_mean_and_standard_deviation() {
        let all = RunRow { repeats: Some(Repeats { count: 8, mean: 0.84, sd: 0.004 }), ..row() };
        assert_eq!(cells(all)[5], "accuracy 84.00 % ± 0.40 % (8)");
    }
}
