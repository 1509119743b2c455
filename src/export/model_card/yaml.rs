//! Values of YAML.

use std::fmt::Write;

/// A string of YAML in double quotes, on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut yaml = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => yaml.extend(['\\', c]),
            // Control characters, the line separators that YAML breaks lines at, and code points that YAML does not allow.
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                write!(yaml, "\\u{:04X}", u32::from(c)).ok();
            }
            c => yaml.push(c),
        }
    }
    yaml.push('"');
    yaml
}

/// A number of YAML: a decimal fraction, since some readers take `1e-5` for a text.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0');
    if text.ends_with('.') { format!("{text}0") } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_on_one_line() {
        assert_eq!(quoted("a: \"b\" #\\\n\u{85}é"), "\"a: \\\"b\\\" #\\\\\\u000A\\u0085é\"");
        assert_eq!(quoted("---\r\n🙂\u{ffff}"), "\"---\\u000D\\u000A🙂\\uFFFF\"");
    }

    #[test]
    fn numbers_are_decimal_fractions() {
        let texts = [0.0, 1.0, -0.25, 0.912_345_678, 1e-5, 1e-9, 12.5].map(number);
        assert_eq!(texts, ["0.0", "1.0", "-0.25", "0.912346", "0.00001", "0.0", "12.5"]);
    }
}
