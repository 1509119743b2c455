//! The predictions of a run for a split of its data, a row each: number, texts, label, prediction, probability of each label.

use crate::catalog::{FileFormat, Labels};
use crate::data::{NewColumn, NewValues, unique_names, write_columns};
use crate::error::{Error, Result};
use crate::event::{Progress, SplitName};
use crate::hub::Hub;
use crate::predict::split::{SplitRow, predict_split};
use crate::predict::{ModelOutput, Predictor};
use crate::run::{RunDir, run_labels};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// The predictions of a run for a split of its data.
#[derive(Debug)]
pub struct SplitPredictions {
    rows: Vec<SplitRow>,
    labels: Labels,
}

impl SplitPredictions {
    /// Predicts the rows of `split` of the data of the run in `dir`, whose best weights `predictor` has.
    ///
    /// # Errors
    /// Those of [`predict_split`], and [`Error::Read`] for a run without a specification.
    pub fn of_run(
        dir: &RunDir,
        split: SplitName,
        predictor: &mut Predictor,
        hub: &Hub,
        (on_progress, cancelled): (&mut dyn FnMut(Progress), &AtomicBool),
    ) -> Result<SplitPredictions> {
        let labels = run_labels(dir, &dir.spec()?);
        let rows = predict_split(predictor, split, hub, on_progress, cancelled)?;
        Ok(SplitPredictions { rows, labels })
    }

    /// Writes a row for each to `out`, whose name is `name`. The columns are `row`, the index in the split from 0; `text` and,
    /// for pairs, `text_pair`; `label`, unless the split has none; `prediction`; and `probability_LABEL` for each label of a
    /// classification.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write(&self, format: FileFormat, name: &Path, out: &mut (dyn Write + Send)) -> Result<()> {
        write_columns(&columns(&self.rows, &self.labels), format, name, out)?;
        out.flush().map_err(Error::writing(name))
    }
}

fn columns(rows: &[SplitRow], labels: &Labels) -> Vec<NewColumn> {
    let mut columns = vec![
        ("row".to_string(), NewValues::Integer(rows.iter().map(|row| row.row as u64).collect())),
        ("text".to_string(), NewValues::Text(rows.iter().map(|row| row.example.text.clone()).collect())),
    ];
    if rows.iter().any(|row| row.example.text_pair.is_some()) {
        let pair = |row: &SplitRow| row.example.text_pair.clone().unwrap_or_default();
        columns.push(("text_pair".into(), NewValues::Text(rows.iter().map(pair).collect())));
    }
    if rows.iter().all(|row| row.example.label.is_some()) {
        columns.push(("label".into(), targets(rows, labels)));
    }
    columns.push(("prediction".into(), predictions(rows)));
    let names = rows.first().map_or(&[][..], |row| row.output.probabilities());
    for (index, (label, _)) in names.iter().enumerate() {
        let probability =
            |row: &SplitRow| row.output.probabilities().get(index).map_or(f32::NAN, |(_, value)| *value);
        let values = NewValues::Number(rows.iter().map(probability).collect());
        columns.push((format!("probability_{label}"), values));
    }
    // Labels of a model may have the same name.
    let wanted: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let names = unique_names(&[], &wanted).into_iter();
    names.zip(columns).map(|(name, (_, values))| NewColumn { name, values }).collect()
}

/// The labels of the rows.
fn targets(rows: &[SplitRow], labels: &Labels) -> NewValues {
    let targets = || rows.iter().filter_map(|row| row.example.label.as_ref());
    match labels {
        Labels::Scale { .. } => {
            NewValues::Number(targets().map(|label| label.value().unwrap_or(f32::NAN)).collect())
        }
        Labels::Classes(_) => NewValues::Text(targets().map(|label| labels.text(label)).collect()),
        Labels::MultiLabel(names) => {
            let set = |label: &crate::batch::Label| {
                let names = label.indices().iter().filter_map(|index| names.get(*index as usize));
                names.map(ToString::to_string).collect()
            };
            NewValues::TextList(targets().map(set).collect())
        }
    }
}

/// The predicted labels or numbers of the rows.
fn predictions(rows: &[SplitRow]) -> NewValues {
    let outputs = || rows.iter().map(|row| &row.output);
    match rows.first().map(|row| &row.output) {
        Some(ModelOutput::Score { .. }) => NewValues::Number(
            outputs()
                .map(|output| if let ModelOutput::Score { score, .. } = output { *score } else { f32::NAN })
                .collect(),
        ),
        Some(ModelOutput::Labels { .. }) => NewValues::TextList(
            outputs()
                .map(|output| {
                    if let ModelOutput::Labels { labels, .. } = output { labels.clone() } else { Vec::new() }
                })
                .collect(),
        ),
        _ => NewValues::Text(
            outputs()
                .map(|output| output.most_probable().map_or(String::new(), |(label, _)| label.to_string()))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;
    use crate::data::Example;
    use crate::predict::Thresholds;

    fn written(rows: &[SplitRow], labels: &Labels) -> String {
        let mut out = Vec::new();
        let predictions = SplitPredictions { rows: rows.to_vec(), labels: labels.clone() };
        predictions.write(FileFormat::Csv, Path::new("x"), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn row(label: Option<Label>, output: ModelOutput) -> SplitRow {
        let example = Example { text: "a, b".into(), text_pair: None, label };
        SplitRow { row: 3, example, output }
    }

    #[test]
    fn each_problem_type_has_its_columns() {
        let named =
            |values: [f32; 2]| ["no".to_string(), "yes".into()].into_iter().zip(values).collect::<Vec<_>>();
        let labels = vec!["no".to_string(), "yes".into()];
        let output =
            ModelOutput::Label { label: "yes".into(), probability: 0.75, probabilities: named([0.25, 0.75]) };
        let classes = Labels::from(labels.clone());
        assert_eq!(
            written(&[row(Some(Label::Class(0)), output.clone())], &classes),
            "row,text,label,prediction,probability_no,probability_yes\n3,\"a, b\",no,yes,0.25,0.75\n"
        );
        assert_eq!(
            written(&[row(None, output)], &classes),
            "row,text,prediction,probability_no,probability_yes\n3,\"a, b\",yes,0.25,0.75\n"
        );
        let sets =
            row(Some(Label::set([0, 1])), ModelOutput::labels(named([0.25, 0.75]), &Thresholds::default()));
        assert_eq!(
            written(&[sets], &Labels::multi_label(labels)),
            "row,text,label,prediction,probability_no,probability_yes\n\
             3,\"a, b\",\"[\"\"no\"\",\"\"yes\"\"]\",\"[\"\"yes\"\"]\",0.25,0.75\n"
        );
        let score = row(Some(Label::Value(2.5)), ModelOutput::Score { score: 3.0, scale: None });
        assert_eq!(
            written(&[score], &Labels::Scale { low: 0.0, high: 5.0 }),
            "row,text,label,prediction\n3,\"a, b\",2.5,3.0\n"
        );
    }
}
