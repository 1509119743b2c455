//! Pieces of error messages that several files need.

use crate::text::escaped;

/// The first line of an error's text. With backtraces enabled, errors of candle span many lines.
pub(crate) fn first_line(error: &impl std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// A text from a file for an error: control characters escaped, and at most 300 characters.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN: usize = 300;
    let text = escaped(text);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// The first few of `names`, followed by the number of names left out.
pub(crate) fn list_names(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_files_are_short_and_on_one_line() {
        assert_eq!(shortened("a\nb"), "a\\nb");
        assert_eq!(shortened(&"é".repeat(301)), "é".repeat(300) + "…");
    }
}
