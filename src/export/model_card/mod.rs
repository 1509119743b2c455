//! The model card of a run, `README.md`: metadata for the hub as YAML, then what a person wants to know about the model
//! before using it: labels, data, recipe, scores with intervals, curves, and limitations.

mod facts;
mod limitations;
mod markdown;
mod metadata;
mod sections;
mod yaml;

use super::chart::svg::svg;
use super::chart::{Chart, ChartColors, ChartRange};
use crate::error::Result;
use crate::run::RunDir;
use crate::run::run_chart::RunChart;
use facts::CardFacts;

/// The charts of a card. A card is read on a white page more often than not.
const CHARTS: [RunChart; 2] = [RunChart::Score, RunChart::Loss];

/// The files of a model card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelCard {
    /// The content of `README.md`.
    pub(super) readme: String,
    /// The charts that it shows: names and contents of SVG files.
    pub(super) charts: Vec<(String, String)>,
}

impl ModelCard {
    /// The card of the best weights of a run, for files that a library of the hub reads.
    ///
    /// # Errors
    /// When the specification cannot be read. Any other file of the run that cannot be read leaves its part out.
    pub(super) fn of(dir: &RunDir, library: &str) -> Result<ModelCard> {
        Ok(ModelCard::from_facts(&CardFacts::read(dir)?, library))
    }

    fn from_facts(facts: &CardFacts, library: &str) -> ModelCard {
        let charts: Vec<(String, String)> = CHARTS.iter().filter_map(|chart| draw(facts, *chart)).collect();
        let names: Vec<&str> = charts.iter().map(|(name, _)| name.as_str()).collect();
        let readme = metadata::front_matter(facts, library)
            + &sections::introduction(facts)
            + &sections::data(facts)
            + &sections::recipe(facts)
            + &sections::scores(facts)
            + &sections::curves(&names)
            + &limitations::section(facts);
        ModelCard { readme, charts }
    }
}

/// A chart of the run, unless it has no values.
fn draw(facts: &CardFacts, chart: RunChart) -> Option<(String, String)> {
    let history = facts.history.as_ref().filter(|history| !chart.curves(history).is_empty())?;
    let seeds = std::slice::from_ref(history);
    let drawn = svg(&Chart::of_run(&facts.spec.experiment, seeds, chart, ChartRange::default(), colors()));
    Some((format!("{}.svg", chart.file_name()), drawn))
}

fn colors() -> ChartColors {
    let color = |css: &str| css.to_string();
    ChartColors {
        background: color("#ffffff"),
        text: color("#1f2328"),
        muted: color("#57606a"),
        frame: color("#8c959f"),
        change: color("#9a6700"),
        train: color("#0969da"),
        validation: color("#cf222e"),
        test: color("#1a7f37"),
    }
}

#[cfg(test)]
mod tests;
