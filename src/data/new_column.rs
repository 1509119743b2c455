//! Columns that a copy of a table has in addition.

use std::collections::HashSet;

/// A column with a value for each row.
#[derive(Debug, Clone, PartialEq)]
pub struct NewColumn {
    /// Its name, unique among the columns of the table.
    pub name: String,
    /// Its values, in the order of the rows.
    pub values: NewValues,
}

/// The values of a new column.
#[derive(Debug, Clone, PartialEq)]
pub enum NewValues {
    /// Texts.
    Text(Vec<String>),
    /// Numbers.
    Number(Vec<f32>),
    /// Whole numbers.
    Integer(Vec<u64>),
    /// Lists of texts; in text files as JSON.
    TextList(Vec<Vec<String>>),
}

impl NewValues {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            NewValues::Text(values) => values.len(),
            NewValues::Number(values) => values.len(),
            NewValues::Integer(values) => values.len(),
            NewValues::TextList(values) => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a row as JSON; `None` beyond the last row.
    pub(super) fn json(&self, row: usize) -> Option<String> {
        match self {
            NewValues::Text(values) => serde_json::to_string(values.get(row)?).ok(),
            NewValues::Number(values) => serde_json::to_string(values.get(row)?).ok(),
            NewValues::Integer(values) => Some(values.get(row)?.to_string()),
            NewValues::TextList(values) => serde_json::to_string(values.get(row)?).ok(),
        }
    }

    /// The value of a row as the text of a cell; `None` beyond the last row.
    pub(super) fn cell(&self, row: usize) -> Option<String> {
        match self {
            NewValues::Text(values) => values.get(row).cloned(),
            NewValues::Number(_) | NewValues::Integer(_) | NewValues::TextList(_) => self.json(row),
        }
    }
}

/// Names for new columns, each as close to the wanted one as the columns `names` of the table allow: `label`, or else
/// `predicted_label`, `predicted_label_2`, ….
pub fn unique_names(names: &[String], wanted: &[String]) -> Vec<String> {
    let mut taken: HashSet<String> = names.iter().cloned().collect();
    let mut unique = |wanted: &String| {
        let predicted = format!("predicted_{wanted}");
        let numbered = (2u64..).map(|number| format!("{predicted}_{number}"));
        let mut candidates = [wanted.clone(), predicted.clone()].into_iter().chain(numbered);
        let name = candidates.find(|name| !taken.contains(name)).unwrap_or_else(|| predicted.clone());
        taken.insert(name.clone());
        name
    };
    wanted.iter().map(&mut unique).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_collide() {
        let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let found =
            unique_names(&names(&["text", "label", "predicted_label"]), &names(&["label", "probability"]));
        assert_eq!(found, ["predicted_label_2", "probability"]);
        let found = unique_names(&names(&["label"]), &names(&["label", "predicted_label", "label"]));
        assert_eq!(found, ["predicted_label", "predicted_predicted_label", "predicted_label_2"]);
    }

    #[test]
    fn numbers_are_short_and_lists_are_json() {
        let numbers = NewValues::Number(vec![0.1, 1.0]);
        assert_eq!(
            (numbers.cell(0), numbers.json(1), numbers.cell(2)),
            (Some("0.1".into()), Some("1.0".into()), None)
        );
        let lists = NewValues::TextList(vec![vec!["a".into(), "b\"".into()]]);
        assert_eq!(lists.cell(0).as_deref(), Some(r#"["a","b\""]"#));
    }
}
