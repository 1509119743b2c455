//! The settings that the diagnosis of a run suggests.

use super::app::App;
use crate::event::Diagnosis;
use crate::run::history::History;
use crate::spec::RunSpec;
use crate::tui::screen::Screen;

/// A diagnosed run that can be trained again with other settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suggestion<'a> {
    /// The specification of the run.
    pub spec: &'a RunSpec,
    /// What is wrong with the run and what to try.
    pub diagnosis: &'a Diagnosis,
}

impl App {
    /// The suggestion for the run on the Live screen, or for that under the cursor of the Runs screen.
    pub fn suggestion(&self) -> Option<Suggestion<'_>> {
        let history = match self.screen {
            Screen::Live => self.shown_run()?.history(),
            Screen::Runs => {
                let run = self.runs.run()?;
                let (dir, histories) = self.runs.preview.as_ref()?;
                histories.iter().rev().find(|history| history.started.is_some() && *dir == run.dir)?
            }
            _ => return None,
        };
        suggestion_of(history)
    }
}

/// The newest suggestion of a run.
fn suggestion_of(history: &History) -> Option<Suggestion<'_>> {
    let diagnosis = history.diagnoses.iter().rev().find(|diagnosis| !diagnosis.settings.is_empty())?;
    Some(Suggestion { spec: &history.started.as_ref()?.spec, diagnosis })
}
