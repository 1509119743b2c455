//! The Insight screen: confusion matrix, calibration, rows.

use super::fixtures::*;

use glue_tui::batch::Label;
use glue_tui::catalog::{Labels, ProblemType};
use glue_tui::data::Example;
use glue_tui::event::Event;
use glue_tui::run::error_analysis::{CrossSeed, ErrorReport, FoldTraining, Folds};
use glue_tui::spec::{RunSpec, built_in};
use glue_tui::train::{Predictions, SavedPredictions};
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::state::infer::{ModelSource, OpenedModel};

use glue_tui::tui::state::insight::Subject;
use glue_tui::tui::theme::{Charset, ColorDepth, Theme};
use glue_tui::tui::update::update;
use ratatui::style::Color;

const DIR: &str = "runs/demo-20261123-095711-01ab";

/// Text, class, and the probability of `positive` before training and at three evaluations.
const ROWS: [(&str, u32, [f64; 4]); 12] = [
    ("a film that earns every minute of its length", 1, [0.52, 0.81, 0.93, 0.97]),
    ("tired jokes, told twice", 0, [0.51, 0.30, 0.12, 0.04]),
    ("not bad at all", 1, [0.48, 0.31, 0.42, 0.66]),
    ("nobody will be bored", 1, [0.49, 0.22, 0.11, 0.06]),
    ("it could have been so much more", 0, [0.53, 0.58, 0.71, 0.78]),
    ("\u{1b}[31mred alert\u{1b}[0m\twith a\u{202e} trick", 0, [0.52, 0.44, 0.21, 0.09]),
    ("日本語の映画はとても美しい", 1, [0.50, 0.55, 0.74, 0.88]),
    (
        "an honest, warm and quietly funny portrait of three people who cannot leave the town they were born in, however hard they try",
        1,
        [0.55, 0.87, 0.96, 0.99],
    ),
    ("i want my evening back", 0, [0.47, 0.35, 0.08, 0.02]),
    ("wonderful", 0, [0.56, 0.91, 0.97, 0.99]),
    ("flat", 0, [0.50, 0.41, 0.33, 0.31]),
    ("sharp", 1, [0.51, 0.60, 0.58, 0.52]),
];

fn evaluations() -> Vec<SavedPredictions> {
    let steps = [(0, 0.0), (100, 1.0), (200, 2.0), (1_267, 2.5)];
    let evaluation = |(index, (step, epoch)): (usize, (u64, f64))| {
        let mut predictions = Predictions::new(ProblemType::SingleLabelClassification, ROWS.len(), 2);
        for (row, (_, label, positive)) in ROWS.iter().enumerate() {
            let p = positive[index];
            predictions.set(row, &[0.0, (p / (1.0 - p)).ln() as f32], Label::Class(*label));
        }
        SavedPredictions { step, epoch, predictions }
    };
    steps.into_iter().enumerate().map(evaluation).collect()
}

fn texts() -> Vec<Example> {
    let example = |(text, label, _): &(&str, u32, _)| Example {
        text: (*text).to_string(),
        text_pair: None,
        label: Some(Label::Class(*label)),
    };
    ROWS.iter().map(example).collect()
}

fn labels() -> Labels {
    ["negative", "positive"].map(str::to_owned).to_vec().into()
}

pub(super) fn report() -> ErrorReport {
    ErrorReport::new(built_in("demo"), labels(), evaluations(), Ok(texts()))
}

fn empty_report() -> ErrorReport {
    ErrorReport::new(built_in("demo"), labels(), Vec::new(), Ok(Vec::new()))
}

fn subject() -> Subject {
    Subject { dir: DIR.into(), seed: None }
}

/// The app with the screen opened on a past run, before its predictions are read.
fn opened(width: u16, height: u16) -> App {
    let mut app = app(width, height);
    let effects = press_keys(&mut app, "jjjjw");
    assert_eq!(effects.last(), Some(&Effect::LoadPredictions(subject())));
    app
}

pub(super) fn loaded(width: u16, height: u16, report: ErrorReport) -> App {
    let mut app = opened(width, height);
    update(&mut app, Msg::PredictionsLoaded { subject: subject(), result: Ok(Box::new(report)) });
    app
}

#[test]
fn insight_screen() {
    snapshot("insight", |width, height| loaded(width, height, report()));
}

