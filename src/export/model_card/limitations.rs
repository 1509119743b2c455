//! What a user of the model has to know, in plain words and with the numbers of the run.

use super::facts::CardFacts;
use super::markdown::escaped;
use super::sections::{label_list, shown};
use crate::catalog::ProblemType;
use crate::event::{Scores, SplitName};
use crate::format;
use crate::text::plural;

/// The last section of a card.
pub(super) fn section(facts: &CardFacts) -> String {
    let sentences = [
        Some("The language of the texts is not recorded. Texts in another language than that of the training rows were not \
              evaluated."
            .to_string()),
        outputs(facts),
        truncation(facts),
        majority(facts),
        lowest_f1(facts),
        constant_prediction(facts),
        selection(facts),
        test(facts),
    ];
    let diagnoses = facts.summary.iter().flat_map(|summary| &summary.diagnoses);
    let diagnoses =
        diagnoses.map(|diagnosis| format!("Diagnosis of the training: {}", escaped(&diagnosis.text)));
    let lines = sentences.into_iter().flatten().chain(diagnoses).map(|sentence| format!("- {sentence}\n"));
    format!("## Limitations\n\n{}", lines.collect::<String>())
}

fn validation(facts: &CardFacts) -> Option<&Scores> {
    facts.of_split(SplitName::Validation).map(|validation| &validation.scores)
}

fn outputs(facts: &CardFacts) -> Option<String> {
    Some(match facts.labels.problem_type() {
        ProblemType::SingleLabelClassification => format!(
            "Every text gets one of the labels {}, also a text that none of them describes.",
            label_list(facts)?
        ),
        ProblemType::MultiLabelClassification => format!(
            "The model knows only the labels {}; a text may get none of them.",
            label_list(facts)?
        ),
        ProblemType::Regression => {
            "Every text gets a number, also a text that the scale does not fit; it can be slightly outside the scale.".into()
        }
    })
}

fn truncation(facts: &CardFacts) -> Option<String> {
    let length = facts.spec.max_seq_length;
    let cut = format!("Inputs are truncated to {}", plural(length as u64, "token"));
    let started = facts.started.as_ref()?;
    let rows = started.rows[0] as u64;
    Some(match started.truncated_train_rows {
        Some(0) => format!("{cut}; no training row was longer."),
        Some(truncated) if rows > 0 => format!(
            "{cut}; {} of {} ({:.1} %) were longer, and the model has not seen the rest of them.",
            format::count(truncated),
            plural(rows, "training row"),
            100.0 * truncated as f64 / rows as f64
        ),
        _ => format!("{cut}."),
    })
}

fn majority(facts: &CardFacts) -> Option<String> {
    let scores = validation(facts)?;
    let share = scores.majority()?;
    let counts: Vec<u64> = scores.confusion.iter().map(|row| row.iter().sum()).collect();
    // Of equal counts the first one.
    let most = counts.iter().max()?;
    let class = counts.iter().position(|count| count == most)?;
    let (label, share) = (escaped(&facts.label(class)), 100.0 * share);
    Some(format!(
        "The most frequent label of the validation rows is {label} with {share:.1} %: a model that always predicts it has \
         this accuracy."
    ))
}

fn lowest_f1(facts: &CardFacts) -> Option<String> {
    let classes = validation(facts)?.per_class.iter().enumerate();
    let (index, class) = classes.min_by(|(_, a), (_, b)| a.f1.total_cmp(&b.f1))?;
    let percent = |value: f64| format!("{:.1} %", 100.0 * value);
    Some(format!(
        "The label with the lowest F1 on the validation split is {}: F1 {}, precision {}, recall {}.",
        escaped(&facts.label(index)),
        percent(class.f1),
        percent(class.precision),
        percent(class.recall)
    ))
}

fn constant_prediction(facts: &CardFacts) -> Option<String> {
    let constant = facts.summary.as_ref()?.constant_prediction.as_ref()?;
    Some(format!(
        "At the end of the training the model predicted {} for every validation row: it has not learned the task.",
        escaped(constant)
    ))
}

fn selection(facts: &CardFacts) -> Option<String> {
    let best = facts.summary.as_ref()?.best?;
    let value = shown(best.metric, best.value);
    Some(format!(
        "The weights were selected by {} on the validation split ({value}), so the scores of this split are optimistic.",
        best.metric.name()
    ))
}

fn test(facts: &CardFacts) -> Option<String> {
    validation(facts)?;
    let has_test = facts.of_split(SplitName::Test).is_some();
    (!has_test).then(|| "There is no labeled test split with scores of these weights.".into())
}
