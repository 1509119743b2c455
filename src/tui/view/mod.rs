//! Draws the state, and finds what is drawn at a position of the terminal. Depends on [`super::state`] only.

mod chart_pane;
mod chart_title;
pub mod compare;
mod compare_columns;
mod compare_verdict;
mod data;
mod data_rows;
mod details;
mod diagnosis;
mod filter_line;
pub mod form;
mod frame;
mod help;
mod infer;
pub mod insight;
pub mod live;
mod machine;
pub mod open;
mod open_rows;
mod palette;
mod panes;
mod placeholder;
pub mod popup;
mod popup_box;
mod probes;
mod queue;
mod run_charts;
mod run_details;
mod run_header;
mod run_text;
pub mod runs;
mod scores;
mod setting_lines;
pub mod sweep;
mod sweep_panes;

pub use frame::{body, draw, draw_on, key_at, tab_at};
