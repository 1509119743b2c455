//! The channel from a training to whoever shows it.
//!
//! A training never waits for a slow reader, such as a terminal that does not take output, and events must not
//! pile up in memory. So, while many events are unread:
//!
//! - [`Event::Progress`] and [`Event::Machine`] are dropped: newer values replace them.
//! - [`Event::Step`]s are merged into one that covers all their optimizer steps, as if `logging_steps` were
//!   larger, until there is space again.
//! - All other events, a few per evaluation, are still sent, up to a number that only a reader that has ended
//!   leaves unread. Beyond it they are dropped too, except the last one.
//!
//! The log has every event in any case.

use crate::event::{Event, Step};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::path::Path;
use std::sync::Arc;

/// Unread events above which steps are merged.
const MERGE_ABOVE: usize = 3072;
/// Unread events above which all others are dropped.
const MAX_UNREAD: usize = 1 << 16;

/// An event with the run that it belongs to.
#[derive(Debug, Clone)]
pub struct RunEvent {
    /// Index of the seed among the repeats.
    pub repeat: u64,
    /// The run directory of that seed.
    pub dir: Arc<Path>,
    /// The event.
    pub event: Event,
}

/// The sending end.
#[derive(Debug)]
pub(super) struct EventSender {
    sender: Sender<RunEvent>,
    /// Steps that are not sent yet, as one.
    pending: Option<RunEvent>,
    /// Optimizer steps done at the step event that was sent last.
    last_step: u64,
}

/// A channel for the events of one run.
pub(super) fn event_channel() -> (EventSender, Receiver<RunEvent>) {
    let (sender, receiver) = unbounded();
    (EventSender { sender, pending: None, last_step: 0 }, receiver)
}

impl EventSender {
    /// Sends an event. Does nothing once the receiver is dropped.
    pub(super) fn send(&mut self, event: &RunEvent) {
        match &event.event {
            Event::Step(step) => {
                self.merge(event, step);
                self.try_send_pending();
            }
            Event::Progress(_) | Event::Machine(_) => {
                self.try_send_pending();
                if self.pending.is_none() && self.has_space() {
                    self.sender.send(event.clone()).ok();
                }
            }
            other => {
                if self.sender.len() < MAX_UNREAD || matches!(other, Event::Ended { .. }) {
                    self.flush();
                    self.sender.send(event.clone()).ok();
                }
            }
        }
    }

    fn has_space(&self) -> bool {
        self.sender.len() < MERGE_ABOVE
    }

    /// Adds a step event to those that are not sent yet.
    fn merge(&mut self, event: &RunEvent, step: &Step) {
        let is_next = match self.pending.as_ref().map(|pending| (&pending.dir, &pending.event)) {
            Some((dir, Event::Step(pending))) => *dir == event.dir && step.step > pending.step,
            _ => false,
        };
        if !is_next {
            self.flush();
        }
        match self.pending.as_mut().map(|pending| &mut pending.event) {
            Some(Event::Step(pending)) => *pending = merged(pending, step, self.last_step),
            _ => self.pending = Some(event.clone()),
        }
    }

    fn try_send_pending(&mut self) {
        if self.has_space() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Some(event) = self.pending.take() {
            if let Event::Step(step) = &event.event {
                self.last_step = step.step;
            }
            self.sender.send(event).ok();
        }
    }
}

/// One event for the steps of `first` and of `second`, which follows it. `before` is the step that `first`
/// starts after.
fn merged(first: &Step, second: &Step, before: u64) -> Step {
    let first_steps = first.step.saturating_sub(before).max(1) as f64;
    let second_steps = (second.step - first.step) as f64;
    let usage = match (&first.usage, &second.usage) {
        (Some(first), Some(second)) => {
            let mut sum = first.clone();
            sum.add(second);
            Some(sum)
        }
        (first, second) => second.clone().or_else(|| first.clone()),
    };
    Step {
        loss: (first_steps * first.loss + second_steps * second.loss) / (first_steps + second_steps),
        examples: first.examples + second.examples,
        tokens: first.tokens + second.tokens,
        seconds: first.seconds + second.seconds,
        usage,
        ..second.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Progress, Status, Unit};

    fn run_event(event: Event) -> RunEvent {
        RunEvent { repeat: 0, dir: Arc::from(Path::new("run")), event }
    }

    fn step(step: u64) -> RunEvent {
        run_event(Event::Step(Step {
            step,
            epoch: step as f64 / 100.0,
            loss: step as f64,
            learning_rate: 1e-4,
            grad_norm: 0.5,
            examples: 32,
            tokens: 640,
            seconds: 0.5,
            usage: None,
        }))
    }

    fn progress() -> RunEvent {
        run_event(Event::Progress(Progress {
            what: "evaluating".into(),
            done: 1,
            total: None,
            unit: Unit::Bytes,
        }))
    }

    #[test]
    fn slow_reader_gets_every_step_in_fewer_events() {
        let (mut sender, receiver) = event_channel();
        let steps = 10 * MERGE_ABOVE as u64;
        for number in 1..=steps {
            sender.send(&step(number));
            sender.send(&progress());
        }
        for _ in 0..100 {
            sender.send(&run_event(Event::note("kept")));
        }
        sender.send(&run_event(Event::Ended { time: 0.0, status: Status::Finished, error: None }));
        drop(sender);
        let events: Vec<Event> = receiver.iter().map(|event| event.event).collect();
        assert!(events.len() <= MERGE_ABOVE + 103);
        assert_eq!(events.iter().filter(|event| matches!(event, Event::Note { .. })).count(), 100);
        assert!(matches!(events.last(), Some(Event::Ended { .. })));
        let found: Vec<&Step> =
            events.iter().filter_map(|e| if let Event::Step(step) = e { Some(step) } else { None }).collect();
        assert!(found.windows(2).all(|pair| pair[0].step < pair[1].step));
        assert_eq!(found.iter().map(|step| step.examples).sum::<u64>(), 32 * steps);
        let last = found.last().unwrap();
        assert_eq!(last.step, steps);
        let first = steps - last.examples / 32 + 1;
        assert!((last.loss - f64::midpoint(first as f64, steps as f64)).abs() < 1e-6, "the mean loss");
    }

    #[test]
    fn fast_reader_gets_every_event() {
        let (mut sender, receiver) = event_channel();
        for number in 1..=2 * MERGE_ABOVE as u64 {
            sender.send(&step(number));
            sender.send(&progress());
            assert_eq!(receiver.try_iter().count(), 2);
        }
    }

    #[test]
    fn reader_that_never_reads_neither_blocks_nor_fills_the_memory() {
        let (mut sender, receiver) = event_channel();
        for _ in 0..MAX_UNREAD + 100 {
            sender.send(&run_event(Event::note("text")));
        }
        sender.send(&run_event(Event::Ended { time: 0.0, status: Status::Stopped, error: None }));
        assert_eq!(receiver.len(), MAX_UNREAD + 1);
        drop(sender);
        assert!(matches!(receiver.iter().last().unwrap().event, Event::Ended { .. }));
    }
}
