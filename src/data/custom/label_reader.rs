//! From the values of the label columns to labels: classes, sets of labels, or numbers.

use super::classes::{ClassIndex, MAX_CLASSES, classes};
use super::label_column::{DistinctValue, LabelColumn, encoding_of};
use super::label_encoding::{LabelEncoding, as_written};
use super::label_sets::{SetNotation, items};
use crate::batch::Label;
use crate::catalog::{Labels, ProblemType, list_labels};
use crate::data::read::table::{LabelValue, row_error};
use crate::data::strata::quantile_bins;
use crate::error::{Error, Result};
use crate::spec::{LabelColumns, RunSpec};
use crate::text::plural;
use std::collections::HashMap;
use std::path::Path;

/// Reads the labels of the files of a specification.
pub(super) struct LabelReader {
    pub(super) labels: Labels,
    /// The names of the classes or labels; empty of a regression.
    pub(super) names: Vec<String>,
    values: Values,
}

/// What a value stands for.
enum Values {
    Class(ClassIndex),
    Set { index: ClassIndex, notation: SetNotation },
    Number,
}

impl LabelReader {
    /// The labels of the training file and the `others`, all of which decide what the values are.
    ///
    /// # Errors
    /// [`Error::Data`] without labels, with a single class, with too many, or for a value that is not a number where
    /// numbers are expected.
    pub(super) fn of_files(
        spec: &RunSpec,
        train: (&Path, &LabelColumns),
        column: &LabelColumn,
        others: &[&LabelColumn],
    ) -> Result<Self> {
        let all = || std::iter::once(column).chain(others.iter().copied());
        let values = || all().flat_map(LabelColumn::values).map(|value| &value.value);
        let encoding = encoding_of(all());
        let inferred = match encoding {
            _ if SetNotation::are_sets(values()) => ProblemType::MultiLabelClassification,
            LabelEncoding::Numbers if column.class_names.is_none() => ProblemType::Regression,
            _ => ProblemType::SingleLabelClassification,
        };
        match spec.known_problem_type().unwrap_or(inferred) {
            ProblemType::SingleLabelClassification => {
                let (file, columns) = train;
                let list = column.values().iter().find(|value| matches!(value.value, LabelValue::List(_)));
                if let Some(DistinctValue { first, .. }) = list {
                    let problem = format!(
                        "column {columns} has a list; set problem_type to \"multi_label_classification\" for sets of labels"
                    );
                    return Err(row_error(file, *first, &problem));
                }
                let names = classes(file, &columns.to_string(), column, encoding)?;
                let index = ClassIndex::new(&names, encoding, column.class_names.is_some());
                Ok(LabelReader { labels: names.clone().into(), names, values: Values::Class(index) })
            }
            ProblemType::MultiLabelClassification => {
                Self::of_sets(train, column.class_names.as_deref(), values)
            }
            ProblemType::Regression => Self::of_numbers(train, values),
        }
    }

