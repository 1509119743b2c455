//! Pinned sentences: typed, kept, and what the evaluations of a run said of them.

use super::stage::*;

use glue_tui::event::{Event, ProbePrediction, ProbeResult, SplitName};
use glue_tui::probes::{MAX_PROBES, Probe};
use glue_tui::run::history::History;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::state::App;
use glue_tui::tui::state::infer::OpenedModel;
use glue_tui::tui::update::update;
use std::path::PathBuf;

fn pin(text: &str) -> Probe {
    Probe { text: text.into(), text_pair: None }
}

fn pins() -> Vec<Probe> {
    ["not bad at all", "it could have been a great film, had anybody cut an hour of it", "日本語"]
        .map(pin)
        .to_vec()
}

/// The recorded run, had sentences been pinned: after each evaluation of the validation split what was said of each.
fn recorded_with(pins: &[Probe]) -> Vec<Event> {
    let mut all = Vec::new();
    let mut evaluations = 0.0;
    for event in recorded() {
        let at = match &event {
            Event::Eval(eval) if eval.split == SplitName::Validation => Some((eval.step, eval.epoch)),
            _ => None,
        };
        all.push(event);
        let Some((step, epoch)) = at else { continue };
        for (pin, slope) in pins.iter().zip([0.1, -0.08, 0.02]) {
            let told = |evaluations: f32| {
                let positive = 0.45 + slope * evaluations;
                let label = if positive > 0.5 { "positive" } else { "negative" };
                (positive, label.to_string())
            };
            let (positive, label) = told(evaluations);
            let before = (evaluations > 0.0).then(|| told(evaluations - 1.0).1);
            let flipped_from = before.filter(|before| *before != label);
            let told =
                ProbePrediction::Label { label, flipped_from, probabilities: vec![1.0 - positive, positive] };
            all.push(Event::Probe(Box::new(ProbeResult {
                step,
                epoch,
                probe: pin.clone(),
                prediction: told,
            })));
        }
        evaluations += 1.0;
    }
    all
}

#[test]
fn live_screen_with_probes() {
    snapshot("live-probes", |width, height| {
        let mut app = training(width, height, "demo", 0);
        for event in recorded_with(&pins()) {
            update(&mut app, said(0, event));
        }
        app
    });
}

/// The inference pane on the weights of a run that has scored what is pinned.
fn pinned(width: u16, height: u16) -> App {
    let mut app = judging(width, height, "the plot is thin, but nobody will be bored");
    let dir = PathBuf::from("runs/demo-20261123-095711-01ab");
    let all: Vec<_> = pins().into_iter().chain([pin("pinned since then")]).collect();
    let effects = update(&mut app, Msg::ProbesLoaded(Ok(all)));
    assert_eq!(effects, [Effect::RequireHistory(dir.clone())], "what the run said of them is read");
    let spec = glue_tui::spec::built_in("demo");
    let result = Ok((spec, vec![History::of(&recorded_with(&pins()))]));
    update(&mut app, Msg::HistoryLoaded { dir, result });
    app
}

#[test]
fn infer_screen_with_pins() {
    snapshot("infer-pins", pinned);
}

#[test]
fn probes_are_drawn_at_every_size_and_as_numbers_too() {
    let mut live = training(0, 0, "demo", 0);
    for event in recorded_with(&pins()) {
        update(&mut live, said(0, event));
    }
    let sides = [0, 1, 2, 3, 5, 8, 12, 15, 20, 40, 59, 60, 61, 79, 99, 100, 119, 120, 180, 300];
    for app in [&mut live, &mut pinned(0, 0)] {
        for width in sides {
            for height in sides {
                app.size = (width, height);
                buffer(app);
            }
        }
    }
    for (step, score) in [(400, 1.25), (500, 4.5)] {
        let probe = ProbeResult {
            step,
            epoch: 4.0,
            probe: pin("a number"),
            prediction: ProbePrediction::Score { score },
        };
        update(&mut live, said(0, Event::Probe(Box::new(probe))));
    }
    live.size = (120, 40);
    shows(&live, "4.50");
}

#[test]
fn a_sentence_is_pinned_and_let_go_by_the_same_key() {
    let mut app = judging(120, 40, "not bad at all");
    let effects = play(&mut app, "<^p>");
    assert_eq!(effects, [Effect::ToggleProbe(pin("not bad at all"))]);
    update(&mut app, Msg::ProbesLoaded(Ok(vec![pin("not bad at all")])));
    shows(&app, "no predictions");
    // Keeping it below and typing on does not let it go; what is pinned comes back after what was kept.
    play(&mut app, "<enter><up><up><up>");
    assert_eq!(app.infer.fields[0].text(), "not bad at all");
    assert_eq!(play(&mut app, "<^p>"), [Effect::ToggleProbe(pin("not bad at all"))]);
    update(&mut app, Msg::ProbesLoaded(Ok(Vec::new())));
    assert!(!text(&app).contains("Probes"));
    assert_eq!(play(&mut app, "<^u><^p>"), []);
    shows(&app, "type a text first");
}

#[test]
fn no_more_are_pinned_than_are_judged() {
    let mut app = judging(120, 40, "one more");
    update(&mut app, Msg::ProbesLoaded(Ok((0..MAX_PROBES).map(|number| pin(&number.to_string())).collect())));
    assert_eq!(play(&mut app, "<^p>"), []);
    shows(&app, "at most 8 probes are possible");
    update(&mut app, Msg::ProbesLoaded(Err("runs/probes.toml:4: missing field `text`".into())));
    shows(&app, "missing field `text`");
}

#[test]
fn pins_of_other_tasks_are_not_in_the_way() {
    let mut app = pinned(120, 40);
    let effects = play(&mut app, "<^o><down><down><enter>");
    let Some(Effect::OpenModel { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
    let opened = OpenedModel { name: "pairs".into(), pair: Some(true), step: None };
    update(&mut app, Msg::ModelOpened { request_id: *request_id, result: Ok(opened) });
    assert!(!text(&app).contains("not bad at all"), "{}", text(&app));
    let effects = play(&mut app, "<^u>same?<tab>the same?<^p>");
    let both = Probe { text: "same?".into(), text_pair: Some("the same?".into()) };
    assert_eq!(effects.last(), Some(&Effect::ToggleProbe(both)));
}

#[test]
fn the_log_tells_flips_only() {
    let history = History::of(&recorded_with(&pins()));
    let told: Vec<_> = history.log.iter().filter(|line| line.text.contains(", was ")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0].text, "\"not bad at all\" is positive at step 100, was negative");
}
