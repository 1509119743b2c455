//! Which columns are probably the texts and the labels. Values count more than names, which may be in any language.

use super::column::{ColumnKind, ColumnPreview};
use super::names::{NameHints, is_pair};
use super::types::ColumnRoles;
use crate::catalog::ProblemType;

/// The maximum number of classes of a label column.
const MAX_CLASSES: usize = 1000;
/// Whole numbers with more different values are targets of a regression.
const MAX_NUMBERED_CLASSES: usize = 30;
/// Binary columns that are the labels of a multi-label classification, where no other column has a label.
const MIN_BINARY_COLUMNS: usize = 2;
/// Lengths of the texts of a pair whose columns have other names differ by at most this factor.
const MAX_LENGTH_RATIO: f64 = 2.5;
/// What a column of numbers without the name of a label scores, compared with one of words.
const NUMBERED: f64 = 0.7;
/// The minimum score of a label column.
const MIN_LABEL_SCORE: f64 = 0.1;

/// The probable roles of `columns`. A role without a probable column is left open.
pub(super) fn guess(columns: &[ColumnPreview]) -> ColumnRoles {
    let text = best(columns, text_score, 0.0);
    let others: Vec<&ColumnPreview> = columns.iter().filter(|column| Some(*column) != text).collect();
    let labels = labels(&others);
    let problem_type = match labels[..] {
        [only] if only.kind == ColumnKind::Integer && only.distinct > MAX_NUMBERED_CLASSES => {
            Some(ProblemType::Regression)
        }
        _ => None,
    };
    let pair = text.and_then(|text| pair(columns, text, &labels));
    let (text, text_pair) = match (text, pair) {
        (_, Some((first, second))) => (Some(first), Some(second)),
        (text, None) => (text, None),
    };
    ColumnRoles {
        text: text.map(|column| column.name.clone()),
        text_pair: text_pair.map(|column| column.name.clone()),
        labels: labels.iter().map(|column| column.name.clone()).collect(),
        problem_type,
    }
}

/// The column with the highest score above `minimum`, the first one of several.
fn best(columns: &[ColumnPreview], score: fn(&ColumnPreview) -> f64, minimum: f64) -> Option<&ColumnPreview> {
    let scored = columns.iter().map(|column| (score(column), column)).filter(|(score, _)| *score > minimum);
    scored.rev().max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, column)| column)
}

/// Number of rows with a value.
fn filled(column: &ColumnPreview) -> usize {
    column.rows - column.empty
}

/// How well a column fits the text: long, of several words, and different in each row.
fn text_score(column: &ColumnPreview) -> f64 {
    if column.kind != ColumnKind::Text {
        return 0.0;
    }
    let hints = NameHints::of(&column.name);
    let unique = column.distinct as f64 / filled(column).max(1) as f64;
    let words = (1.0 + column.mean_words).ln();
    let shape = words * (0.25 + unique.min(1.0)) * (filled(column) as f64 / column.rows.max(1) as f64);
    let is_single_word = column.mean_words < 1.2 && hints.text == 0;
    let shape = if is_single_word { 0.2 * shape } else { shape };
    let by_name = f64::from(hints.text) * 0.5 - f64::from(hints.other) * 0.3 - f64::from(hints.label) * 0.2;
    (shape + by_name).max(shape * 0.2)
}

/// How well a column fits the label: values that occur again, few and short.
fn label_score(column: &ColumnPreview) -> f64 {
    let hints = NameHints::of(&column.name);
    let (rows, distinct) = (filled(column), column.distinct);
    let occur_again = distinct * 2 <= rows || rows < 20 && distinct < rows;
    let shape = match column.kind {
        ColumnKind::Empty | ColumnKind::Date | ColumnKind::Other => return 0.0,
        ColumnKind::Number => 0.5,
        ColumnKind::List => 0.8,
        ColumnKind::Integer if !occur_again || distinct > MAX_NUMBERED_CLASSES => 0.2,
        ColumnKind::Text if !occur_again => 0.05,
        _ if distinct < 2 => 0.05,
        _ if distinct > MAX_CLASSES => return 0.0,
        // Two classes have 1, and a hundred of them about 0.4.
        _ => 1.0 / (1.0 + 0.35 * (distinct as f64 / 2.0).ln()),
    };
    // Numbers are often something else, such as counts and flags.
    let is_numbered = matches!(column.kind, ColumnKind::Integer | ColumnKind::Boolean) && hints.label == 0;
    let shape = if is_numbered { shape * NUMBERED } else { shape };
    let is_long = column.kind == ColumnKind::Text && column.mean_length > 40.0;
    let shape = if is_long { shape * 0.3 } else { shape };
    let has_gaps = column.empty * 10 > column.rows;
    let shape = if has_gaps { shape * 0.4 } else { shape };
    let by_name = f64::from(hints.label) - 0.7 * f64::from(hints.other);
    (shape + by_name).max(if hints.label > 0 { shape } else { 0.0 })
}

/// The column of the label, or the columns with 0 or 1 for each label.
fn labels<'a>(columns: &[&'a ColumnPreview]) -> Vec<&'a ColumnPreview> {
    let owned: Vec<ColumnPreview> = columns.iter().map(|column| (*column).clone()).collect();
    let one = best(&owned, label_score, MIN_LABEL_SCORE)
        .and_then(|one| columns.iter().find(|c| c.name == one.name));
    let is_candidate = |column: &&&ColumnPreview| column.is_binary && NameHints::of(&column.name).other == 0;
    let binary: Vec<&ColumnPreview> = columns.iter().filter(is_candidate).copied().collect();
    let has_label = |column: &ColumnPreview| {
        let is_named = NameHints::of(&column.name).label == 2;
        is_named || !column.is_binary && label_score(column) > 0.5 && binary.len() <= MIN_BINARY_COLUMNS
    };
    if binary.len() >= MIN_BINARY_COLUMNS && !columns.iter().any(|column| has_label(column)) {
        return binary;
    }
    one.into_iter().copied().collect()
}

/// The two columns of a pair of texts, one of which is `text`.
fn pair<'a>(
    columns: &'a [ColumnPreview],
    text: &'a ColumnPreview,
    labels: &[&ColumnPreview],
) -> Option<(&'a ColumnPreview, &'a ColumnPreview)> {
    let is_text = |column: &&ColumnPreview| column.kind == ColumnKind::Text && !labels.contains(column);
    let texts: Vec<&ColumnPreview> = columns.iter().filter(is_text).collect();
    let by_name = texts.iter().find_map(|other| {
        if is_pair(&text.name, &other.name) {
            Some((text, *other))
        } else {
            is_pair(&other.name, &text.name).then_some((*other, text))
        }
    });
    // Without known names: two columns of sentences that are about as long as each other.
    let is_sentence =
        |column: &&&ColumnPreview| column.mean_words >= 3.0 && NameHints::of(&column.name).other == 0;
    let sentences: Vec<&ColumnPreview> = texts.iter().filter(is_sentence).copied().collect();
    by_name.or_else(|| match sentences[..] {
        [first, second] => {
            let ratio = first.mean_length / second.mean_length.max(1.0);
            let is_similar = (1.0 / MAX_LENGTH_RATIO..=MAX_LENGTH_RATIO).contains(&ratio);
            let hints = [first, second].map(|column| NameHints::of(&column.name).text);
            // Names such as `title` and `body` are of one document.
            (is_similar && hints != [2, 2]).then_some((first, second))
        }
        _ => None,
    })
}
