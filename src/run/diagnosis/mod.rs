//! Diagnoses of a training that does not learn, from its own numbers: while it runs, after each evaluation of the
//! validation split, and at its end.
//!
//! [`Monitor`] folds the events of a run and answers each with the events to add to them: a warning for a new diagnosis,
//! a note when a problem no longer applies. The log, the screens and `summary.json` show these. The rules with their
//! thresholds are in `rules`, and what to try in `remedy`; they are functions of [`Facts`](facts::Facts) alone.

mod facts;
mod remedy;
mod rules;
#[cfg(test)]
mod tests;

use crate::event::{Diagnosis, Event, Problem, SplitName};
use facts::Facts;

/// Watches the events of one training.
#[derive(Debug, Default)]
pub struct Monitor {
    facts: Option<Facts>,
    active: Vec<Diagnosis>,
}

impl Monitor {
    /// Takes an event of the training, and returns the events to add after it.
    pub fn fold(&mut self, event: &Event) -> Vec<Event> {
        match event {
            Event::Started(started) => match &mut self.facts {
                Some(facts) => facts.restart(started),
                None => self.facts = Some(Facts::new(started)),
            },
            Event::Note { warning, text, problem: Some(problem), settings, .. } => {
                self.active.retain(|active| active.problem != *problem);
                if *warning {
                    let (text, settings) = (text.clone(), settings.clone());
                    self.active.push(Diagnosis { problem: *problem, text, settings });
                }
            }
            _ => {}
        }
        let Some(facts) = &mut self.facts else { return Vec::new() };
        match event {
            Event::Step(step) if facts.take_step(step) => return self.diagnose(Occasion::Steps),
            Event::Eval(eval) if eval.split == SplitName::Validation && eval.step > 0 => {
                facts.take_eval(eval);
                return self.diagnose(Occasion::Evaluation);
            }
            Event::Command { settings: Some(settings), .. } => {
                (facts.learning_rate, facts.total_steps) = (settings.learning_rate, settings.total_steps);
            }
            _ => {}
        }
        Vec::new()
    }

    /// Whether the fold needs this event of a training that resumes. Of the steps, only the first ones are needed: those
    /// after the checkpoint are done again.
    pub(super) fn needs_recorded_step(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| !facts.has_first_loss())
    }

    /// Ends the training after its last step, and returns the events to add before its end.
    pub fn finish(&mut self) -> Vec<Event> {
        let Some(facts) = &mut self.facts else { return Vec::new() };
        facts.is_finished = true;
        self.diagnose(Occasion::Evaluation)
    }

    /// The diagnoses that apply, oldest first.
    pub fn active(&self) -> &[Diagnosis] {
        &self.active
    }

    /// Applies the rules, and returns a warning for each new problem and a note for each that no longer applies. A
    /// problem that lasts keeps its numbers until the end, which has a warning with the last ones.
    fn diagnose(&mut self, occasion: Occasion) -> Vec<Event> {
        let Some(facts) = &self.facts else { return Vec::new() };
        let mut found = rules::apply(facts, &self.active);
        let has = |found: &[Diagnosis], problem| found.iter().any(|diagnosis| diagnosis.problem == problem);
        let gone: Vec<Diagnosis> =
            self.active.iter().filter(|active| !has(&found, active.problem)).cloned().collect();
        let mut events = Vec::new();
        match occasion {
            Occasion::Evaluation => {
                events.extend(gone.iter().map(|gone| Event::resolved(gone.problem, resolved(gone.problem))));
            }
            Occasion::Steps => found.splice(..0, gone).for_each(drop),
        }
        for diagnosis in &mut found {
            match self.active.iter().find(|active| active.problem == diagnosis.problem) {
                Some(known) if !facts.is_finished || known.text == diagnosis.text => {
                    *diagnosis = known.clone();
                }
                _ => events.push(Event::diagnosis(diagnosis.clone())),
            }
        }
        self.active = found;
        events
    }
}

/// When the rules are applied.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Occasion {
    /// After some steps. A problem may begin, but only an evaluation shows that one is over.
    Steps,
    /// After an evaluation of the validation split, or at the end.
    Evaluation,
}

/// What the log says when a problem no longer applies.
fn resolved(problem: Problem) -> &'static str {
    match problem {
        Problem::NotLearning => {
            "the model learns: its predictions are better than the class frequencies alone"
        }
        Problem::Diverging => "the training loss is no longer above its start",
        Problem::VanishingGradients => "the gradients are no longer near zero",
        Problem::Overfitting => "the validation score has a new best value",
        Problem::LearningRateTooLow => "the learning rate is no longer too low",
    }
}
