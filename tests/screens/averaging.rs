//! Scores of averaged weights.

use super::fixtures::*;

use glue_tui::event::{AverageEval, Averaging, Eval, Event, SplitName};
use glue_tui::tui::update::update;

/// The recorded run with a moving average that is better than the weights at each evaluation.
fn recorded_with_average() -> Vec<Event> {
    let mut all = Vec::new();
    for event in recorded() {
        let Event::Eval(eval) = event else {
            all.push(event);
            continue;
        };
        if eval.split != SplitName::Validation || eval.step == 0 {
            all.push(Event::Eval(eval));
            continue;
        }
        let mut average = AverageEval { averaging: Averaging::Ema, eval: eval.clone() };
        for value in average.eval.scores.metrics.values_mut().flatten() {
            *value += 0.01;
        }
        all.push(Event::Eval(Eval { best: false, ..eval }));
        all.push(Event::AverageEval(average));
    }
    all
}

#[test]
fn live_screen_with_averaged_weights() {
    snapshot("live-average", |width, height| {
        let mut app = training(width, height, "demo", 0);
        for event in recorded_with_average() {
            update(&mut app, run_event(0, event));
        }
        app
    });
}
