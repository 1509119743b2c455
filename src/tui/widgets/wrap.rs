//! Line breaks.

use crate::text::{cells, clusters, width as cells_of};
use std::ops::Range;

/// `text` wrapped to lines of at most `width` cells, at spaces if possible.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let ranges = wrap_ranges(paragraph, width);
        lines.extend(ranges.into_iter().map(|range| paragraph[range].trim_end().to_string()));
    }
    lines
}

/// The byte ranges of the rows of `text`, wrapped to at most `width` cells, after a space if possible. There is
/// always at least one row.
pub fn wrap_ranges(text: &str, width: usize) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let (mut start, mut used, mut after_space) = (0, 0, None);
    for (at, symbol) in clusters(text) {
        let wide = cells(symbol);
        let is_over = |used: usize, start: usize| used + wide > width && at > start;
        // A space at the end of a full row is invisible and does not wrap.
        if symbol == " " && is_over(used, start) {
            after_space = Some(at + 1);
            continue;
        }
        // The word after the space may be longer than a row.
        while is_over(used, start) {
            let end = after_space.take().filter(|space| *space > start).unwrap_or(at);
            rows.push(start..end);
            used = cells_of(&text[end..at]);
            start = end;
        }
        used += wide;
        if symbol == " " {
            after_space = Some(at + 1);
        }
    }
    rows.push(start..text.len());
    rows
}
