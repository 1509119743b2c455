//! `runs`: lists the runs, newest first.

use super::args::{GlobalArgs, RunsArgs};
use super::output::{self, table};
use crate::error::Result;
use crate::format;
use crate::format::whole_score as score;
use crate::run::{self, Difference, Reproduction, RunRow};

pub(super) fn runs(global: &GlobalArgs, args: &RunsArgs) -> Result<()> {
    if args.published {
        return published(global);
    }
    let rows = run::list(&global.runs_dir)?;
    if global.json {
        return output::json(&rows);
    }
    if rows.is_empty() {
        output::stderr_line(format!(
            "no runs in {}; start one with: glue-tui train demo",
            global.runs_dir.display()
        ));
        return Ok(());
    }
    let header = ["NAME", "TASK", "MODEL", "SEED", "STATUS", "BEST", "STEPS", "TIME", "STARTED"];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(cells));
    output::stdout_line(table(&lines))?;
    for row in &rows {
        if let Some(problem) = &row.problem {
            output::stderr_line(format!("{} is unreadable: {problem}", row.name));
        }
    }
    Ok(())
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

fn cells(row: &RunRow) -> Vec<String> {
    if row.problem.is_some() {
        return [&row.name, "-", "-", "-", row.status.name(), "-", "-", "-", "-"].map(str::to_owned).to_vec();
    }
    let best = match (row.best, row.repeats) {
        (Some((metric, _)), Some(all)) if all.count > 1 => {
            format!(
                "{} {} ± {} ({})",
                metric.name(),
                score(metric, all.mean),
                score(metric, all.sd),
                all.count
            )
        }
        (Some((metric, value)), _) => format!("{} {}", metric.name(), score(metric, value)),
        (None, _) => "-".into(),
    };
    let steps = if row.total_steps > 0 { format!("{}/{}", row.steps, row.total_steps) } else { "-".into() };
    vec![
        row.name.clone(),
        row.task.clone(),
        row.model.clone(),
        row.seed.to_string(),
        row.status.name().into(),
        best,
        steps,
        format::duration(row.train_seconds),
        started(row.started),
    ]
}

/// A time in the local time zone, or `-` when it is unknown.
fn started(seconds: f64) -> String {
    let known = (seconds > 0.0).then(|| jiff::Timestamp::from_second(seconds as i64).ok()).flatten();
    known.map_or("-".into(), |time| {
        time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Metric;
    use crate::run::{Repeats, RunStatus};

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
            steps: 10,
            total_steps: 40,
            train_seconds: 75.0,
            started: 0.0,
            repeats: None,
            problem: None,
            measured_speed: None,
        }
    }

    #[test]
    fn row_has_a_cell_per_column() {
        let line = ["demo-1", "demo", "demo", "42", "stopped", "accuracy 91.50 %", "10/40", "1:15", "-"];
        assert_eq!(cells(&row()), line);
    }

    #[test]
    fn unreadable_run_is_a_row() {
        let row = RunRow { status: RunStatus::Unreadable, problem: Some("cannot read it".into()), ..row() };
        assert_eq!(cells(&row), ["demo-1", "-", "-", "-", "unreadable", "-", "-", "-", "-"]);
    }

    #[test]
    fn repeats_show_mean_and_standard_deviation() {
        let all = RunRow { repeats: Some(Repeats { count: 8, mean: 0.84, sd: 0.004 }), ..row() };
        assert_eq!(cells(&all)[5], "accuracy 84.00 % ± 0.40 % (8)");
    }
}
