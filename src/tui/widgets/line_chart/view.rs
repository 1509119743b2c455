//! How a chart is looked at: over what, how smooth, which stretch, where the values are read. One state
//! for every chart that has keys; places are shares of the whole width, so that they hold while a run grows.

use crate::run::axis::Axis;

/// Shares of the whole run that can be smoothed over.
const SMOOTHING: [f64; 7] = [0.0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2];
/// The one that is chosen at first.
const USUAL: usize = 3;
/// The narrowest stretch: about as many steps as a curve has fine buckets for.
const NARROWEST: f64 = 1.0 / 512.0;
/// How far a key moves the cursor, in shares of the stretch that is seen.
const CURSOR_STEP: f64 = 1.0 / 100.0;

/// How a chart is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChartView {
    /// What the curves are drawn over.
    pub axis: Axis,
    /// Whether values are on a logarithmic scale.
    pub is_log: bool,
    /// How several seeds of a run are drawn.
    pub seeds: Seeds,
    smoothing: usize,
    /// The stretch that is seen.
    window: (f64, f64),
    /// Where values are read.
    cursor: Option<f64>,
}

/// How several seeds of a run are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seeds {
    /// All together: their mean, and a band of their standard deviation around it.
    #[default]
    Band,
    /// Each as a curve of its own.
    Each,
}

/// What a key does to a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKey {
    /// Half of the stretch, around the cursor or the middle.
    ZoomIn,
    /// Twice the stretch.
    ZoomOut,
    /// All of it.
    Whole,
    /// An earlier stretch.
    PanLeft,
    /// A later stretch.
    PanRight,
    /// Read values further left.
    CursorLeft,
    /// Read values further right.
    CursorRight,
    /// Read values in this column of so many.
    CursorAt(u16, u16),
    /// Draw over the next axis.
    NextAxis,
    /// Logarithmic values, or linear ones.
    Log,
    /// Several seeds as a band, or each for itself.
    Seeds,
    /// Smoothed over more.
    Smoother,
    /// Smoothed over less.
    Rougher,
}

impl Default for ChartView {
    fn default() -> Self {
        ChartView {
            axis: Axis::Epoch,
            is_log: false,
            seeds: Seeds::Band,
            smoothing: USUAL,
            window: (0.0, 1.0),
            cursor: None,
        }
    }
}

impl ChartView {
    /// Does what a key asks.
    pub fn apply(&mut self, key: ChartKey) {
        let (from, to) = self.window;
        let width = to - from;
        match key {
            ChartKey::ZoomIn => self.zoom((width / 2.0).max(NARROWEST)),
            ChartKey::ZoomOut => self.zoom((width * 2.0).min(1.0)),
            ChartKey::Whole => self.window = (0.0, 1.0),
            ChartKey::PanLeft => self.pan(-width / 4.0),
            ChartKey::PanRight => self.pan(width / 4.0),
            ChartKey::CursorLeft => self.move_cursor(to, -width * CURSOR_STEP),
            ChartKey::CursorRight => self.move_cursor(from, width * CURSOR_STEP),
            ChartKey::CursorAt(column, columns) => {
                let share = f64::from(column) / f64::from(columns.max(2) - 1);
                self.cursor = Some(from + share.min(1.0) * width);
            }
            ChartKey::NextAxis => self.axis = self.axis.next(),
            ChartKey::Log => self.is_log = !self.is_log,
            ChartKey::Seeds => {
                self.seeds = if self.seeds == Seeds::Band { Seeds::Each } else { Seeds::Band };
            }
            ChartKey::Smoother => self.smoothing = (self.smoothing + 1).min(SMOOTHING.len() - 1),
            ChartKey::Rougher => self.smoothing = self.smoothing.saturating_sub(1),
        }
    }

    /// Takes the cursor away, or else the zoom; says whether either was there.
    pub fn back(&mut self) -> bool {
        let was_cursor = self.cursor.take().is_some();
        let was_zoomed = self.is_zoomed();
        if !was_cursor {
            self.window = (0.0, 1.0);
        }
        was_cursor || was_zoomed
    }

