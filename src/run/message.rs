//! An event of a run as one describe for people. The log of the run, that of the interface, printed lines and
//! whoever follows a run by ear get the same.

use crate::catalog::Metric;
use crate::event::{
    Command, Eval, Event, ProbePrediction, ProbeResult, Saved, Scores, Started, Status, TrainingSettings,
};
use crate::format;

/// Severity of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// Information.
    Note,
    /// Warning.
    Warning,
    /// Best score so far.
    Best,
}

/// Characters of a text that a describe quotes.
const QUOTED: usize = 48;

/// What `event` says, and how it is meant; nothing for single steps and for work that is being done.
pub fn describe(event: &Event) -> Option<(LogKind, String)> {
    let note = |text: String| Some((LogKind::Note, text));
    match event {
        Event::Started(started) => note(begun(started)),
        Event::Eval(eval) => {
            let kind = if eval.best { LogKind::Best } else { LogKind::Note };
            Some((kind, evaluated(eval)))
        }
        Event::Probe(probe) => note(flipped(probe)?),
        Event::Saved(saved) => note(kept(saved)),
        Event::Command { step, command, settings, replayed } => {
            let again = if *replayed { ", as before" } else { "" };
            note(format!("{}{again}", obeyed(*step, *command, *settings)))
        }
        Event::Note { warning, text, .. } => {
            Some((if *warning { LogKind::Warning } else { LogKind::Note }, text.clone()))
        }
        Event::Ended { status: Status::Finished, .. } => note("finished".into()),
        Event::Ended { status: Status::Stopped, .. } => note("stopped; the work is saved".into()),
        Event::Ended { status: Status::Failed, error, .. } => {
            let why = error.as_deref().unwrap_or("without saying why");
            Some((LogKind::Warning, format!("failed: {why}")))
        }
        _ => None,
    }
}

/// [`describe`], with a word before what is cause for concern, for where there is no colour to tell.
pub fn line(event: &Event) -> Option<String> {
    let (kind, text) = describe(event)?;
    let is_warned = kind == LogKind::Warning && matches!(event, Event::Note { .. });
    Some(if is_warned { format!("warning: {text}") } else { text })
}

fn begun(started: &Started) -> String {
    let [train, validation, test] = started.rows.map(|rows| format::count(rows as u64));
    let resumed = match started.first_step {
        0 => String::new(),
        step => format!("; goes on after step {}", format::count(step)),
    };
    format!(
        "{}: {} on {}, seed {}; {}, {}; {train} training, {validation} validation, {test} test rows; \
         {} trainable parameters; {} steps, {} an epoch{resumed}",
        started.spec.experiment,
        started.spec.model,
        started.spec.task,
        started.spec.seed,
        started.device,
        started.precision,
        format::count(started.trainable_parameters),
        format::count(started.total_steps),
        format::count(started.steps_per_epoch),
    )
}

/// `validation at step 268: accuracy 81.23 %, loss 0.4322, new best`.
fn evaluated(eval: &Eval) -> String {
    let best = if eval.best { ", new best" } else { "" };
    format!("{} at step {}: {}{best}", eval.split.name(), format::count(eval.step), scores(&eval.scores))
}

/// All scores of a pass, the loss last.
fn scores(scores: &Scores) -> String {
    let official = Metric::ALL.iter().copied().filter(|metric| *metric != Metric::Loss).chain([Metric::Loss]);
    let told = official.filter_map(|metric| {
        let value = scores.get(metric)?;
        Some(format!("{} {}", format::metric(metric), format::whole_score(metric, value)))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// `"not bad at all" is positive at step 268, was negative`; nothing where the label is the one it was.
fn flipped(probe: &ProbeResult) -> Option<String> {
    let ProbePrediction::Label { label, flipped_from: Some(before), .. } = &probe.prediction else {
        return None;
    };
    let text = probe.probe.line();
    let end = text.char_indices().nth(QUOTED).map(|(end, _)| end);
    let quoted = end.map_or(text.clone(), |end| format!("{}...", text[..end].trim_end()));
    Some(format!("\"{quoted}\" is {label} at step {}, was {before}", format::count(probe.step)))
}

fn kept(saved: &Saved) -> String {
    format!("saved {} ({} in {:.1} s)", saved.path.display(), format::bytes(saved.bytes), saved.seconds)
}

fn obeyed(step: u64, command: Command, settings: Option<TrainingSettings>) -> String {
    let step = format::count(step);
    match (command, settings) {
        (Command::Pause, _) => format!("paused at step {step}"),
        (Command::Resume, _) => format!("goes on at step {step}"),
        (Command::Eval, _) => format!("asked for an evaluation at step {step}"),
        (Command::Save, _) => format!("asked for a checkpoint at step {step}"),
        (Command::Stop, _) => format!("asked to stop at step {step}"),
        (Command::Halve | Command::LearningRate(_), Some(settings)) => {
            format!("learning_rate {} from step {step} on", format::real(settings.learning_rate))
        }
        (_, Some(settings)) => {
            format!("{} steps in all, as of step {step}", format::count(settings.total_steps))
        }
        // What a run is to do once more stands at the beginning of its log.
        (command, None) => format!("will {command} at step {step}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SplitName;
    use crate::probes::Probe;
    use std::collections::BTreeMap;

    fn eval(best: bool) -> Event {
        let scores = Scores {
            loss: 0.43219,
            metrics: BTreeMap::from([(Metric::Accuracy, Some(0.8123))]),
            examples: 10,
            ..Scores::default()
        };
        Event::Eval(Eval { step: 1268, epoch: 1.0, split: SplitName::Validation, scores, best, seconds: 1.0 })
    }

    #[test]
    fn an_event_is_one_sentence() {
        let told = "validation at step 1,268: accuracy 81.23 %, loss 0.4322";
        assert_eq!(describe(&eval(false)), Some((LogKind::Note, told.into())));
        assert_eq!(describe(&eval(true)), Some((LogKind::Best, format!("{told}, new best"))));
        let settings = TrainingSettings { learning_rate: 1e-5, total_steps: 1250 };
        let halved =
            Event::Command { step: 40, command: Command::Halve, settings: Some(settings), replayed: true };
        assert_eq!(line(&halved).unwrap(), "learning_rate 1e-5 from step 40 on, as before");
        let flip = |flipped_from| {
            let probabilities = vec![0.25, 0.75];
            let told = ProbePrediction::Label { label: "positive".into(), flipped_from, probabilities };
            let pin = Probe { text: "not bad at all".into(), text_pair: None };
            line(&Event::Probe(Box::new(ProbeResult {
                step: 1268,
                epoch: 1.0,
                probe: pin,
                prediction: told,
            })))
        };
        let told = flip(Some("negative".into())).unwrap();
        assert_eq!(told, "\"not bad at all\" is positive at step 1,268, was negative");
        assert_eq!(flip(None), None);
        let warning = Event::Note { time: 0.0, warning: true, text: "three rows were cut".into() };
        assert_eq!(line(&warning).unwrap(), "warning: three rows were cut");
        let failed = Event::Ended { time: 0.0, status: Status::Failed, error: Some("no room".into()) };
        assert_eq!(line(&failed).unwrap(), "failed: no room");
    }
}
