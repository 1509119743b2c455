//! One file for each screen: its state, what keys do to it, how it is drawn.

pub mod form;
pub mod help;
pub mod infer;
pub mod live;
pub mod popup;
pub mod runs;
mod scores;
