//! What the user copies: the selection of the current screen as text.

use super::app::App;
use super::popup::Popup;
use super::run::RunState;
use super::runs::ListLine;
use crate::predict::to_json;
use crate::run::run_chart::RunChart;
use crate::tui::screen::Screen;
use crate::tui::widgets::line_chart::ChartView;
use std::path::PathBuf;

/// A copied selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// What it is, as in `the path`.
    pub what: &'static str,
    /// Its content.
    pub content: CopiedContent,
}

/// The content of a copied selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopiedContent {
    /// Text.
    Text(String),
    /// A path, which is made absolute.
    Path(PathBuf),
}

impl CopiedContent {
    /// As text.
    pub fn text(&self) -> String {
        match self {
            CopiedContent::Text(text) => text.clone(),
            CopiedContent::Path(path) => {
                std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
            }
        }
    }
}

impl Copied {
    fn text(what: &'static str, text: impl Into<String>) -> Copied {
        Copied { what, content: CopiedContent::Text(text.into()) }
    }

    fn path(dir: &std::path::Path) -> Copied {
        Copied { what: "the path", content: CopiedContent::Path(dir.to_path_buf()) }
    }
}

/// The unit of the axis and a position on it.
fn position(view: ChartView, at: f64) -> String {
    format!("{}\t{}", view.axis.name(), (at * 1e6).round() / 1e6)
}

impl App {
    /// The selection: of a message its text, of a list the row under the cursor, of charts the values at the cursor, or
    /// without a cursor the path of the run, of a prediction its object.
    pub fn copied(&self) -> Option<Copied> {
        if let Some(Popup::Message { text, .. }) = &self.popup {
            return Some(Copied::text("the message", text.text(self.theme)));
        }
        match self.screen {
            Screen::Runs => self.copied_line(),
            Screen::Live | Screen::Machine => {
                let run = self.shown_run()?;
                Some(self.values_at_cursor(run).unwrap_or_else(|| Copied::path(&run.dir)))
            }
            Screen::Infer => {
                let (_, _, prediction) = self.infer.prediction.as_ref()?;
                Some(Copied::text("the prediction", to_json(&self.infer.texts(), prediction).to_string()))
            }
            Screen::Compare => {
                let run = || self.compare.run(&self.runs.runs).map(|run| Copied::path(&run.dir));
                self.compared_values().or_else(run)
            }
            Screen::Insight => self.copied_row(),
            Screen::Open => {
                let preview = self.open.preview()?;
                Some(Copied::text("the row", preview.rows.get(self.open.first_row)?.join("\t")))
            }
            Screen::Sweep => {
                let trial = self.sweep.trial()?;
                if let Some(dir) = &trial.dir {
                    return Some(Copied::path(dir));
                }
                let sweep = &self.sweep.loaded()?.report.sweep;
                Some(Copied::text("the values", sweep.describe_trial(trial.number)))
            }
            Screen::Data => {
                let spec = self.data.spec.as_ref()?;
                Some(Copied::text("the settings", crate::spec::assignments(spec)))
            }
        }
    }

    /// The value under the cursor of the form, or the line of the list.
    fn copied_line(&self) -> Option<Copied> {
        if let Some(form) = &self.form {
            let field = form.field()?;
            return Some(Copied::text("the value", format!("{}={}", field.key.name, field.text)));
        }
        Some(match self.runs.line()? {
            ListLine::Run(run) => Copied::path(&run.dir),
            ListLine::Queued(entry) if entry.run.is_some() => Copied::path(entry.run.as_deref()?),
            ListLine::Sweep(row) => {
                Copied::text("the command", format!("glue-tui train --resume {}", row.name))
            }
            line => Copied::text("the command", format!("glue-tui train {}", line.name())),
        })
    }

    /// The position of the cursor and the value of each chart there, one a line.
    fn values_at_cursor(&self, run: &RunState) -> Option<Copied> {
        let (view, history) = (self.live.chart, run.history());
        let fraction = view.cursor_fraction()?;
        let last = history.total_steps().max(history.steps_done()) as f64;
        let end = history.step_axis.mapper(view.axis).at(last);
        let at = fraction * end;
        let mut lines = vec![position(view, at)];
        for chart in RunChart::ALL {
            for (curve, series) in chart.curves(history) {
                if let Some(value) = series.value_at(history.step_axis.mapper(view.axis), at) {
                    let name = format!("{} {}", chart.file_name(), curve.column());
                    lines.push(format!("{name}\t{value}"));
                }
            }
        }
        (lines.len() > 1).then(|| Copied::text("the values", lines.join("\n")))
    }

    /// The value of each marked run at the cursor of the Compare screen, one a line.
    fn compared_values(&self) -> Option<Copied> {
        let (compare, view) = (&self.compare, self.compare.chart);
        let fraction = view.cursor_fraction()?;
        let histories = || compare.marks.iter().flat_map(|mark| mark.histories(self.training.as_ref()));
        let ends =
            histories().map(|history| history.step_axis.mapper(view.axis).at(history.steps_done() as f64));
        let at = fraction * ends.fold(0.0, f64::max);
        let mut lines = vec![position(view, at)];
        for mark in &compare.marks {
            for history in mark.histories(self.training.as_ref()) {
                let series = compare.quantity.series(history);
                let value =
                    series.and_then(|series| series.value_at(history.step_axis.mapper(view.axis), at));
                lines.extend(value.map(|value| format!("{}\t{value}", mark.name())));
            }
        }
        (lines.len() > 1).then(|| Copied::text("the values", lines.join("\n")))
    }

    /// The text of the row under the cursor of the Insight screen, or the path of the run.
    fn copied_row(&self) -> Option<Copied> {
        let insight = &self.insight;
        let row = || {
            let examples = insight.loaded()?.report.examples.as_ref().ok()?;
            let example = examples.get(insight.row(insight.selected)?)?;
            let pair = example.text_pair.iter().map(String::as_str);
            let texts: Vec<&str> = std::iter::once(example.text.as_str()).chain(pair).collect();
            Some(Copied::text("the text", texts.join("\t")))
        };
        let path = || insight.subject.as_ref().map(|subject| Copied::path(&subject.dir));
        if insight.is_on_text() { row() } else { path() }
    }
}