    /// Whether only a stretch is seen.
    pub fn is_zoomed(&self) -> bool {
        self.window != (0.0, 1.0)
    }

    /// Whether values are read at a cursor.
    pub fn has_cursor(&self) -> bool {
        self.cursor.is_some()
    }

    /// The share of the whole run that is smoothed over; 0 for none.
    pub fn smoothing(&self) -> f64 {
        SMOOTHING[self.smoothing]
    }

    /// The ends of what is seen of a chart that goes from 0 to `end`.
    pub(super) fn range(&self, end: f64) -> (f64, f64) {
        (self.window.0 * end, self.window.1 * end)
    }

    /// The cursor's place on a chart that goes from 0 to `end`.
    pub(super) fn cursor(&self, end: f64) -> Option<f64> {
        self.cursor.map(|share| share * end)
    }

    fn zoom(&mut self, width: f64) {
        let (from, to) = self.window;
        let middle = self.cursor.unwrap_or(f64::midpoint(from, to));
        // What is under the cursor stays where it is.
        let share = (middle - from) / (to - from);
        let from = (middle - share * width).clamp(0.0, 1.0 - width);
        self.window = (from, (from + width).min(1.0));
    }

    fn pan(&mut self, by: f64) {
        let width = self.window.1 - self.window.0;
        let from = (self.window.0 + by).clamp(0.0, 1.0 - width);
        self.window = (from, (from + width).min(1.0));
        self.cursor = self.cursor.map(|cursor| cursor.clamp(self.window.0, self.window.1));
    }

    /// Moves the cursor, which comes in at `edge`; the stretch goes along where it would leave it.
    fn move_cursor(&mut self, edge: f64, by: f64) {
        let to = self.cursor.map_or(edge, |cursor| (cursor + by).clamp(0.0, 1.0));
        self.cursor = Some(to);
        let beyond = (to - self.window.1).max(0.0) + (to - self.window.0).min(0.0);
        if beyond != 0.0 {
            self.pan(beyond);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_the_cursor_stays_there() {
        let mut view = ChartView::default();
        view.apply(ChartKey::CursorLeft);
        assert_eq!(view.cursor(100.0), Some(100.0), "it comes in at the end");
        for _ in 0..25 {
            view.apply(ChartKey::CursorLeft);
        }
        view.apply(ChartKey::ZoomIn);
        let (from, to) = view.range(100.0);
        assert!((from - 37.5).abs() < 1e-9 && (to - 87.5).abs() < 1e-9, "{from} {to}");
        assert!((view.cursor(100.0).unwrap() - 75.0).abs() < 1e-9);
        assert!(view.back() && view.cursor(100.0).is_none() && view.is_zoomed());
        assert!(view.back() && !view.is_zoomed());
        assert!(!view.back());
    }

    #[test]
    fn the_cursor_goes_where_one_points() {
        let mut view = ChartView::default();
        view.apply(ChartKey::CursorAt(25, 51));
        assert_eq!(view.cursor(100.0), Some(50.0));
        view.apply(ChartKey::ZoomIn);
        view.apply(ChartKey::CursorAt(0, 51));
        assert_eq!(view.cursor(100.0), Some(25.0));
        view.apply(ChartKey::CursorAt(3, 0));
        assert_eq!(view.cursor(100.0), Some(75.0));
    }

    #[test]
    fn no_key_leaves_the_chart() {
        let keys = [
            ChartKey::ZoomIn,
            ChartKey::PanLeft,
            ChartKey::CursorRight,
            ChartKey::ZoomIn,
            ChartKey::PanRight,
            ChartKey::CursorLeft,
            ChartKey::ZoomOut,
        ];
        let mut view = ChartView::default();
        for round in 0..500 {
            view.apply(keys[round * 5 % 7]);
            view.apply(keys[round / 7 % 7]);
            let (from, to) = view.range(1.0);
            assert!(from >= 0.0 && to <= 1.0 && to - from >= NARROWEST - 1e-12, "{from} {to}");
            assert!(view.cursor(1.0).is_none_or(|cursor| cursor >= from - 1e-9 && cursor <= to + 1e-9));
        }
    }
}
