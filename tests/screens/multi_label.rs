//! A multi-label classification: the scores of each label, and the rows whose set is predicted wrongly.

use super::fixtures::*;

use glue_tui::batch::Label;
use glue_tui::catalog::{Labels, Metric, ProblemType};
use glue_tui::data::Example;
use glue_tui::predict::{ModelOutput, Prediction, Thresholds};
use glue_tui::run::error_analysis::ErrorReport;
use glue_tui::run::{RunRow, RunStatus};
use glue_tui::spec::{RunSpec, built_in};
use glue_tui::train::{Predictions, SavedPredictions};
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::state::App;
use glue_tui::tui::state::infer::OpenedModel;
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
    let run = run(RUN, "custom", RunStatus::Finished, None, 126, 126);
    let run = RunRow { best: Some((Metric::F1Micro, 0.714)), ..run };
    analyzing(width, height, run, report())
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

/// A report of more labels than fit on a small screen.
fn many_labels() -> ErrorReport {
    let names: Vec<String> = (0..40).map(|label| format!("label {label}")).collect();
    let mut predictions = Predictions::new(ProblemType::MultiLabelClassification, 1, names.len());
    predictions.set(0, &[-1.0; 40], Label::set([7]));
    let example = Example { text: "a text".into(), text_pair: None, label: Some(Label::set([7])) };
    let evaluation = SavedPredictions { step: 63, epoch: 1.0, predictions };
    ErrorReport::new(report().spec, Labels::multi_label(names), vec![evaluation], Ok(vec![example]))
}

#[test]
fn labels_that_do_not_fit_are_counted() {
    let app =
        |height| analyzing(80, height, run(RUN, "custom", RunStatus::Finished, None, 63, 63), many_labels());
    let small = app(24);
    assert_shows(&small, "labels more; a larger terminal shows them");
    assert!(!text(&small).contains("label 39"));
    let large = app(100);
    assert_shows(&large, "label 39");
    assert!(!text(&large).contains("larger terminal"));
}

#[test]
fn evaluation_is_named_beside_as_many_scores_as_fit() {
    assert_shows(&loaded(80, 24), "evaluation 3 of 3: step 126, epoch 2");
    assert_shows(&loaded(80, 24), "micro F1");
    assert!(!text(&loaded(80, 24)).contains("exact match"));
    assert_shows(&loaded(120, 40), "exact match");
}

/// The app with an open model of 40 labels and a prediction for a text; `probabilities` are those of its last labels.
fn classifying(height: u16, probabilities: &[f32]) -> App {
    let mut app = app(80, height);
    let effects = press_keys(&mut app, "jjjji");
    let Some(Effect::OpenModel { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
    let opened = OpenedModel { name: RUN.into(), pair: Some(false), step: None };
    update(&mut app, Msg::ModelOpened { request_id: *request_id, result: Ok(opened) });
    let effects = press_keys(&mut app, "x");
    let Some(Effect::Classify { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
    let first = 40 - probabilities.len();
    let probability = |label: usize| label.checked_sub(first).map_or(0.01, |at| probabilities[at]);
    let probabilities = (0..40).map(|label| (format!("label {label}"), probability(label))).collect();
    let output = ModelOutput::labels(probabilities, &Thresholds::default());
    let prediction = Prediction { output, tokens: 3, truncated: false };
    update(&mut app, Msg::Prediction { request_id: *request_id, seconds: 0.004, result: Ok(prediction) });
    app
}

#[test]
fn most_probable_labels_are_shown_if_not_all_fit() {
    let mut small = classifying(24, &[0.6, 0.3, 0.9]);
    for expected in ["label 39", "90.0 %", "label 37", "60.0 %", "less probable", "3 tokens"] {
        assert_shows(&small, expected);
    }
    assert!(!text(&small).contains("label 20"));
    press_keys(&mut small, "<enter>");
    assert_shows(&small, "label 37, label 39");
    let large = classifying(120, &[0.6, 0.3, 0.9]);
    assert_shows(&large, "label 20");
    assert!(!text(&large).contains("less probable"));
}

#[test]
fn a_text_without_labels_has_a_dash_in_the_history() {
    let mut app = classifying(24, &[0.4]);
    press_keys(&mut app, "<enter>");
    let history = text(&app).lines().find(|line| line.contains("│ x ")).map(str::to_owned);
    assert!(
        history.as_ref().is_some_and(|line| line.contains(" - ") && !line.contains("label")),
        "{history:?}"
    );
}
