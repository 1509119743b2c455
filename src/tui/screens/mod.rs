//! One file for each screen: its state, what keys do to it, how it is drawn.

pub mod compare;
pub mod data;
mod details;
pub mod form;
pub mod help;
pub mod infer;
pub mod insight;
pub mod live;
pub mod machine;
mod panes;
pub mod popup;
mod probes;
pub mod published;
pub mod queue;
pub mod run_view;
pub mod runs;
mod scores;
pub mod steer;
