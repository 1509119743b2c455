//! Probes: adding and removing them, and their predictions at each evaluation.

use super::fixtures::*;

use glue_tui::event::{Event, ProbePrediction, ProbeResult, SplitName};
use glue_tui::predict::Prediction;
use glue_tui::probes::{MAX_PROBES, Probe};
use glue_tui::run::history::History;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::state::App;
use glue_tui::tui::state::infer::OpenedModel;
use glue_tui::tui::update::update;
use std::path::PathBuf;

fn probe(text: &str) -> Probe {
    Probe { text: text.into(), text_pair: None }
}

fn probes() -> Vec<Probe> {
    ["not bad at all", "it could have been a great film, had anybody cut an hour of it", "日本語"]
        .map(probe)
        .to_vec()
}

/// The recorded run with predictions of probes after each evaluation of the validation split.
fn recorded_with_probes(probes: &[Probe]) -> Vec<Event> {
    let mut all = Vec::new();
    let mut evaluations = 0.0;
    for event in recorded() {
        let at = match &event {
            Event::Eval(eval) if eval.split == SplitName::Validation => Some((eval.step, eval.epoch)),
            _ => None,
        };
        all.push(event);
        let Some((step, epoch)) = at else { continue };
        for (probe, slope) in probes.iter().zip([0.1, -0.08, 0.02]) {
            let prediction = |evaluations: f32| {
                let positive = 0.45 + slope * evaluations;
                let label = if positive > 0.5 { "positive" } else { "negative" };
                (positive, label.to_string())
            };
            let (positive, label) = prediction(evaluations);
            let before = (evaluations > 0.0).then(|| prediction(evaluations - 1.0).1);
            let flipped_from = before.filter(|before| *before != label);
            let prediction =
                ProbePrediction::Label { label, flipped_from, probabilities: vec![1.0 - positive, positive] };
            all.push(Event::Probe(Box::new(ProbeResult { step, epoch, probe: probe.clone(), prediction })));
        }
        evaluations += 1.0;
    }
    all
}

#[test]
fn live_screen_with_probes() {
    snapshot("live-probes", |width, height| {
        let mut app = training(width, height, "demo", 0);
        for event in recorded_with_probes(&probes()) {
            update(&mut app, run_event(0, event));
        }
        app
    });
}

/// The Infer screen with the model of a run that has predictions of the probes.
fn infer_with_probes(width: u16, height: u16) -> App {
    let mut app = classifying(width, height, "the plot is thin, but nobody will be bored");
    let dir = PathBuf::from("runs/demo-20261123-095711-01ab");
    let all: Vec<_> = probes().into_iter().chain([probe("added after the run")]).collect();
    let effects = update(&mut app, Msg::ProbesLoaded(Ok(all)));
    assert_eq!(effects, [Effect::RequireHistory(dir.clone())], "the predictions of the run are loaded");
    let spec = glue_tui::spec::built_in("demo");
    let result = Ok((spec, vec![History::of(&recorded_with_probes(&probes()))]));
    update(&mut app, Msg::HistoryLoaded { dir, result });
    app
}

#[test]
fn infer_screen_with_probes() {
    snapshot("infer-probes", infer_with_probes);
}

#[test]
fn probes_are_drawn_at_every_size_and_for_regressions() {
    let mut live = training(0, 0, "demo", 0);
    for event in recorded_with_probes(&probes()) {
        update(&mut live, run_event(0, event));
    }
    let sides = [0, 1, 2, 3, 5, 8, 12, 15, 20, 40, 59, 60, 61, 79, 99, 100, 119, 120, 180, 300];
    for app in [&mut live, &mut infer_with_probes(0, 0)] {
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
            probe: probe("a number"),
            prediction: ProbePrediction::Score { score },
        };
        update(&mut live, run_event(0, Event::Probe(Box::new(probe))));
    }
    live.size = (120, 40);
    assert_shows(&live, "4.50");
}

#[test]
fn one_key_adds_and_removes_a_probe() {
    let mut app = classifying(120, 40, "not bad at all");
    let effects = press_keys(&mut app, "<^p>");
    assert_eq!(effects, [Effect::ToggleProbe(probe("not bad at all"))]);
    update(&mut app, Msg::ProbesLoaded(Ok(vec![probe("not bad at all")])));
    assert_shows(&app, "new: ^R classifies it");
    // Adding the text to the history keeps the probe; probes are recalled after the history.
    press_keys(&mut app, "<enter><up><up><up>");
    assert_eq!(app.infer.fields[0].text(), "not bad at all");
    assert_eq!(press_keys(&mut app, "<^p>"), [Effect::ToggleProbe(probe("not bad at all"))]);
    update(&mut app, Msg::ProbesLoaded(Ok(Vec::new())));
    assert!(!text(&app).contains("Probes"));
    assert_eq!(press_keys(&mut app, "<^u><^p>"), []);
    assert_shows(&app, "type a text first");
}

#[test]
fn a_probe_added_after_the_run_is_classified_on_request() {
    let mut app = infer_with_probes(120, 40);
    assert_shows(&app, "new: ^R classifies it");
    let effects = press_keys(&mut app, "<^r>");
    let [Effect::ClassifyProbes { request_id, probes }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(probes, &[probe("added after the run")], "the others have predictions of the evaluations");
    let classified = |output: &Prediction| vec![(probe("added after the run"), output.output.clone())];
    let result = Ok(classified(&prediction(0.9)));
    update(&mut app, Msg::ProbesClassified { request_id: request_id + 1, result: result.clone() });
    assert_shows(&app, "new: ^R classifies it");
    update(&mut app, Msg::ProbesClassified { request_id: *request_id, result });
    assert_shows(&app, "90.0 %  positive");
    assert_eq!(press_keys(&mut app, "<^r>"), []);
    assert_shows(&app, "The model is not being trained.");
}

#[test]
fn number_of_probes_is_limited() {
    let mut app = classifying(120, 40, "one more");
    update(
        &mut app,
        Msg::ProbesLoaded(Ok((0..MAX_PROBES).map(|number| probe(&number.to_string())).collect())),
    );
    assert_eq!(press_keys(&mut app, "<^p>"), []);
    assert_shows(&app, "at most 8 probes are possible");
    update(&mut app, Msg::ProbesLoaded(Err("runs/probes.toml:4: missing field `text`".into())));
    assert_shows(&app, "missing field `text`");
}

#[test]
fn probes_of_other_tasks_are_hidden() {
    let mut app = infer_with_probes(120, 40);
    let effects = press_keys(&mut app, "<^o><down><down><enter>");
    let Some(Effect::OpenModel { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
    let opened = OpenedModel { name: "pairs".into(), pair: Some(true), step: None };
    update(&mut app, Msg::ModelOpened { request_id: *request_id, result: Ok(opened) });
    assert!(!text(&app).contains("not bad at all"), "{}", text(&app));
    let effects = press_keys(&mut app, "<^u>same?<tab>the same?<^p>");
    let both = Probe { text: "same?".into(), text_pair: Some("the same?".into()) };
    assert_eq!(effects.last(), Some(&Effect::ToggleProbe(both)));
}

#[test]
fn log_contains_only_flipped_probes() {
    let history = History::of(&recorded_with_probes(&probes()));
    let flips: Vec<_> = history.log.iter().filter(|line| line.text.contains(", was ")).collect();
    assert_eq!(flips.len(), 2, "{flips:?}");
    assert_eq!(flips[0].text, "\"not bad at all\" is positive at step 100, was negative");
}
