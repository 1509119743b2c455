//! Line breaks.

use crate::text::{cells, clusters, width as cells_of};
use std::ops::Range;

/// `text` in lines of at most `width` cells, broken at spaces where there are any.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let ranges = wrap_ranges(paragraph, width);
        lines.extend(ranges.into_iter().map(|range| paragraph[range].trim_end().to_string()));
    }
    lines
}

/// Where the rows of a wrapped `text` are: at most `width` cells each, broken after a space where
/// there is one. There is always at least one row.
pub fn wrap_ranges(text: &str, width: usize) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let (mut start, mut used, mut after_space) = (0, 0, None);
    for (at, symbol) in clusters(text) {
        let wide = cells(symbol);
        let is_over = |used: usize, start: usize| used + wide > width && at > start;
        // A space may hang over the edge: it is not seen there.
        if symbol == " " && is_over(used, start) {
            after_space = Some(at + 1);
            continue;
        }
        // What comes after the space may be too long for a row as well.
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
