//! Labels written as numbers or names.

use crate::batch::Label;
use crate::catalog::Labels;

/// The label that `text` stands for: the index or name of a class, or a regression target. `-1` is no label. The error
/// is a clause that says what is expected.
pub(super) fn parse_label(text: &str, labels: &Labels) -> Result<Option<Label>, String> {
    if text == "-1" {
        return Ok(None);
    }
    let label = match labels {
        // The tasks whose files are read here have one label a row.
        Labels::Classes(names) | Labels::MultiLabel(names) => {
            let number = text.parse::<u32>().ok().filter(|class| (*class as usize) < names.len());
            let class = number.or_else(|| names.iter().position(|name| name == text).map(|i| i as u32));
            class.map(Label::Class)
        }
        Labels::Scale { low, high } => {
            let number = text.parse::<f32>().ok().filter(|value| (*low..=*high).contains(value));
            number.map(Label::Value)
        }
    };
    label.map_or_else(|| Err(expected(labels)), |label| Ok(Some(label)))
}

/// A clause that names the valid labels: `should be 0 (negative) or 1 (positive)`, `should be a number from 0 to 5`.
pub(super) fn expected(labels: &Labels) -> String {
    match labels {
        Labels::Classes(names) | Labels::MultiLabel(names) => {
            let all: Vec<String> =
                names.iter().enumerate().map(|(i, name)| format!("{i} ({name})")).collect();
            format!("should be {}", all.join(" or "))
        }
        Labels::Scale { low, high } => format!("should be a number from {low} to {high}"),
    }
}
