//! The events of a run without those that a later attempt has done again.

use crate::event::{AverageEval, Averaging, Eval, Event, SplitName};

/// The events of the attempts to train a run, without the steps and evaluations that a later attempt, which resumed from an
/// earlier checkpoint, has done again. Of several evaluations of the same weights on a split, the last one stays.
pub fn final_events(events: Vec<Event>) -> Vec<Event> {
    let mut found: Vec<Event> = Vec::with_capacity(events.len());
    for event in events {
        match &event {
            Event::Started(started) => {
                found.retain(|earlier| step(earlier).is_none_or(|step| step <= started.first_step));
            }
            Event::Eval(Eval { step: at, .. })
            | Event::AverageEval(AverageEval { eval: Eval { step: at, .. }, .. }) => {
                // The same step is at the end.
                let same_step =
                    found.iter().rposition(|earlier| step(earlier).is_some_and(|earlier| earlier < *at));
                let start = same_step.map_or(0, |position| position + 1);
                let is_same = |earlier: &Event| evaluated(earlier) == evaluated(&event);
                let repeated = found.iter().skip(start).position(is_same).map(|position| start + position);
                if let Some(position) = repeated {
                    found.remove(position);
                }
            }
            _ => {}
        }
        found.push(event);
    }
    found
}

/// The weights and the split of an evaluation.
fn evaluated(event: &Event) -> Option<(u64, SplitName, Option<Averaging>)> {
    match event {
        Event::Eval(eval) => Some((eval.step, eval.split, None)),
        Event::AverageEval(AverageEval { averaging, eval }) => {
            Some((eval.step, eval.split, Some(*averaging)))
        }
        _ => None,
    }
}

/// Optimizer steps done at an event that is repeated when its step is.
fn step(event: &Event) -> Option<u64> {
    match event {
        Event::Step(step) => Some(step.step),
        Event::Eval(eval) | Event::AverageEval(AverageEval { eval, .. }) => Some(eval.step),
        Event::Probe(probe) => Some(probe.step),
        Event::Saved(saved) => Some(saved.step),
        Event::Command { step, .. } => Some(*step),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Scores;

    #[test]
    fn the_last_evaluation_of_the_same_weights_stays() {
        let eval = |step: u64, loss: f64| Eval {
            step,
            epoch: 1.0,
            split: SplitName::Validation,
            scores: Scores { loss, ..Scores::default() },
            best: false,
            seconds: 0.1,
        };
        let weights = |step, loss| Event::Eval(eval(step, loss));
        let average = |step, loss| {
            Event::AverageEval(AverageEval { averaging: Averaging::Ema, eval: eval(step, loss) })
        };
        let events =
            vec![weights(4, 0.5), average(4, 0.4), weights(8, 0.3), average(8, 0.2), average(8, 0.1)];
        let expected = vec![weights(4, 0.5), average(4, 0.4), weights(8, 0.3), average(8, 0.1)];
        assert_eq!(final_events(events), expected);
    }
}
