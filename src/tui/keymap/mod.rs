//! What every key does, as one [`Keymap`]. It drives key handling, the footer, the help and the keys that screens
//! mention, so that they cannot disagree.

mod bindings;
mod condition;
mod export;
mod file;
mod key_chord;
mod table;

pub use bindings::{Binding, Keymap};
pub use condition::Condition;
pub use export::{ActionKeys, written};
pub use key_chord::KeyChord;
