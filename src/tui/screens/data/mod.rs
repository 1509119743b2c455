//! The data of an experiment before anything is trained on it: classes, lengths, and what is wrong with its rows.

mod draw;

pub use draw::{draw, draw_tiny};

use crate::run::profile::DataProfile;
use crate::spec::RunSpec;
use crate::tui::app::{App, Tab};
use crate::tui::msg::{Action, Effect};

/// Counts that are kept, so that one goes back to them at once.
const KEPT: usize = 8;

/// The state of the screen.
#[derive(Debug, Default)]
pub struct DataView {
    /// The experiment that is looked at, filled.
    pub of: Option<RunSpec>,
    /// What was counted, or why it could not be; the newest at the end.
    counted: Vec<(RunSpec, Result<DataProfile, String>)>,
    /// The place of the split whose lengths are drawn.
    split: usize,
}

/// What counts depend on: all but what an experiment is called and how long its inputs may be. Lengths are counted
/// whole, so another limit needs no other count.
fn rows_of(spec: &RunSpec) -> RunSpec {
    RunSpec { experiment: String::new(), max_seq_length: 0, ..spec.clone() }
}

impl DataView {
    /// What is known of the rows of the experiment that is looked at.
    fn known(&self) -> Option<&Result<DataProfile, String>> {
        let rows = rows_of(self.of.as_ref()?);
        self.counted.iter().find(|(of, _)| *of == rows).map(|(_, result)| result)
    }

    fn count(&self) -> Vec<Effect> {
        let spec = self.of.as_ref().filter(|_| self.known().is_none());
        spec.map_or(Vec::new(), |spec| vec![Effect::ProfileData(Box::new(rows_of(spec)))])
    }

    /// Takes over what was counted.
    pub fn counted(&mut self, of: RunSpec, result: Result<DataProfile, String>) {
        self.counted.retain(|(other, _)| *other != of);
        self.counted.push((of, result));
        self.counted.drain(..self.counted.len().saturating_sub(KEPT));
    }
}

/// Goes to the screen with the experiment under the cursor.
pub fn open(app: &mut App) -> Vec<Effect> {
    match app.runs.experiment().map(|row| row.spec.clone()) {
        Some(Ok(spec)) => {
            app.go(Tab::Data);
            app.data.of = Some(spec);
            app.data.split = 0;
            app.data.count()
        }
        Some(Err(why)) => {
            app.complain("This experiment is not understood", why);
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Effect> {
    let view = &mut app.data;
    match action {
        Action::Next => {
            let splits =
                view.known().and_then(|known| known.as_ref().ok()).map_or(1, |known| known.splits.len());
            view.split = (view.split + 1) % splits.max(1);
        }
        Action::Refresh => {
            if let Some(rows) = view.of.as_ref().map(rows_of) {
                view.counted.retain(|(of, _)| *of != rows);
            }
            return view.count();
        }
        Action::Back => app.go(Tab::Runs),
        _ => {}
    }
    Vec::new()
}