#[test]
fn insight_screen_of_a_cell() {
    snapshot("insight-cell", |width, height| {
        let mut app = loaded(width, height, report());
        press_keys(&mut app, ",<down><enter>");
        app
    });
}

#[test]
fn insight_screen_of_thresholds() {
    snapshot("insight-thresholds", |width, height| {
        let mut app = loaded(width, height, report());
        press_keys(&mut app, "t<right>");
        app
    });
}

#[test]
fn thresholds_are_those_of_the_selected_label_and_evaluation() {
    let mut app = loaded(160, 40, report());
    press_keys(&mut app, "t");
    assert_shows(&app, "Thresholds of negative");
    press_keys(&mut app, "<right><right>");
    assert_shows(&app, "Thresholds of positive");
    assert_shows(&app, "precision 90 %");
    assert_shows(&app, "not reached");
    let at_the_end = text(&app);
    press_keys(&mut app, ",");
    assert_ne!(text(&app), at_the_end, "another evaluation");
    press_keys(&mut app, "<esc>");
    assert_shows(&app, "Hardest rows");
    press_keys(&mut app, "tm");
    assert_shows(&app, "Likely label errors");
}

#[test]
fn insight_screen_of_label_errors_without_texts() {
    snapshot("insight-label-errors", |width, height| {
        let texts = Err("data/demo: not found; data_dir names the folder with train.tsv".into());
        let mut app = loaded(width, height, ErrorReport { examples: texts, ..report() });
        press_keys(&mut app, "m");
        app
    });
}

#[test]
fn insight_screen_without_saved_predictions() {
    snapshot("insight-empty", |width, height| loaded(width, height, empty_report()));
}

/// The report of the second of three seeds, evaluated on the same rows. The third seed predicts two more rows
/// correctly.
fn three_seed_report() -> ErrorReport {
    let newest = |corrected: &[usize]| {
        let mut predictions = evaluations().pop().unwrap().predictions;
        for row in corrected {
            let label = predictions.targets()[*row].clone();
            predictions.set(*row, if label == Label::Class(0) { &[2.0, 0.0] } else { &[0.0, 2.0] }, label);
        }
        predictions
    };
    let together = CrossSeed::of(&[newest(&[]), newest(&[]), newest(&[4, 9])]).unwrap();
    let mut spec = built_in("demo");
    spec.seed = 43;
    ErrorReport {
        dir: format!("{DIR}/seed-43").into(),
        seed_index: 1,
        seed_count: 3,
        cross_seed: Ok(Some(together)),
        spec,
        ..report()
    }
}

#[test]
fn insight_screen_of_all_seeds() {
    snapshot("insight-seeds", |width, height| {
        let mut app = loaded(width, height, three_seed_report());
        press_keys(&mut app, "a");
        app
    });
}

/// The out-of-fold predictions of three of four folds, each of four rows.
fn cross_validation_report() -> ErrorReport {
    let spec = RunSpec { folds: Some(4), ..built_in("demo") };
    let training = |index: u64| FoldTraining {
        dir: format!("{DIR}/seed-{}", 42 + index).into(),
        spec: spec.of_seed(index),
    };
    let folds = Folds::new((0..3).map(training).collect(), (0..ROWS.len()).map(|row| row % 3).collect());
    let first = &folds.trainings[0];
    ErrorReport { dir: first.dir.clone(), spec: first.spec.clone(), folds: folds.clone(), ..report() }
}

#[test]
fn insight_screen_of_a_cross_validation() {
    snapshot("insight-folds", |width, height| {
        let mut app = loaded(width, height, cross_validation_report());
        press_keys(&mut app, "m");
        app
    });
    // A row opens with the model that was not trained on it: the tenth row is of the first fold.
    let mut app = loaded(120, 40, cross_validation_report());
    assert_shows(&app, "3 of 4 folds, out of fold");
    let effects = press_keys(&mut app, "hi");
    let Some(Effect::OpenModel { source: ModelSource::Run { name, dir }, .. }) = effects.last() else {
        panic!("{effects:?}")
    };
    assert!(name.ends_with(", fold 1") && dir.ends_with("seed-42"), "{name} {dir:?}");
}

