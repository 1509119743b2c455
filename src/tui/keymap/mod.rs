//! The key bindings, as one [`Keymap`]. Key handling, the footer, the help and the key labels in texts all use it, so
//! that they always agree.

mod bindings;
mod condition;
mod export;
mod file;
mod key_chord;
mod table;

pub use bindings::{Binding, Keymap};
pub use condition::{Condition, Missing};
pub use export::{ActionKeys, export};
pub use key_chord::KeyChord;
