//! A multi-label classification: the scores of each label, and the rows whose set is predicted wrongly.

use super::fixtures::*;

use glue_tui::batch::Label;
use glue_tui::catalog::{Labels, Metric, ProblemType};
use glue_tui::data::Example;
use glue_tui::run::RunStatus;
use glue_tui::run::error_analysis::ErrorReport;
use glue_tui::spec::{RunSpec, built_in};
use glue_tui::train::{Predictions, SavedPredictions};
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::state::App;
use glue_tui::tui::state::insight::Subject;
use glue_tui::tui::update::update;

const RUN: &str = "comments-20261125-163412-5c1e";

const NAMES: [&str; 4] = ["toxic", "insult", "threat to a person", "猫"];

/// Texts with their labels, and their logits.
const ROWS: [(&str, &[u32], [f32; 4]); 5] = [
    ("You are a wonderful person.", &[], [-3.0, -4.0, -5.0, -6.0]),
    ("Go away, you fool!", &[0, 1], [2.5, 0.2, -3.0, -6.0]),
    ("\u{1b}[31mI will find you\u{1b}[0m", &[0, 1, 2], [1.5, -2.0, -1.5, -5.0]),
    ("猫が嫌いだ。", &[3], [0.8, -1.0, -3.0, -0.4]),
    (
        "What an idea, and at the end of such a long and nervous day in the office.",
        &[1],
        [-1.0, 1.4, -4.0, -6.0],
    ),
];

fn labels() -> Labels {
    Labels::multi_label(NAMES.map(String::from).to_vec())
}

fn report() -> ErrorReport {
    let evaluation = |step: u64| {
        let mut predictions =
            Predictions::new(ProblemType::MultiLabelClassification, ROWS.len(), NAMES.len());
        for (row, (_, labels, logits)) in ROWS.iter().enumerate() {
            let logits = logits.map(|logit| logit * step as f32 / 126.0 - 0.1);
            predictions.set(row, &logits, Label::set(labels.iter().copied()));
        }
        SavedPredictions { step, epoch: step as f64 / 63.0, predictions }
    };
    let example = |(text, labels, _): &(&str, &[u32], _)| Example {
        text: (*text).into(),
        text_pair: None,
        label: Some(Label::set(labels.iter().copied())),
    };
    let spec = RunSpec {
        task: "custom".parse().unwrap(),
        problem_type: Some(ProblemType::MultiLabelClassification),
        ..built_in("comments")
    };
    let examples = ROWS.iter().map(example).collect();
    ErrorReport::new(spec, labels(), [0, 63, 126].map(evaluation).to_vec(), Ok(examples))
}

fn loaded(width: u16, height: u16) -> App {
    let mut app = app(width, height);
    let best = run(RUN, "custom", RunStatus::Finished, None, 126, 126);
    let runs = vec![glue_tui::run::RunRow { best: Some((Metric::F1Micro, 0.714)), ..best }];
    update(&mut app, Msg::Listed { experiments: Ok(experiments()), runs });
    let effects = press_keys(&mut app, "jjjw");
    let Some(Effect::LoadPredictions(subject)) = effects.last() else { panic!("{effects:?}") };
    let subject: Subject = subject.clone();
    update(&mut app, Msg::PredictionsLoaded { subject, result: Ok(Box::new(report())) });
    app
}

#[test]
fn insight_screen_of_a_multi_label_classification() {
    snapshot("insight-multi-label", loaded);
}

#[test]
fn rows_with_a_wrong_set_come_first() {
    let mut app = loaded(120, 40);
    assert_shows(&app, "micro F1");
    // There is no matrix, so the list has the focus.
    press_keys(&mut app, "<tab><enter>");
    for expected in ["I will find you", "labels     toxic, insult, threat to a person", "predicted  toxic"] {
        assert_shows(&app, expected);
    }
    press_keys(&mut app, "<esc>m,,");
    assert_shows(&app, "evaluation 1 of 3: before");
}