#[test]
fn brackets_switch_seeds_and_all_seeds_are_compared() {
    let mut app = loaded(120, 40, three_seed_report());
    assert_shows(&app, "seed 43 (2 of 3)");
    let of = |seed| Subject { seed: Some(seed), ..subject() };
    assert_eq!(press_keys(&mut app, "["), [Effect::LoadPredictions(of(0))]);
    assert_shows(&app, "seed 43 (2 of 3)");
    update(
        &mut app,
        Msg::PredictionsLoaded {
            subject: of(0),
            result: Ok(Box::new(ErrorReport { seed_index: 0, ..three_seed_report() })),
        },
    );
    assert_shows(&app, "(1 of 3)");
    assert_eq!(press_keys(&mut app, "["), [], "the first seed has no previous one");
    assert_eq!(press_keys(&mut app, "]"), [Effect::LoadPredictions(of(1))]);
    press_keys(&mut app, "a");
    assert_shows(&app, "Wrong in all 3 seeds: 1; all rows: 1 of 12");
    assert_shows(&app, "3 of 3 seeds");
    press_keys(&mut app, "<enter>");
    assert_shows(&app, "all seeds  3 of 3 predict it wrongly");
    press_keys(&mut app, "<esc>j");
    assert_shows(&app, "2 of 3 seeds");
    // Seeds with different rows cannot be compared; the reason is shown.
    let together = Err("each seed is scored on rows that it drew itself".to_string());
    let other = ErrorReport { cross_seed: together, ..three_seed_report() };
    update(&mut app, Msg::PredictionsLoaded { subject: of(1), result: Ok(Box::new(other)) });
    assert_shows(&app, "each seed is scored on rows that it drew itself");
    // A single seed cannot be switched.
    let mut app = loaded(120, 40, report());
    assert_eq!(press_keys(&mut app, "[]a"), []);
    assert_shows(&app, "Hardest rows");
}

