//! The terminal interface.
pub mod app;
pub mod format;
pub mod input;
pub mod msg;
pub mod screens;
pub mod theme;
pub mod update;
pub mod view;
pub mod widgets;
