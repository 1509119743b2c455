//! The view of a chart: axis, smoothing, zoom and cursor. All charts with keys fraction one view. Positions are
//! fractions of the whole width, so that they stay valid while a run grows.

use crate::run::axis::Axis;

/// Smoothing windows, as fractions of the whole run.
const SMOOTHING: [f64; 7] = [0.0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2];
/// Index of the default.
const DEFAULT_SMOOTHING: usize = 3;
/// The smallest zoom window: about as many steps as a curve has fine buckets for.
const MIN_WINDOW: f64 = 1.0 / 512.0;
/// The smallest part of the visible window that a range to zoom to has.
const MIN_SELECTION: f64 = 0.03;
/// Distance that a key moves the cursor, as a fraction of the visible window.
const CURSOR_STEP: f64 = 1.0 / 100.0;

/// The view of a chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChartView {
    /// The quantity on the horizontal axis.
    pub axis: Axis,
    /// Whether values are on a logarithmic scale.
    pub is_log: bool,
    /// How several seeds of a run are drawn.
    pub seeds: Seeds,
    smoothing: usize,
    /// The visible window.
    window: (f64, f64),
    /// Position of the cursor.
    cursor: Option<f64>,
    /// Where the mouse button was pressed.
    pressed: Option<Press>,
}

/// Where a mouse button was pressed on a chart, as a position on the axis.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Press {
    /// The start of a range to zoom to.
    Range(f64),
    /// The position that follows the mouse.
    Pan(f64),
}

/// A column of a chart: its index and the number of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChartColumn {
    /// Index, 0 at the left.
    pub index: u16,
    /// Number of columns.
    pub count: u16,
}

impl ChartColumn {
    /// As a fraction of the width.
    fn fraction(self) -> f64 {
        (f64::from(self.index) / f64::from(self.count.max(2) - 1)).min(1.0)
    }
}

/// How several seeds of a run are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seeds {
    /// One curve with their mean, and a band of their standard deviation.
    #[default]
    Band,
    /// One curve each.
    Each,
}

/// A command to a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKey {
    /// Halve the window, around the cursor or the middle.
    ZoomIn,
    /// Double the window.
    ZoomOut,
    /// Show the whole run.
    Whole,
    /// Move the window to the left.
    PanLeft,
    /// Move the window to the right.
    PanRight,
    /// Move the cursor to the left.
    CursorLeft,
    /// Move the cursor to the right.
    CursorRight,
    /// Move the cursor to a column.
    CursorAt(ChartColumn),
    /// Halve the window around a column.
    ZoomInAt(ChartColumn),
    /// Double the window around a column.
    ZoomOutAt(ChartColumn),
    /// Start to select a range at a column; the cursor is its other end.
    SelectFrom(ChartColumn),
    /// Zoom to the selected range, unless it is too small to be meant as one.
    ZoomToSelection,
    /// Start to pan: the position at this column follows the mouse.
    PanFrom(ChartColumn),
    /// Pan so that the position follows the mouse to a column.
    PanTo(ChartColumn),
    /// Select the next axis.
    NextAxis,
    /// Toggle the logarithmic scale.
    Log,
    /// Toggle between a band and one curve per seed.
    Seeds,
    /// Increase smoothing.
    Smoother,
    /// Decrease smoothing.
    Rougher,
}

impl Default for ChartView {
    fn default() -> Self {
        ChartView {
            axis: Axis::Epoch,
            is_log: false,
            seeds: Seeds::Band,
            smoothing: DEFAULT_SMOOTHING,
            window: (0.0, 1.0),
            cursor: None,
            pressed: None,
        }
    }
}