#[test]
fn row_opens_on_the_infer_screen_with_the_model_of_its_seed() {
    let mut app = loaded(120, 40, three_seed_report());
    assert_eq!(press_keys(&mut app, "i"), [], "the matrix has no row under the cursor");
    let effects = press_keys(&mut app, "hi");
    let Some(Effect::OpenModel { request_id, source: ModelSource::Run { name, dir } }) = effects.last()
    else {
        panic!("{effects:?}")
    };
    assert_eq!(name, "demo-20261123-095711-01ab, seed 43");
    assert!(dir.ends_with("seed-43"));
    let opened = OpenedModel { name: "demo".into(), pair: Some(false), step: None };
    let effects = update(&mut app, Msg::ModelOpened { request_id: *request_id, result: Ok(opened) });
    let Some(Effect::Classify { text, .. }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(text, "wonderful");
    // The next row uses the open model.
    press_keys(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Insight);
    assert!(
        matches!(&press_keys(&mut app, "ji")[..], [Effect::Classify { text, .. }] if text == "nobody will be bored")
    );
}

#[test]
fn enter_lists_the_rows_of_a_cell_and_shows_the_details_of_a_row() {
    let mut app = loaded(120, 40, report());
    assert_shows(&app, "Hardest rows: 1 of 12");
    // Labeled negative, predicted positive: the row with the highest loss first.
    press_keys(&mut app, "<right><enter>");
    assert_shows(&app, "Labeled negative, predicted positive: 1 of 2");
    assert_shows(&app, "wonderful");
    press_keys(&mut app, "j");
    assert_shows(&app, "positive: 2 of 2");
    press_keys(&mut app, "<enter>");
    assert_shows(&app, "Row 5");
    assert_shows(&app, "label      negative");
    assert_shows(&app, "predicted  negative 22.0 %, positive 78.0 %");
    assert_shows(&app, "loss at each evaluation: 0.755 0.868 1.238 1.514");
    // Escape closes the row, then the list, then the screen.
    press_keys(&mut app, "<esc>");
    assert!(app.popup.is_none());
    press_keys(&mut app, "<esc><down><enter>");
    assert_shows(&app, "Labeled positive, predicted positive: 1 of 5");
    press_keys(&mut app, "<esc><esc>");
    assert_eq!(app.screen, Screen::Runs);
}

#[test]
fn hardest_rows_and_label_errors_are_listed_at_any_evaluation() {
    let mut app = loaded(120, 40, report());
    let first = |app: &App| {
        let text = text(app);
        let line = text.lines().skip_while(|line| !line.contains("predicted  ")).nth(1).unwrap().to_string();
        line.split_whitespace().nth(1).unwrap().to_string()
    };
    assert_eq!(first(&app), "10", "`wonderful`, labeled negative");
    press_keys(&mut app, "m");
    assert_shows(&app, "Likely label errors: 1 of 4");
    assert_eq!(first(&app), "10");
    assert_shows(&app, "evaluation 4 of 4: step 1,267, epoch 2.5");
    press_keys(&mut app, ",,,");
    assert_shows(&app, "evaluation 1 of 4: before training");
    press_keys(&mut app, ",.");
    assert_shows(&app, "evaluation 2 of 4: step 100, epoch 1");
    press_keys(&mut app, "h<end>");
    assert_shows(&app, "Hardest rows: 12 of 12");
}

#[test]
fn report_of_another_run_is_dropped_and_an_error_is_shown() {
    let mut app = opened(120, 40);
    assert_shows(&app, "Reading the predictions");
    let other = Subject { dir: "runs/other".into(), seed: Some(1) };
    update(&mut app, Msg::PredictionsLoaded { subject: other, result: Ok(Box::new(report())) });
    assert_shows(&app, "Reading the predictions");
    let result = Err("predictions/step-00000100.safetensors: damaged: header too small".into());
    update(&mut app, Msg::PredictionsLoaded { subject: subject(), result });
    assert_shows(&app, "header too small");
    assert_eq!(press_keys(&mut app, "<f5>"), [Effect::LoadPredictions(subject())]);
    press_keys(&mut app, "<enter>m<enter>hj,.[]ai<esc>");
}

#[test]
fn live_run_is_reloaded_after_each_evaluation() {
    let mut app = training(120, 40, "demo", 100);
    let of = Subject { dir: "runs/demo-20261123-110429-c691".into(), seed: None };
    assert_eq!(press_keys(&mut app, "w"), [Effect::LoadPredictions(of.clone())]);
    update(&mut app, Msg::PredictionsLoaded { subject: of.clone(), result: Ok(Box::new(empty_report())) });
    assert_shows(&app, "No predictions yet");
    let mut effects = Vec::new();
    for event in recorded().into_iter().skip(100).take(60) {
        let is_scored = matches!(&event, Event::Eval(eval) if eval.split.name() == "validation");
        let more = update(&mut app, run_event(0, event));
        assert_eq!(!more.is_empty(), is_scored);
        effects.extend(more);
    }
    assert_eq!(effects, [Effect::LoadPredictions(of.clone())]);
    // The newest evaluation is followed; an earlier one stays selected.
    let mut first = report();
    first.evaluations.truncate(2);
    update(&mut app, Msg::PredictionsLoaded { subject: of.clone(), result: Ok(Box::new(first)) });
    update(&mut app, Msg::PredictionsLoaded { subject: of.clone(), result: Ok(Box::new(report())) });
    assert_shows(&app, "evaluation 4 of 4");
    press_keys(&mut app, ",,");
    update(&mut app, Msg::PredictionsLoaded { subject: of, result: Ok(Box::new(report())) });
    assert_shows(&app, "evaluation 2 of 4");
    press_keys(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Live);
}

#[test]
fn insight_screen_with_hostile_rows_is_drawn_at_every_size() {
    let mut app = loaded(0, 0, report());
    for keys in ["", "m", "<tab>", "<down><enter>", "<enter>"] {
        press_keys(&mut app, keys);
        for width in [1, 20, 40, 60, 80, 99, 120] {
            for height in [1, 3, 10, 15, 24, 50] {
                app.size = (width, height);
                let text = text(&app);
                assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
            }
        }
    }
}

#[test]
fn insight_screen_without_color_and_in_ascii() {
    let texts = Err("not found".to_string());
    for keys in ["", "m", "<enter>"] {
        let mut app =
            loaded(120, 40, ErrorReport::new(built_in("demo"), labels(), evaluations(), texts.clone()));
        press_keys(&mut app, keys);
        app.theme = Theme::new(ColorDepth::None, Charset::AsciiSymbols);
        let text = text(&app);
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("[4]") || !keys.is_empty(), "the cell is marked without color:\n{text}");
        for cell in &buffer(&app).content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
        }
    }
}
