//! `compare`: compares two sides, each one or several seeds of a recipe.

use super::args::{CompareArgs, GlobalArgs};
use super::output::{self, table};
use crate::catalog::Metric;
use crate::error::Result;
use crate::format;
use crate::run::comparison::{
    Comparison, MetricComparison, Side, SideScore, difference_interval, difference_text, p_text,
};
use crate::text::plural;

pub(super) fn compare(global: &GlobalArgs, args: &CompareArgs) -> Result<()> {
    let runs_dir = &global.runs_dir;
    let (a, b) = (Side::find(runs_dir, &args.a)?, Side::find(runs_dir, &args.b)?);
    let comparison = Comparison::of(runs_dir, a, b)?;
    if global.json {
        return output::json(&comparison);
    }
    comparison.notes.iter().for_each(output::stderr_line);
    output::stdout_line(text(&comparison))
}

fn text(comparison: &Comparison) -> String {
    let Comparison { task, rows, a, b, .. } = comparison;
    let header = ["METRIC", "A", "95 % CI", "B", "95 % CI", "A − B", "95 % CI", "P", "TEST"];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    lines.extend(comparison.metrics.iter().map(cells));
    let heads = [side("A", a), side("B", b), format!("{} of task {task}", plural(*rows, "validation row"))];
    [&heads.join("\n"), "", &table(&lines), "", &comparison.verdict].join("\n")
}

/// `A  demo-fast: 3 seeds (42, 43, 44)`.
fn side(letter: &str, side: &Side) -> String {
    let numbers: Vec<String> = side.seeds.iter().map(|seed| seed.seed.to_string()).collect();
    format!("{letter}  {}: {} ({})", side.name, plural(side.seeds.len(), "seed"), numbers.join(", "))
}

fn cells(comparison: &MetricComparison) -> Vec<String> {
    let MetricComparison { metric, a, b, difference, .. } = comparison;
    let interval = difference.confidence_interval;
    let mut cells = vec![metric.name().to_owned()];
    for side in [a, b] {
        cells.extend([score(*metric, side), score_interval(*metric, side)]);
    }
    cells.extend([
        difference_text(*metric, difference.value, interval),
        difference_interval(*metric, interval),
        p_text(difference.p_value),
        difference.test.title().to_owned(),
    ]);
    cells
}

/// The mean, with the standard deviation over the seeds if there are several.
fn score(metric: Metric, side: &SideScore) -> String {
    let mean = format::whole_score(metric, side.mean);
    side.sd.map_or_else(|| mean.clone(), |sd| format!("{mean} ± {}", format::whole_score(metric, sd)))
}

fn score_interval(metric: Metric, side: &SideScore) -> String {
    format::interval(metric, side.confidence_interval.low, side.confidence_interval.high)
}
