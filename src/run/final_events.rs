//! The events of a run without those that a later attempt has done again.

use crate::event::Event;

/// The events of the attempts to train a run, without the steps and evaluations that a later attempt, which resumed from an
/// earlier checkpoint, has done again. Of several evaluations of the same weights on a split, the last one stays.
pub fn final_events(events: Vec<Event>) -> Vec<Event> {
    let mut found: Vec<Event> = Vec::with_capacity(events.len());
    for event in events {
        match &event {
            Event::Started(started) => {
                found.retain(|earlier| step(earlier).is_none_or(|step| step <= started.first_step));
            }
            Event::Eval(eval) => {
                // The same step is at the end.
                let same_step =
                    found.iter().rposition(|earlier| step(earlier).is_some_and(|at| at < eval.step));
                let start = same_step.map_or(0, |position| position + 1);
                let is_same = |earlier: &Event| matches!(earlier, Event::Eval(other) if (other.step, other.split) == (eval.step, eval.split));
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

/// Optimizer steps done at an event that is repeated when its step is.
fn step(event: &Event) -> Option<u64> {
    match event {
        Event::Step(step) => Some(step.step),
        Event::Eval(eval) => Some(eval.step),
        Event::Probe(probe) => Some(probe.step),
        Event::Saved(saved) => Some(saved.step),
        Event::Command { step, .. } => Some(*step),
        _ => None,
    }
}