    /// For sets of labels. `class_names` are the names of all labels, in order, if the training file has them.
    fn of_sets<'a, I>(
        (file, columns): (&Path, &LabelColumns),
        class_names: Option<&[String]>,
        values: impl Fn() -> I,
    ) -> Result<Self>
    where
        I: Iterator<Item = &'a LabelValue>,
    {
        let notation = SetNotation::of(values());
        let items: Vec<LabelValue> = values().flat_map(|value| items(value, notation)).collect();
        let encoding = LabelEncoding::of(&items);
        let names = if let LabelColumns::Several(names) = columns {
            names.clone()
        } else if let Some(names) = class_names {
            names.to_vec()
        } else {
            let mut names: Vec<String> =
                items.iter().map(|item| encoding.class_name(item).into_owned()).collect();
            names.sort_by(|a, b| encoding.compare(a, b));
            names.dedup();
            names
        };
        let problem = match names.len() {
            0 => format!("column {columns} has no label in any row"),
            count if count > MAX_CLASSES => format!(
                "column {columns} has {count} different labels, more than the maximum of {MAX_CLASSES}; set label_column \
                 to the column of the labels"
            ),
            _ => {
                let index = ClassIndex::new(&names, encoding, class_names.is_some());
                let labels = Labels::multi_label(names.clone());
                return Ok(LabelReader { labels, names, values: Values::Set { index, notation } });
            }
        };
        Err(Error::data(file, None, problem))
    }

    fn of_numbers<'a, I>((file, columns): (&Path, &LabelColumns), values: impl Fn() -> I) -> Result<Self>
    where
        I: Iterator<Item = &'a LabelValue>,
    {
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for number in values().filter_map(number) {
            (low, high) = (low.min(number), high.max(number));
        }
        if low > high {
            return Err(Error::data(
                file,
                None,
                format!("column {columns} has no numbers, which a regression needs"),
            ));
        }
        Ok(LabelReader { labels: Labels::Scale { low, high }, names: Vec::new(), values: Values::Number })
    }

    /// For the labels of a model; `column` is that of the file that is read.
    pub(super) fn of_model(labels: &Labels, column: &LabelColumn) -> Self {
        let index = || ClassIndex::of_model(&labels.names());
        let values = match labels {
            Labels::Classes(_) => Values::Class(index()),
            Labels::MultiLabel(_) => {
                let notation = SetNotation::of(column.values().iter().map(|value| &value.value));
                Values::Set { index: index(), notation }
            }
            Labels::Scale { .. } => Values::Number,
        };
        let names = labels.classes().iter().map(ToString::to_string).collect();
        LabelReader { labels: labels.clone(), names, values }
    }

    /// The label of a value; `None` if it is none of them.
    pub(super) fn get(&self, value: &LabelValue) -> Option<Label> {
        match &self.values {
            Values::Class(index) => index.get(value).map(Label::Class),
            Values::Set { index, notation } => {
                let items = items(value, *notation).into_iter().map(|item| index.get(&item));
                items.collect::<Option<Vec<u32>>>().map(Label::set)
            }
            Values::Number => number(value).map(Label::Value),
        }
    }

    /// Why a value is no label.
    pub(super) fn problem(&self) -> String {
        match &self.values {
            Values::Number => "is not a number, which the labels of a regression are".into(),
            Values::Class(_) | Values::Set { .. } => {
                format!("is not in the training file, which has {}", list_labels(&self.names))
            }
        }
    }

    /// What the labels are, for the log: `2 classes in column label: a, b`.
    pub(super) fn note(&self, columns: &LabelColumns) -> String {
        let noun = if let LabelColumns::Several(_) = columns { "columns" } else { "column" };
        match &self.labels {
            // The labels have the names of the columns.
            Labels::MultiLabel(_) if matches!(columns, LabelColumns::Several(_)) => format!(
                "a multi-label classification with {} in columns {}",
                plural(self.names.len(), "label"),
                list_labels(&self.names)
            ),
            Labels::Classes(_) => {
                format!("{} in {noun} {columns}: {}", self.count(), list_labels(&self.names))
            }
            Labels::MultiLabel(_) => format!(
                "a multi-label classification with {} in {noun} {columns}: {}",
                self.count(),
                list_labels(&self.names)
            ),
            Labels::Scale { low, high } => {
                format!("a regression: numbers from {low} to {high} in {noun} {columns}")
            }
        }
    }

    /// The number of classes or labels: `2 classes`.
    pub(super) fn count(&self) -> String {
        let noun = if matches!(self.labels, Labels::MultiLabel(_)) { "label" } else { "class" };
        plural(self.names.len(), noun)
    }

    /// For each value the stratum of its rows: rows of one class, set of labels, or interval of numbers.
    pub(super) fn strata(&self, column: &LabelColumn) -> Vec<u32> {
        let labels: Vec<Option<Label>> =
            column.values().iter().map(|DistinctValue { value, .. }| self.get(value)).collect();
        if matches!(self.values, Values::Number) {
            let value = |label: &Option<Label>| label.as_ref().and_then(Label::value).unwrap_or(f32::NAN);
            let numbers: Vec<f32> = labels.iter().map(value).collect();
            let of_rows: Vec<f32> =
                column.codes().map(|code| code.map_or(f32::NAN, |code| numbers[code])).collect();
            let mut by_value = vec![u32::MAX; labels.len()];
            for (code, bin) in column.codes().zip(quantile_bins(&of_rows)) {
                if let Some(stratum) = code.and_then(|code| by_value.get_mut(code)) {
                    *stratum = bin;
                }
            }
            return by_value;
        }
        let mut strata = HashMap::new();
        let mut stratum = |label: &Option<Label>| {
            let Some(label) = label else { return u32::MAX };
            let next = strata.len() as u32;
            *strata.entry(label.indices().to_vec()).or_insert(next)
        };
        labels.iter().map(&mut stratum).collect()
    }
}

/// The finite number that a value is.
fn number(value: &LabelValue) -> Option<f32> {
    let number = match value {
        LabelValue::Bool(_) | LabelValue::List(_) => return None,
        other => as_written(other).trim().parse::<f64>().ok()? as f32,
    };
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read::table::Position;
    use crate::spec::built_in;

    #[test]
    fn class_names_of_a_file_are_the_labels_of_its_lists() {
        let names = ["toxic", "insult", "threat"].map(String::from).to_vec();
        let mut column = LabelColumn::new(Some(names.clone()));
        let list = |names: &[&str]| {
            LabelValue::List(names.iter().map(|name| LabelValue::Text((*name).into())).collect())
        };
        for (row, value) in (1..).zip([list(&["threat", "toxic"]), list(&[])]) {
            column.push(Position::Row(row), Some(value)).unwrap();
        }
        let spec = RunSpec { task: "custom".parse().unwrap(), ..built_in("x") };
        let columns = LabelColumns::One("label".into());
        let reader = LabelReader::of_files(&spec, (Path::new("a.parquet"), &columns), &column, &[]).unwrap();
        assert_eq!(reader.labels, Labels::multi_label(names));
        assert_eq!(reader.get(&list(&["threat", "toxic"])), Some(Label::set(vec![0, 2])));
        // A file without the names may have their indices.
        let indices = LabelValue::List(vec![LabelValue::Int(1)]);
        assert_eq!(reader.get(&indices), Some(Label::set(vec![1])));
        assert_eq!(reader.get(&LabelValue::List(vec![LabelValue::Int(3)])), None);
    }
}
