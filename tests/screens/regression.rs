//! A regression task: predictions of a pair, and the rows with the largest residuals.

use super::fixtures::*;

use glue_tui::batch::Label;
use glue_tui::catalog::Metric;
use glue_tui::catalog::ProblemType;
use glue_tui::data::Example;
use glue_tui::predict::{ModelOutput, Prediction};
use glue_tui::run::error_analysis::ErrorReport;
use glue_tui::run::{RunRow, RunStatus};
use glue_tui::spec::RunSpec;
use glue_tui::spec::built_in;
use glue_tui::train::{Predictions, SavedPredictions};
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::state::App;
use glue_tui::tui::state::infer::OpenedModel;
use glue_tui::tui::update::update;

const RUN: &str = "stsb-quick-20261125-163412-5c1e";

fn spec() -> RunSpec {
    RunSpec { task: "stsb".parse().unwrap(), ..built_in("stsb-quick") }
}

/// The app with an open regression model, and a pair typed and scored.
fn classifying(width: u16, height: u16, score: f32) -> App {
    let mut app = app(width, height);
    let effects = press_keys(&mut app, "jjjji");
    let Some(Effect::OpenModel { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
    let opened = OpenedModel { name: RUN.into(), pair: Some(true), step: None };
    update(&mut app, Msg::ModelOpened { request_id: *request_id, result: Ok(opened) });
    for (score, first, second) in [
        (0.31, "A man is eating.", "The sky is blue."),
        (score, "A plane is taking off.", "An air plane is taking off."),
    ] {
        press_keys(&mut app, first);
        press_keys(&mut app, "<tab>");
        let effects = press_keys(&mut app, second);
        let Some(Effect::Classify { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
        let output = ModelOutput::Score { score, scale: Some((0.0, 5.0)) };
        let prediction = Prediction { output, tokens: 15, truncated: false };
        update(&mut app, Msg::Prediction { request_id: *request_id, seconds: 0.004, result: Ok(prediction) });
        if first.starts_with("A man") {
            press_keys(&mut app, "<enter>");
        }
    }
    app
}

#[test]
fn infer_screen_of_a_regression() {
    snapshot("infer-regression", |width, height| classifying(width, height, 4.62));
}

#[test]
fn score_outside_of_the_scale_is_shown_unchanged() {
    assert_shows(&classifying(120, 40, 5.21), " 5.21");
    assert_shows(&classifying(120, 40, -0.08), "-0.08");
}

/// Pairs with their target, and their predictions before training and at two evaluations.
const ROWS: [(&str, &str, f32, [f32; 3]); 8] = [
    ("A plane is taking off.", "An air plane is taking off.", 5.0, [0.1, 4.2, 4.8]),
    ("A man is playing a large flute.", "A man is playing a flute.", 3.8, [0.0, 3.4, 4.1]),
    ("A man is smoking.", "A man is skating.", 0.5, [0.2, 2.9, 2.6]),
    ("\u{1b}[31mA cat\u{1b}[0m is\ta cat.", "A dog is a dog.", 1.2, [0.1, 1.5, 1.1]),
    ("猫がピアノを弾いている。", "男がギターを弾いている。", 1.6, [0.0, 2.0, 1.7]),
    ("He never said that.", "He said that.", 1.0, [0.1, 3.6, 3.9]),
    (
        "The Dow Jones industrial average closed down a little more than one percent at the end of a long and nervous day.",
        "Stocks fell.",
        2.8,
        [0.2, 1.9, 2.2],
    ),
    ("It rains.", "It rains.", 5.0, [0.0, 4.9, 5.3]),
];

/// The rows above and 240 generated ones.
fn rows() -> impl Iterator<Item = (String, Option<String>, f32, [f32; 3])> {
    let listed = ROWS
        .into_iter()
        .map(|(a, b, target, predicted)| (a.to_string(), Some(b.to_string()), target, predicted));
    let generated = (0..240u32).map(|row| {
        let target = (row % 51) as f32 / 10.0;
        let residual = ((row * 7919 % 101) as f32 / 50.0 - 1.0) * (row * 31 % 17) as f32 / 12.0;
        let text = format!("sentence {row}");
        (
            text.clone(),
            Some(text),
            target,
            [0.1, (1.0 + 0.6 * target + residual).max(0.0), 0.3 + 0.9 * target + residual],
        )
    });
    listed.chain(generated)
}

fn report() -> ErrorReport {
    let rows: Vec<_> = rows().collect();
    let evaluation = |(index, step): (usize, u64)| {
        let mut predictions = Predictions::new(ProblemType::Regression, rows.len(), 1);
        for (row, (_, _, target, predicted)) in rows.iter().enumerate() {
            predictions.set(row, &[predicted[index]], Label::Value(*target));
        }
        SavedPredictions { step, epoch: index as f64, predictions }
    };
    let evaluations = [0, 63, 126].into_iter().enumerate().map(evaluation).collect();
    let example = |(text, text_pair, target, _): &(String, Option<String>, f32, _)| Example {
        text: text.clone(),
        text_pair: text_pair.clone(),
        label: Some(Label::Value(*target)),
    };
    ErrorReport::new(
        spec(),
        spec().task().labels.clone(),
        evaluations,
        Ok(rows.iter().map(example).collect()),
    )
}

fn loaded(width: u16, height: u16) -> App {
    let run = run(RUN, "stsb", RunStatus::Finished, None, 126, 126);
    let run = RunRow { best: Some((Metric::Pearson, 0.868)), ..run };
    analyzing(width, height, run, report())
}

#[test]
fn insight_screen_of_a_regression() {
    snapshot("insight-regression", loaded);
}

#[test]
fn rows_with_the_largest_residuals_come_first() {
    let mut app = loaded(120, 40);
    assert_shows(&app, "Hardest rows: 1 of 248");
    // There is no matrix, so the list has the focus.
    press_keys(&mut app, "<tab><enter>");
    for expected in ["He never said that.", "label      1.00 on a scale from 0 to 5", "predicted  3.90"] {
        assert_shows(&app, expected);
    }
    press_keys(&mut app, "<esc>m,,");
    assert_shows(&app, "evaluation 1 of 3: before training");
}
