//! The terminal interface.
pub mod format;
pub mod theme;
pub mod widgets;
