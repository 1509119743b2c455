//! Texts from outside in Markdown.

/// Longest text in a card, in characters.
const MAX_TEXT: usize = 200;

/// A text on one line without a meaning in Markdown, also as a cell of a table.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in crate::text::clipped(text, MAX_TEXT).chars() {
        match c {
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '!' | '&' | '$' => {
                out.extend(['\\', c]);
            }
            c => out.push(c),
        }
    }
    out
}

/// A line of a table.
pub(super) fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// The head of a table.
pub(super) fn head(cells: &[&str]) -> String {
    row(cells) + &row(&vec!["---"; cells.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_outside_have_no_meaning() {
        assert_eq!(escaped("a|b\n---\n<b>*x*</b> `c`"), "a\\|b --- \\<b\\>\\*x\\*\\</b\\> \\`c\\`");
        assert_eq!(head(&["a", "b"]), "| a | b |\n| --- | --- |\n");
    }
}
