//! A canvas of dots for several curves.

use crate::tui::theme::{Charts, QUARTERS};

/// A grid of dots, two by four per cell, and the curve that each cell belongs to.
pub struct Canvas {
    /// Columns of cells.
    pub width: usize,
    height: usize,
    bits: Vec<u8>,
    /// Number of the curve plus 1; 0 is none.
    curve: Vec<u16>,
}

impl Canvas {
    /// An empty canvas of `width` × `height` cells.
    pub fn new(width: usize, height: usize) -> Self {
        Canvas { width, height, bits: vec![0; width * height], curve: vec![0; width * height] }
    }

    /// Sets a dot of `curve`. A cell shows only one curve, the last one that set a dot in it.
    pub fn set(&mut self, x: usize, y: usize, curve: u16) {
        self.vertical(x, y, y, curve);
    }

    /// A vertical line of dots, drawn cell by cell.
    pub fn vertical(&mut self, x: usize, from: usize, to: usize, curve: u16) {
        /// Bits of the dots in the left and right half of a cell, from the top.
        const LEFT: [u8; 4] = [0x01, 0x02, 0x04, 0x40];
        const RIGHT: [u8; 4] = [0x08, 0x10, 0x20, 0x80];
        let column = x / 2;
        if column >= self.width || self.height == 0 {
            return;
        }
        let half = if x.is_multiple_of(2) { LEFT } else { RIGHT };
        let (top, bottom) = (from.min(to), from.max(to).min(4 * self.height - 1));
        for row in top / 4..=bottom / 4 {
            let first = top.saturating_sub(4 * row);
            let last = (bottom - 4 * row).min(3);
            let dots = half[first..=last].iter().fold(0, |dots, dot| dots | dot);
            let cell = row * self.width + column;
            if self.curve[cell] != curve + 1 {
                self.curve[cell] = curve + 1;
                self.bits[cell] = 0;
            }
            self.bits[cell] |= dots;
        }
    }

    /// A line without gaps between columns.
    pub fn line(&mut self, (x0, y0): (usize, usize), (x1, y1): (usize, usize), curve: u16) {
        if x1 == x0 + 1 {
            // The common case.
            let middle = usize::midpoint(y0, y1);
            self.vertical(x0, y0, middle, curve);
            self.vertical(x1, middle, y1, curve);
            return;
        }
        self.dashed((x0, y0), (x1, y1), curve, |_| true);
    }

    /// The dots of a line in the columns for which `is_on` is true.
    pub fn dashed(
        &mut self,
        (x0, y0): (usize, usize),
        (x1, y1): (usize, usize),
        curve: u16,
        is_on: impl Fn(usize) -> bool,
    ) {
        let width = (x1 - x0).max(1) as f64;
        let at = |x: usize| y0 as f64 + (y1 as f64 - y0 as f64) * (x - x0) as f64 / width;
        let mut before = y0;
        for x in x0..=x1 {
            let y = (at(x) + 0.5) as usize;
            // A vertical step is split between this column and the one before.
            let middle = usize::midpoint(before, y);
            if x > x0 && is_on(x - 1) {
                self.vertical(x - 1, before, middle, curve);
            }
            if is_on(x) {
                self.vertical(x, middle, y, curve);
            }
            before = y;
        }
    }

    /// All cells with a dot: column, row, dots and curve.
    pub fn cells(&self) -> impl Iterator<Item = (usize, usize, Dots, u16)> {
        self.bits
            .iter()
            .zip(&self.curve)
            .enumerate()
            .filter(|(_, (bits, _))| **bits > 0)
            .map(|(cell, (bits, curve))| (cell % self.width, cell / self.width, Dots(*bits), curve - 1))
    }
}

/// The dots of a cell, with the bits of the Unicode braille patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dots(u8);

impl Dots {
    /// As text: braille, quarters of a cell or the ASCII character `ascii`.
    pub fn text<'a>(self, charts: Charts, ascii: &'a str, symbol: &'a mut [u8; 4]) -> &'a str {
        match charts {
            Charts::Braille => self.braille().encode_utf8(symbol),
            Charts::Blocks => self.blocks().encode_utf8(symbol),
            Charts::Ascii => ascii,
        }
    }

    /// As braille.
    pub fn braille(self) -> char {
        char::from_u32(0x2800 + u32::from(self.0)).unwrap_or(' ')
    }

    /// As quarters of a cell, each filled if one of its two dots is set.
    pub fn blocks(self) -> char {
        const PARTS: [u8; 4] = [0x01 | 0x02, 0x08 | 0x10, 0x04 | 0x40, 0x20 | 0x80];
        let bits = PARTS.iter().enumerate().map(|(bit, part)| usize::from(self.0 & part > 0) << bit);
        QUARTERS[bits.sum::<usize>()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_drawn_in_braille_and_quarters() {
        let mut canvas = Canvas::new(2, 1);
        canvas.line((0, 3), (3, 0), 0);
        let drawn: Vec<_> =
            canvas.cells().map(|(x, _, dots, _)| (x, dots.braille(), dots.blocks())).collect();
        assert_eq!(drawn, [(0, '⡴', '▟'), (1, '⠋', '▀')]);
    }
}