impl ChartView {
    /// Applies a command.
    pub fn apply(&mut self, key: ChartKey) {
        let (from, to) = self.window;
        let width = to - from;
        match key {
            ChartKey::ZoomIn => self.zoom((width / 2.0).max(MIN_WINDOW)),
            ChartKey::ZoomOut => self.zoom((width * 2.0).min(1.0)),
            ChartKey::Whole => self.window = (0.0, 1.0),
            ChartKey::PanLeft => self.pan(-width / 4.0),
            ChartKey::PanRight => self.pan(width / 4.0),
            ChartKey::CursorLeft => self.move_cursor(to, -width * CURSOR_STEP),
            ChartKey::CursorRight => self.move_cursor(from, width * CURSOR_STEP),
            ChartKey::CursorAt(column) => self.cursor = Some(from + column.fraction() * width),
            ChartKey::ZoomInAt(column) => {
                self.cursor = Some(from + column.fraction() * width);
                self.apply(ChartKey::ZoomIn);
            }
            ChartKey::ZoomOutAt(column) => {
                self.cursor = Some(from + column.fraction() * width);
                self.apply(ChartKey::ZoomOut);
            }
            ChartKey::SelectFrom(column) => {
                let at = from + column.fraction() * width;
                self.pressed = Some(Press::Range(at));
                self.cursor = Some(at);
            }
            ChartKey::ZoomToSelection => self.zoom_to_selection(),
            ChartKey::PanFrom(column) => {
                self.pressed = Some(Press::Pan(from + column.fraction() * width));
            }
            ChartKey::PanTo(column) => {
                if let Some(Press::Pan(at)) = self.pressed {
                    self.pan(at - (from + column.fraction() * width));
                }
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

    /// Removes the cursor, or else resets the zoom; returns whether there was either.
    pub fn back(&mut self) -> bool {
        self.pressed = None;
        let had_cursor = self.cursor.take().is_some();
        let was_zoomed = self.is_zoomed();
        if !had_cursor {
            self.window = (0.0, 1.0);
        }
        had_cursor || was_zoomed
    }

    /// Whether only a part of the run is visible.
    pub fn is_zoomed(&self) -> bool {
        self.window != (0.0, 1.0)
    }

    /// The position of the cursor as a fraction of the whole axis.
    pub fn cursor_fraction(&self) -> Option<f64> {
        self.cursor
    }

    /// The visible part of the axis, as fractions of its whole length.
    pub fn window(&self) -> (f64, f64) {
        self.window
    }

    /// Whether there is a cursor.
    pub fn has_cursor(&self) -> bool {
        self.cursor.is_some()
    }

    /// Whether a range is being selected.
    pub fn is_selecting(&self) -> bool {
        matches!(self.pressed, Some(Press::Range(_)))
    }

    /// The smoothing window as a fraction of the whole run; 0 is none.
    pub fn smoothing(&self) -> f64 {
        SMOOTHING[self.smoothing]
    }

    /// The ends of the visible window of an axis from 0 to `end`.
    pub(super) fn range(&self, end: f64) -> (f64, f64) {
        (self.window.0 * end, self.window.1 * end)
    }

    /// The cursor on an axis from 0 to `end`.
    pub(super) fn cursor(&self, end: f64) -> Option<f64> {
        self.cursor.map(|fraction| fraction * end)
    }

    /// The start of the range that is being selected, on an axis from 0 to `end`; its other end is the cursor.
    pub(super) fn selected_from(&self, end: f64) -> Option<f64> {
        match self.pressed {
            Some(Press::Range(from)) => Some(from * end),
            Some(Press::Pan(_)) | None => None,
        }
    }

    fn zoom_to_selection(&mut self) {
        let width = self.window.1 - self.window.0;
        if let (Some(Press::Range(start)), Some(end)) = (self.pressed.take(), self.cursor) {
            let (from, to) = (start.min(end), start.max(end));
            if to - from >= MIN_SELECTION * width {
                let missing = (MIN_WINDOW - (to - from)).max(0.0);
                let from = from.min(1.0 - MIN_WINDOW);
                self.window = (from, (to + missing).min(1.0));
            }
        }
    }

    fn zoom(&mut self, width: f64) {
        let (from, to) = self.window;
        let middle = self.cursor.unwrap_or(f64::midpoint(from, to));
        // The position of the cursor on the screen does not change.
        let fraction = (middle - from) / (to - from);
        // Rounding may leave a window slightly smaller than the whole.
        if width > 1.0 - 1e-9 {
            self.window = (0.0, 1.0);
            return;
        }
        let from = (middle - fraction * width).clamp(0.0, 1.0 - width);
        self.window = (from, (from + width).min(1.0));
    }

    fn pan(&mut self, by: f64) {
        let width = self.window.1 - self.window.0;
        let from = (self.window.0 + by).clamp(0.0, 1.0 - width);
        self.window = (from, (from + width).min(1.0));
        self.cursor = self.cursor.map(|cursor| cursor.clamp(self.window.0, self.window.1));
    }

    /// Moves the cursor, or creates it at `edge`. The window follows if the cursor would leave it.
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
    fn zoom_keeps_cursor_position() {
        let mut view = ChartView::default();
        view.apply(ChartKey::CursorLeft);
        assert_eq!(view.cursor(100.0), Some(100.0), "it starts at the end");
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
    fn cursor_moves_to_column() {
        let mut view = ChartView::default();
        let column = |index, count| ChartColumn { index, count };
        view.apply(ChartKey::CursorAt(column(25, 51)));
        assert_eq!(view.cursor(100.0), Some(50.0));
        view.apply(ChartKey::ZoomIn);
        view.apply(ChartKey::CursorAt(column(0, 51)));
        assert_eq!(view.cursor(100.0), Some(25.0));
        view.apply(ChartKey::CursorAt(column(3, 0)));
        assert_eq!(view.cursor(100.0), Some(75.0));
    }

    #[test]
    fn wheel_zooms_at_the_pointer_and_drag_selects_or_pans() {
        let column = |index| ChartColumn { index, count: 101 };
        let mut view = ChartView::default();
        view.apply(ChartKey::ZoomInAt(column(20)));
        assert_eq!(view.range(100.0), (10.0, 60.0), "position 20 stays where it is");
        view.apply(ChartKey::ZoomOutAt(column(20)));
        assert_eq!(view.range(100.0), (0.0, 100.0));
        view.apply(ChartKey::SelectFrom(column(60)));
        assert_eq!(view.selected_from(100.0), Some(60.0));
        view.apply(ChartKey::CursorAt(column(40)));
        view.apply(ChartKey::ZoomToSelection);
        let (from, to) = view.range(100.0);
        assert!((from - 40.0).abs() < 1e-9 && (to - 60.0).abs() < 1e-9, "{from} {to}");
        assert_eq!(view.selected_from(100.0), None);
        view.apply(ChartKey::PanFrom(column(50)));
        view.apply(ChartKey::PanTo(column(25)));
        let (from, to) = view.range(100.0);
        assert!((from - 45.0).abs() < 1e-9 && (to - 65.0).abs() < 1e-9, "{from} {to}");
        // A click is not a selection.
        view.apply(ChartKey::SelectFrom(column(50)));
        view.apply(ChartKey::CursorAt(column(51)));
        view.apply(ChartKey::ZoomToSelection);
        assert!((view.range(100.0).0 - 45.0).abs() < 1e-9);
    }

    #[test]
    fn window_and_cursor_stay_within_the_run() {
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
            assert!(from >= 0.0 && to <= 1.0 && to - from >= MIN_WINDOW - 1e-12, "{from} {to}");
            assert!(view.cursor(1.0).is_none_or(|cursor| cursor >= from - 1e-9 && cursor <= to + 1e-9));
        }
    }
}
