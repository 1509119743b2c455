//! What a run gets right and wrong: matrix, calibration, rows.

use super::stage::*;

use glue_tui::batch::Label;
use glue_tui::catalog::Labels;
use glue_tui::data::Example;
use glue_tui::event::Event;
use glue_tui::run::error_analysis::{CrossSeed, ErrorReport};
use glue_tui::spec::built_in;
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
    let evaluation = |(place, (step, epoch)): (usize, (u64, f64))| {
        let mut judged = Predictions::new(ROWS.len(), 2);
        for (row, (_, label, positive)) in ROWS.iter().enumerate() {
            let p = positive[place];
            judged.set(row, &[0.0, (p / (1.0 - p)).ln() as f32], Label::Class(*label));
        }
        SavedPredictions { step, epoch, predictions: judged }
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

pub(super) fn insight() -> ErrorReport {
    ErrorReport::new(built_in("demo"), labels(), evaluations(), Ok(texts()))
}

fn nothing() -> ErrorReport {
    ErrorReport::new(built_in("demo"), labels(), Vec::new(), Ok(Vec::new()))
}

fn subject() -> Subject {
    Subject { dir: DIR.into(), seed: None }
}

/// The app with the screen opened on a past run, before anything was read of it.
fn opened(width: u16, height: u16) -> App {
    let mut app = app(width, height);
    let effects = play(&mut app, "jjjjw");
    assert_eq!(effects.last(), Some(&Effect::LoadPredictions(subject())));
    app
}

pub(super) fn looked_at(width: u16, height: u16, insight: ErrorReport) -> App {
    let mut app = opened(width, height);
    update(&mut app, Msg::PredictionsLoaded { subject: subject(), result: Ok(Box::new(insight)) });
    app
}

#[test]
fn insight_screen() {
    snapshot("insight", |width, height| looked_at(width, height, insight()));
}

#[test]
fn insight_screen_of_a_cell() {
    snapshot("insight-cell", |width, height| {
        let mut app = looked_at(width, height, insight());
        play(&mut app, ",<down><enter>");
        app
    });
}

#[test]
fn insight_screen_of_what_is_likely_mislabelled_without_texts() {
    snapshot("insight-mislabelled", |width, height| {
        let texts = Err("data/demo: is not there; data_dir names the folder with train.tsv".into());
        let mut app = looked_at(width, height, ErrorReport { examples: texts, ..insight() });
        play(&mut app, "m");
        app
    });
}

#[test]
fn insight_screen_of_a_run_that_keeps_nothing() {
    snapshot("insight-empty", |width, height| looked_at(width, height, nothing()));
}

/// The second of three seeds that were scored on the same rows. The third one gets two rows right more.
fn of_three_seeds() -> ErrorReport {
    let newest = |right: &[usize]| {
        let mut judged = evaluations().pop().unwrap().predictions;
        for row in right {
            let label = judged.targets()[*row];
            judged.set(*row, if label == Label::Class(0) { &[2.0, 0.0] } else { &[0.0, 2.0] }, label);
        }
        judged
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
        ..insight()
    }
}

#[test]
fn insight_screen_of_what_all_seeds_get_wrong() {
    snapshot("insight-seeds", |width, height| {
        let mut app = looked_at(width, height, of_three_seeds());
        play(&mut app, "a");
        app
    });
}

#[test]
fn seeds_are_gone_through_and_laid_over_each_other() {
    let mut app = looked_at(120, 40, of_three_seeds());
    shows(&app, "seed 43 (2 of 3)");
    let of = |seed| Subject { seed: Some(seed), ..subject() };
    assert_eq!(play(&mut app, "["), [Effect::LoadPredictions(of(0))]);
    shows(&app, "seed 43 (2 of 3)");
    update(
        &mut app,
        Msg::PredictionsLoaded {
            subject: of(0),
            result: Ok(Box::new(ErrorReport { seed_index: 0, ..of_three_seeds() })),
        },
    );
    shows(&app, "(1 of 3)");
    assert_eq!(play(&mut app, "["), [], "there is none before the first");
    assert_eq!(play(&mut app, "]"), [Effect::LoadPredictions(of(1))]);
    play(&mut app, "a");
    shows(&app, "Wrong in all 3 seeds: 1; all rows: 1 of 12");
    shows(&app, "3 of 3 seeds");
    play(&mut app, "<enter>");
    shows(&app, "all seeds  3 of 3 predict it wrongly");
    play(&mut app, "<esc>j");
    shows(&app, "2 of 3 seeds");
    // Rows that each seed drew for itself cannot be laid over each other, and that is said.
    let together = Err("each seed is scored on rows that it drew itself".to_string());
    let other = ErrorReport { cross_seed: together, ..of_three_seeds() };
    update(&mut app, Msg::PredictionsLoaded { subject: of(1), result: Ok(Box::new(other)) });
    shows(&app, "each seed is scored on rows that it drew itself");
    // One seed has nothing to choose from.
    let mut app = looked_at(120, 40, insight());
    assert_eq!(play(&mut app, "[]a"), []);
    shows(&app, "Hardest rows");
}

#[test]
fn a_row_is_typed_into_the_weights_of_its_seed() {
    let mut app = looked_at(120, 40, of_three_seeds());
    assert_eq!(play(&mut app, "i"), [], "the matrix has no row under the cursor");
    let effects = play(&mut app, "hi");
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
    // The next row of the same weights is asked at once.
    play(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Insight);
    assert!(
        matches!(&play(&mut app, "ji")[..], [Effect::Classify { text, .. }] if text == "nobody will be bored")
    );
}

#[test]
fn a_press_on_a_cell_shows_its_rows_and_a_press_on_a_row_all_of_it() {
    let mut app = looked_at(120, 40, insight());
    shows(&app, "Hardest rows: 1 of 12");
    // Labelled negative, predicted positive: the hardest of its rows first.
    play(&mut app, "<right><enter>");
    shows(&app, "Labelled negative, predicted positive: 1 of 2");
    shows(&app, "wonderful");
    play(&mut app, "j");
    shows(&app, "positive: 2 of 2");
    play(&mut app, "<enter>");
    shows(&app, "Row 5");
    shows(&app, "label      negative");
    shows(&app, "predicted  negative 22.0 %, positive 78.0 %");
    shows(&app, "loss at each evaluation: 0.755 0.868 1.238 1.514");
    // One step back at a time: the row, the list, the screen.
    play(&mut app, "<esc>");
    assert!(app.popup.is_none());
    play(&mut app, "<esc><down><enter>");
    shows(&app, "Labelled positive, predicted positive: 1 of 5");
    play(&mut app, "<esc><esc>");
    assert_eq!(app.screen, Screen::Runs);
}

#[test]
fn the_lists_are_the_hardest_and_the_doubted_at_any_evaluation() {
    let mut app = looked_at(120, 40, insight());
    let first = |app: &App| {
        let text = text(app);
        let line = text.lines().skip_while(|line| !line.contains("predicted  ")).nth(1).unwrap().to_string();
        line.split_whitespace().nth(1).unwrap().to_string()
    };
    assert_eq!(first(&app), "10", "`wonderful`, labelled negative");
    play(&mut app, "m");
    shows(&app, "Likely label errors: 1 of 4");
    assert_eq!(first(&app), "10");
    shows(&app, "evaluation 4 of 4: step 1,267, epoch 2.5");
    play(&mut app, ",,,");
    shows(&app, "evaluation 1 of 4: before training");
    play(&mut app, ",.");
    shows(&app, "evaluation 2 of 4: step 100, epoch 1");
    play(&mut app, "h<end>");
    shows(&app, "Hardest rows: 12 of 12");
}

#[test]
fn a_late_answer_for_another_run_is_dropped_and_trouble_is_said() {
    let mut app = opened(120, 40);
    shows(&app, "Reading the predictions");
    let other = Subject { dir: "runs/other".into(), seed: Some(1) };
    update(&mut app, Msg::PredictionsLoaded { subject: other, result: Ok(Box::new(insight())) });
    shows(&app, "Reading the predictions");
    let result = Err("judged/step-00000100.safetensors: damaged: header too small".into());
    update(&mut app, Msg::PredictionsLoaded { subject: subject(), result });
    shows(&app, "header too small");
    assert_eq!(play(&mut app, "<f5>"), [Effect::LoadPredictions(subject())]);
    play(&mut app, "<enter>m<enter>hj,.[]ai<esc>");
}

#[test]
fn the_run_in_front_is_read_again_with_each_evaluation() {
    let mut app = training(120, 40, "demo", 100);
    let of = Subject { dir: "runs/demo-20261123-110429-c691".into(), seed: None };
    assert_eq!(play(&mut app, "w"), [Effect::LoadPredictions(of.clone())]);
    update(&mut app, Msg::PredictionsLoaded { subject: of.clone(), result: Ok(Box::new(nothing())) });
    shows(&app, "No predictions yet");
    let mut effects = Vec::new();
    for event in recorded().into_iter().skip(100).take(60) {
        let is_scored = matches!(&event, Event::Eval(eval) if eval.split.name() == "validation");
        let more = update(&mut app, said(0, event));
        assert_eq!(!more.is_empty(), is_scored);
        effects.extend(more);
    }
    assert_eq!(effects, [Effect::LoadPredictions(of.clone())]);
    // Who looks at an earlier evaluation stays there; who looks at the newest one goes along.
    let mut first = insight();
    first.evaluations.truncate(2);
    update(&mut app, Msg::PredictionsLoaded { subject: of.clone(), result: Ok(Box::new(first)) });
    update(&mut app, Msg::PredictionsLoaded { subject: of.clone(), result: Ok(Box::new(insight())) });
    shows(&app, "evaluation 4 of 4");
    play(&mut app, ",,");
    update(&mut app, Msg::PredictionsLoaded { subject: of, result: Ok(Box::new(insight())) });
    shows(&app, "evaluation 2 of 4");
    play(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Live);
}

#[test]
fn hostile_rows_and_every_size_do_no_harm() {
    let mut app = looked_at(0, 0, insight());
    for keys in ["", "m", "<tab>", "<down><enter>", "<enter>"] {
        play(&mut app, keys);
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
fn without_colour_and_without_unicode_it_is_whole() {
    let texts = Err("not there".to_string());
    for keys in ["", "m", "<enter>"] {
        let mut app =
            looked_at(120, 40, ErrorReport::new(built_in("demo"), labels(), evaluations(), texts.clone()));
        play(&mut app, keys);
        app.theme = Theme::new(ColorDepth::None, Charset::AsciiSymbols);
        let text = text(&app);
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("[4]") || !keys.is_empty(), "the cell is told without colour:\n{text}");
        for cell in &buffer(&app).content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
        }
    }
}
