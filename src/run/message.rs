//! One sentence for each event, for `log.txt`, the log on the screen, printed lines and screen readers.

use crate::catalog::Metric;
use crate::event::{
    AverageEval, Command, Eval, Event, ProbeResult, Saved, Scores, Started, Status, TrainingSettings,
};
use crate::format;

/// Characters of a probe that are quoted.
const MAX_QUOTE: usize = 48;

/// How a sentence is highlighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// Information.
    Note,
    /// A warning.
    Warning,
    /// A new best score.
    Best,
}

/// The sentence for `event`; `None` for steps, progress and gauges.
pub fn describe(event: &Event) -> Option<(LogKind, String)> {
    let note = |text: String| Some((LogKind::Note, text));
    match event {
        Event::Started(started) => note(describe_start(started)),
        Event::Eval(eval) => {
            let kind = if eval.best { LogKind::Best } else { LogKind::Note };
            Some((kind, describe_eval(eval)))
        }
        Event::AverageEval(AverageEval { averaging, eval }) => {
            let kind = if eval.best { LogKind::Best } else { LogKind::Note };
            Some((kind, format!("{}, {}", averaging.phrase(), describe_eval(eval))))
        }
        Event::Probe(probe) => note(describe_flip(probe)?),
        Event::Saved(saved) => note(describe_saved(saved)),
        Event::Command { step, command, error: Some(error), .. } => {
            Some((LogKind::Warning, format!("{command} at step {} failed: {error}", format::count(*step))))
        }
        Event::Command { step, command, settings, replayed, .. } => {
            let suffix = if *replayed { " (replayed)" } else { "" };
            note(format!("{}{suffix}", describe_command(*step, *command, *settings)))
        }
        Event::Note { warning, text, .. } => {
            Some((if *warning { LogKind::Warning } else { LogKind::Note }, text.clone()))
        }
        Event::Ended { status: Status::Finished, .. } => note("finished".into()),
        Event::Ended { status: Status::Stopped, .. } => note("stopped; the run can be resumed".into()),
        Event::Ended { status: Status::Failed, error, .. } => {
            let error = error.as_deref().unwrap_or("unknown error");
            Some((LogKind::Warning, format!("failed: {error}")))
        }
        Event::Progress(_) | Event::Step(_) | Event::Machine(_) => None,
    }
}

/// [`describe`] as plain text: warnings start with `warning:`.
pub fn line(event: &Event) -> Option<String> {
    let (kind, text) = describe(event)?;
    let is_warning = kind == LogKind::Warning && matches!(event, Event::Note { .. });
    Some(if is_warning { format!("warning: {text}") } else { text })
}

/// `1 step`, `1,268 steps`.
fn plural(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", format::count(number))
}

fn describe_start(started: &Started) -> String {
    let [train, validation, test] = started.rows.map(|rows| format::count(rows as u64));
    let resumed = match started.first_step {
        0 => String::new(),
        step => format!("; resumes after step {}", format::count(step)),
    };
    format!(
        "{}: {} on {}, seed {}; {}, {}; {train} training, {validation} validation, {test} test rows; {}; {}, {} \
         per epoch{resumed}",
        started.spec.experiment,
        started.spec.model,
        started.spec.task,
        started.spec.seed,
        started.device,
        started.precision,
        plural(started.trainable_parameters, "trainable parameter"),
        plural(started.total_steps, "step"),
        format::count(started.steps_per_epoch),
    )
}

/// `validation at step 268: accuracy 81.23 %, loss 0.4322, new best`; `train at step 268, running mean: …`.
fn describe_eval(eval: &Eval) -> String {
    let best = if eval.best { ", new best" } else { "" };
    let (split, step) = (eval.split.name(), format::count(eval.step));
    let mean = if eval.scores.running_mean { ", running mean" } else { "" };
    format!("{split} at step {step}{mean}: {}{best}", describe_scores(&eval.scores))
}

