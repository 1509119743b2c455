//! Keys of the list of experiments, what waits and past runs, and of its filter.

use super::{
    ARROW_DOWN, ARROW_UP, DOWN, ENTER, ESC, FIRST, LAST, PAGE_DOWN, PAGE_UP, Row, TAB, UP, alt_key, bind,
    char, key,
};
use crate::tui::keymap::condition::{
    can_wait, is_held, is_not_held, on_begun, on_experiment, on_judge, on_queued, on_resumable, on_run,
    on_waiting,
};
use crate::tui::msg::Action;
use crossterm::event::KeyCode;

/// The list.
pub(super) static RUNS: &[Row] = &[
    bind("open", ENTER, Action::Enter, "start", "start the experiment under the cursor").when(on_experiment),
    bind("open", ENTER, Action::Enter, "curves", "show the curves of the run under the cursor").when(on_run),
    bind("open", ENTER, Action::Enter, "next", "let the waiting run be the next").when(on_waiting),
    bind("open", ENTER, Action::Enter, "curves", "show the curves of the run under the cursor")
        .when(on_begun),
    bind(
        "earlier",
        &[char('K'), alt_key(KeyCode::Up)],
        Action::Earlier,
        "earlier",
        "let the waiting run change places with the one before it",
    )
    .when(on_waiting),
    bind(
        "later",
        &[char('J'), alt_key(KeyCode::Down)],
        Action::Later,
        "later",
        "let the waiting run change places with the one after it",
    )
    .when(on_waiting),
    bind("delete", &[char('d')], Action::Delete, "remove", "take the run out of the queue").when(on_queued),
    bind("edit", &[char('e')], Action::Edit, "edit", "change the experiment in a form").when(on_experiment),
    bind("new", &[char('n')], Action::New, "new", "make a new experiment"),
    bind("copy", &[char('c')], Action::Copy, "copy", "make an experiment like this one").when(on_experiment),
    bind("resume", &[char('r')], Action::Resume, "resume", "go on with the run from its last checkpoint")
        .when(on_resumable),
    bind("open_infer", &[char('i')], Action::Infer, "infer", "type sentences into the run's best weights")
        .when(on_judge),
    bind(
        "open_insight",
        &[char('w')],
        Action::Insight,
        "insight",
        "what the run gets right and wrong, row by row",
    )
    .when(on_run),
    bind("delete", &[char('d')], Action::Delete, "delete", "delete the run, after asking").when(on_run),
    bind(
        "open_data",
        &[char('D')],
        Action::Data,
        "data",
        "look at the rows before training: classes, lengths and what is cut, rows that leak",
    )
    .when(on_experiment),
    bind(
        "queue",
        &[char('a')],
        Action::Enqueue,
        "queue",
        "put it into the queue: it is trained when its turn comes",
    )
    .when(can_wait),
    bind(
        "hold",
        &[char('h')],
        Action::Hold,
        "hold",
        "hold the queue: what is being trained goes on, and nothing is begun after it",
    )
    .when(is_not_held),
    bind("hold", &[char('h')], Action::Hold, "go on", "go on with the queue").when(is_held),
    bind("next", TAB, Action::Next, "", "to the next part: experiments, queue, past runs"),
    bind(
        "published",
        &[char('p')],
        Action::Published,
        "",
        "hold the runs that follow the article's recipe against its published means",
    ),
    bind("search", &[char('/')], Action::Filter, "filter", "show only what contains a text"),
    bind("up", UP, Action::Up, "", "one line up"),
    bind("down", DOWN, Action::Down, "", "one line down"),
    bind("page_up", PAGE_UP, Action::PageUp, "", "ten lines up"),
    bind("page_down", PAGE_DOWN, Action::PageDown, "", "ten lines down"),
    bind("first", FIRST, Action::First, "", "to the first line"),
    bind("last", LAST, Action::Last, "", "to the last line"),
    bind(
        "refresh",
        &[key(KeyCode::F(5))],
        Action::Refresh,
        "",
        "read the experiments file and the runs again",
    ),
    bind("back", ESC, Action::Back, "", "take the filter away"),
];

/// Its filter, being typed.
pub(super) static FILTER: &[Row] = &[
    bind("accept", ENTER, Action::Enter, "keep", "keep the filter"),
    bind("back", ESC, Action::Back, "take away", "take the filter away"),
    bind("up", ARROW_UP, Action::Up, "", "one line up"),
    bind("down", ARROW_DOWN, Action::Down, "", "one line down"),
];
