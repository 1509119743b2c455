//! Terminal sizes at which the layout changes, shared by state, update and view.

/// Below this many columns or rows a screen shows numbers only.
pub const SMALL: (u16, u16) = (60, 15);
/// From this many columns on, the Live screen draws both charts side by side.
pub const LIVE_WIDE: u16 = 100;
/// From this many columns on, the panes below the charts of the Live screen are in one row.
pub const LIVE_ONE_ROW: u16 = 120;
/// From this many columns and rows below its head on, the Live screen has a grid of all charts.
pub const LIVE_GRID: (u16, u16) = (160, 32);
/// From this many columns on, each of the panes below the charts of the Live screen has the whole height.
pub const LIVE_PANES: u16 = 180;
/// From this many columns and rows below its head on, the Live screen has the strip of hardware usage.
pub const LIVE_STRIP: (u16, u16) = (120, 35);
/// From this many columns on, list and details of the Runs screen are side by side.
pub const RUNS_SIDE_BY_SIDE: u16 = 100;
/// From this many columns on, table and curves of the Compare screen are side by side.
pub const COMPARE_SIDE_BY_SIDE: u16 = 100;
/// From this many columns on, table and lengths of the Data screen are side by side.
pub const DATA_SIDE_BY_SIDE: u16 = 120;
/// Whether the Data screen has a pane of rows beside that of the lengths.
pub fn has_data_rows((columns, rows): (u16, u16)) -> bool {
    columns >= DATA_SIDE_BY_SIDE && rows >= 30
}

/// From this many columns on, table and charts of the Sweep screen are side by side.
pub const SWEEP_SIDE_BY_SIDE: u16 = 100;
/// From this many rows on, the Sweep screen has table, chart and keys one above the other.
const SWEEP_THREE_ROWS: u16 = 39;
/// Whether the Sweep screen has a pane of the keys beside the chart.
pub fn has_sweep_keys((columns, rows): (u16, u16)) -> bool {
    columns >= SWEEP_SIDE_BY_SIDE || rows >= SWEEP_THREE_ROWS
}

/// From this many columns on, columns, data and experiment of the Open screen are side by side.
pub const OPEN_WIDE: u16 = 110;
/// From this many columns on, probes and history of the Infer screen are side by side.
pub const INFER_SIDE_BY_SIDE: u16 = 100;

/// Columns that the frame and the padding of a pane take.
pub const PANE_FRAME: u16 = 4;

/// Columns for the text of a message, on a terminal with `columns` columns.
pub fn message_width(columns: u16) -> usize {
    columns.saturating_sub(6).min(84).saturating_sub(4) as usize
}
