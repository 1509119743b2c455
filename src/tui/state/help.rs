//! The help: a list of all keys, scrolled and searched.

use crate::tui::widgets::text_field::TextField;

/// The state of the help.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HelpState {
    /// First line that is shown.
    pub(in crate::tui) first: usize,
    /// The search text.
    pub(in crate::tui) search: TextField,
    /// Whether the search text is being typed.
    pub is_searching: bool,
}