/// All scores, the loss last.
fn describe_scores(scores: &Scores) -> String {
    let metrics = Metric::ALL.iter().copied().filter(|metric| *metric != Metric::Loss).chain([Metric::Loss]);
    let texts = metrics.filter_map(|metric| {
        let value = scores.get(metric)?;
        Some(format!("{} {}", format::metric(metric), format::whole_score(metric, value)))
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// `"not bad at all" is positive at step 268, was negative`; `None` when the label has not changed.
fn describe_flip(result: &ProbeResult) -> Option<String> {
    let (label, before) = (result.prediction.label()?, result.prediction.flipped_from()?);
    let text = result.probe.line();
    let end = text.char_indices().nth(MAX_QUOTE).map(|(end, _)| end);
    let quote = end.map_or(text.clone(), |end| format!("{}...", text[..end].trim_end()));
    Some(format!("\"{quote}\" is {label} at step {}, was {before}", format::count(result.step)))
}

fn describe_saved(saved: &Saved) -> String {
    format!("saved {} ({} in {:.1} s)", saved.path.display(), format::bytes(saved.bytes), saved.seconds)
}

fn describe_command(step: u64, command: Command, settings: Option<TrainingSettings>) -> String {
    let step = format::count(step);
    match (command, settings) {
        (Command::Pause, _) => format!("paused at step {step}"),
        (Command::Resume, _) => format!("resumed at step {step}"),
        (Command::Eval, _) => format!("evaluation requested at step {step}"),
        (Command::Save, _) => format!("checkpoint requested at step {step}"),
        (Command::Stop, _) => format!("stop requested at step {step}"),
        (Command::Halve | Command::LearningRate(_), Some(settings)) => {
            format!("learning_rate {} from step {step}", format::real(settings.learning_rate))
        }
        (_, Some(settings)) => format!("{} in total from step {step}", plural(settings.total_steps, "step")),
        // The log of a replayed run starts with the commands that it will execute.
        (command, None) => format!("will {command} at step {step}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Averaging, ProbePrediction, SplitName};
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
    fn each_event_is_described_in_one_sentence() {
        let text = "validation at step 1,268: accuracy 81.23 %, loss 0.4322";
        assert_eq!(describe(&eval(false)), Some((LogKind::Note, text.into())));
        assert_eq!(describe(&eval(true)), Some((LogKind::Best, format!("{text}, new best"))));
        let Event::Eval(best) = eval(true) else { unreachable!() };
        let average = Event::AverageEval(AverageEval { averaging: Averaging::Ema, eval: best });
        let expected = format!("averaged weights (EMA), {text}, new best");
        assert_eq!(describe(&average), Some((LogKind::Best, expected)));
        let settings = TrainingSettings { learning_rate: 1e-5, total_steps: 1250 };
        let halve = Event::Command {
            step: 40,
            command: Command::Halve,
            settings: Some(settings),
            replayed: true,
            error: None,
        };
        assert_eq!(line(&halve).unwrap(), "learning_rate 1e-5 from step 40 (replayed)");
        let flip = |flipped_from| {
            let probabilities = vec![0.25, 0.75];
            let text = ProbePrediction::Label { label: "positive".into(), flipped_from, probabilities };
            let pin = Probe { text: "not bad at all".into(), text_pair: None };
            line(&Event::Probe(Box::new(ProbeResult {
                step: 1268,
                epoch: 1.0,
                probe: pin,
                prediction: text,
            })))
        };
        let text = flip(Some("negative".into())).unwrap();
        assert_eq!(text, "\"not bad at all\" is positive at step 1,268, was negative");
        assert_eq!(flip(None), None);
        let warning = Event::warning("3 rows are truncated");
        assert_eq!(line(&warning).unwrap(), "warning: 3 rows are truncated");
        let failed = Event::Ended { time: 0.0, status: Status::Failed, error: Some("out of memory".into()) };
        assert_eq!(line(&failed).unwrap(), "failed: out of memory");
    }
}
