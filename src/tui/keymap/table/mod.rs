//! The built-in bindings, one file for each screen: the action's name, its keys, the action and its description.
//!
//! Several rows of one context that share a name share their keys: which one applies depends on the item under the
//! cursor. Within a context, the first row that matches wins.

mod chart;
mod compare;
mod data;
mod form;
mod global;
mod infer;
mod insight;
mod live;
mod machine;
mod open;
mod popups;
mod row;
mod runs;
mod sweep;

use crate::tui::screen::{Context, Screen};
use row::{LINES, Row};

/// The contexts with a list of lines.
const LISTS: [Context; 5] = [
    Context::Screen(Screen::Runs),
    Context::Screen(Screen::Compare),
    Context::Screen(Screen::Sweep),
    Context::Form,
    Context::Message,
];

/// The rows of a context.
pub(super) fn rows(context: Context) -> impl Iterator<Item = &'static Row> {
    let lines = if LISTS.contains(&context) { LINES } else { &[] };
    own_rows(context).iter().chain(lines)
}

/// The rows of a context without those of every list.
fn own_rows(context: Context) -> &'static [Row] {
    match context {
        Context::Global => global::GLOBAL,
        Context::Screen(Screen::Runs) => runs::RUNS,
        Context::Filter => runs::FILTER,
        Context::Form => form::FORM,
        Context::FormValue => form::FORM_VALUE,
        Context::Screen(Screen::Live) => live::LIVE,
        Context::Screen(Screen::Infer) => infer::INFER,
        Context::Screen(Screen::Insight) => insight::INSIGHT,
        Context::Screen(Screen::Data) => data::DATA,
        Context::Screen(Screen::Open) => open::OPEN,
        Context::Screen(Screen::Machine) => machine::MACHINE,
        Context::Screen(Screen::Compare) => compare::COMPARE,
        Context::Screen(Screen::Sweep) => sweep::SWEEP,
        Context::Chart => chart::CHART,
        Context::Message => popups::MESSAGE,
        Context::Question => popups::QUESTION,
        Context::Choice => popups::CHOICE,
        Context::Palette => popups::PALETTE,
    }
}
