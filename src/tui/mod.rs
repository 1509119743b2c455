//! The terminal interface, in layers. Each imports only layers before it:
//!
//! 1. [`theme`] and [`widgets`]: styles, and pieces of the screen that do not know the application;
//! 2. [`layout`], [`action`], [`screen`] and [`keymap`]: breakpoints, actions, screens and key bindings, as data;
//! 3. [`state`]: the state of the interface, with read-only queries;
//! 4. [`msg`]: what changes the state, and the side effects that follow;
//! 5. [`update`] and [`view`], which do not know each other: a message changes the state, the state is drawn;
//! 6. [`input`], `effects` and the workers: keys become messages, side effects are carried out;
//! 7. `event_loop`, which joins them.

pub mod action;
mod active_runs;
mod background;
mod disk_cache;
mod effects;
mod event_loop;
mod export_worker;
mod file_worker;
mod history_cache;
mod inference;
pub mod input;
pub mod keymap;
pub mod layout;
mod lookup_worker;
pub mod msg;
mod options;
mod run_worker;
mod scheduler;
pub mod screen;
pub mod settings;
mod signals;
pub mod state;
pub mod terminal;
pub mod theme;
mod train_subject;
pub mod update;
pub mod view;
pub mod widgets;
mod worker;

pub use event_loop::open;
pub use options::Options;
