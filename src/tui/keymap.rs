//! What every key does, as one table. It drives dispatch, the line at the foot and the help, so that
//! they cannot disagree.

use super::app::{App, Tab};
use super::msg::Action;
use super::screens::compare::Facet;
use super::screens::insight::Listed;
use super::screens::runs::Line;
use super::theme::Theme;
use super::widgets::line_chart::ChartKey;
use crate::event::Command;
use crate::run::history::Phase;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What takes the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Whatever has no meaning of its own for the key.
    Everywhere,
    /// The list of experiments and runs.
    Runs,
    /// Its filter, being typed.
    Filter,
    /// The form.
    Form,
    /// A line of the form, being typed.
    FormLine,
    /// The curves.
    Live,
    /// The sentences.
    Infer,
    /// The rows that a run gets right and wrong.
    Insight,
    /// The table of runs to compare.
    Compare,
    /// A chart that one can look closer at.
    Chart,
    /// A message.
    Message,
    /// A question.
    Question,
    /// A list to choose from.
    Choice,
}

impl Place {
    /// Every place, in the order of the help.
    pub const ALL: [Place; 13] = [
        Place::Runs,
        Place::Filter,
        Place::Form,
        Place::FormLine,
        Place::Live,
        Place::Infer,
        Place::Insight,
        Place::Compare,
        Place::Chart,
        Place::Message,
        Place::Question,
        Place::Choice,
        Place::Everywhere,
    ];

    /// Its name in the help.
    pub fn heading(self) -> &'static str {
        match self {
            Place::Everywhere => "Everywhere",
            Place::Runs => "Runs",
            Place::Filter => "Filter",
            Place::Form => "Form",
            Place::FormLine => "A value of the form",
            Place::Live => "Live",
            Place::Infer => "Infer",
            Place::Insight => "Insight",
            Place::Compare => "Compare",
            Place::Chart => "Chart",
            Place::Message => "Message",
            Place::Question => "Question",
            Place::Choice => "List to choose from",
        }
    }

    /// Whether letters are text here.
    pub fn takes_text(self) -> bool {
        matches!(self, Place::Filter | Place::FormLine | Place::Infer | Place::Choice)
    }
}

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Press(KeyCode, KeyModifiers);

/// What keys do somewhere.
pub struct Binding {
    /// Where.
    pub place: Place,
    presses: &'static [Press],
    /// What it does.
    pub action: Action,
    /// What it does in a word, for the foot; empty for one that is only in the help.
    pub short: &'static str,
    /// What it does, for the help.
    pub sentence: &'static str,
    when: fn(&App) -> bool,
}

impl Binding {
    /// Its keys, as they are written on keyboards.
    pub fn keys(&self, theme: Theme) -> String {
        let names: Vec<String> = self.presses.iter().map(|press| press.name(theme)).collect();
        names.join(" ")
    }

    /// The first of its keys.
    pub fn key(&self, theme: Theme) -> String {
        self.presses[0].name(theme)
    }

    /// Whether one of its keys was pressed.
    pub fn fits(&self, key: &KeyEvent) -> bool {
        self.presses.iter().any(|press| press.fits(key))
    }

    /// Whether it has a meaning now.
    pub fn is_on(&self, app: &App) -> bool {
        (self.when)(app)
    }
}

impl Press {
    fn name(self, theme: Theme) -> String {
        let key = match self.0 {
            KeyCode::Enter => theme.sign("⏎", "enter").into(),
            KeyCode::Esc => "esc".into(),
            KeyCode::Tab => "tab".into(),
            KeyCode::Up => theme.sign("↑", "up").into(),
            KeyCode::Down => theme.sign("↓", "down").into(),
            KeyCode::Left => theme.sign("←", "left").into(),
            KeyCode::Right => theme.sign("→", "right").into(),
            KeyCode::PageUp => "pgup".into(),
            KeyCode::PageDown => "pgdn".into(),
            KeyCode::Home => "home".into(),
            KeyCode::End => "end".into(),
            KeyCode::Backspace => theme.sign("⌫", "bksp").into(),
            KeyCode::Delete => "del".into(),
            KeyCode::F(number) => format!("F{number}"),
            KeyCode::Char(' ') => "space".into(),
            KeyCode::Char(c) if self.1 == KeyModifiers::CONTROL => format!("^{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) => c.to_string(),
            other => format!("{other:?}").to_lowercase(),
        };
        if self.1 == KeyModifiers::ALT { format!("alt-{key}") } else { key }
    }

    fn fits(self, key: &KeyEvent) -> bool {
        // Shift is part of a letter; terminals differ in whether they also tell it.
        let told = key.modifiers.difference(KeyModifiers::SHIFT);
        self.0 == key.code && self.1 == told
    }
}

const fn key(code: KeyCode) -> Press {
    Press(code, KeyModifiers::NONE)
}

const fn char(c: char) -> Press {
    Press(KeyCode::Char(c), KeyModifiers::NONE)
}

const fn ctrl(c: char) -> Press {
    Press(KeyCode::Char(c), KeyModifiers::CONTROL)
}

const fn alt_key(code: KeyCode) -> Press {
    Press(code, KeyModifiers::ALT)
}

const fn alt(c: char) -> Press {
    Press(KeyCode::Char(c), KeyModifiers::ALT)
}

const ENTER: &[Press] = &[key(KeyCode::Enter)];
const ESC: &[Press] = &[key(KeyCode::Esc)];
const TAB: &[Press] = &[key(KeyCode::Tab)];
const UP: &[Press] = &[key(KeyCode::Up), char('k')];
const DOWN: &[Press] = &[key(KeyCode::Down), char('j')];
const ARROW_UP: &[Press] = &[key(KeyCode::Up)];
const ARROW_DOWN: &[Press] = &[key(KeyCode::Down)];
const PAGE_UP: &[Press] = &[key(KeyCode::PageUp)];
const PAGE_DOWN: &[Press] = &[key(KeyCode::PageDown)];
const FIRST: &[Press] = &[key(KeyCode::Home), char('g')];
const LAST: &[Press] = &[key(KeyCode::End), char('G')];

const fn bind(
    place: Place,
    presses: &'static [Press],
    action: Action,
    short: &'static str,
    sentence: &'static str,
) -> Binding {
    Binding { place, presses, action, short, sentence, when: always }
}

const fn bind_when(
    when: fn(&App) -> bool,
    place: Place,
    presses: &'static [Press],
    action: Action,
    short: &'static str,
    sentence: &'static str,
) -> Binding {
    Binding { place, presses, action, short, sentence, when }
}

fn always(_: &App) -> bool {
    true
}

fn on_experiment(app: &App) -> bool {
    app.runs.experiment().is_some()
}

fn on_run(app: &App) -> bool {
    app.runs.run().is_some()
}

fn on_resumable(app: &App) -> bool {
    app.runs.run().is_some_and(super::screens::runs::can_resume)
}

fn on_judge(app: &App) -> bool {
    app.runs.run().is_some_and(|run| run.best.is_some())
}

fn on_queued(app: &App) -> bool {
    matches!(app.runs.line(), Some(Line::Queued(_)))
}

fn on_waiting(app: &App) -> bool {
    matches!(app.runs.line(), Some(Line::Queued(entry)) if !entry.is_begun)
}

fn on_begun(app: &App) -> bool {
    matches!(app.runs.line(), Some(Line::Queued(entry)) if entry.is_begun)
}

fn can_wait(app: &App) -> bool {
    on_experiment(app) || on_resumable(app)
}

fn is_held(app: &App) -> bool {
    has_queue(app) && app.runs.queue.list.is_held
}

fn is_not_held(app: &App) -> bool {
    has_queue(app) && !app.runs.queue.list.is_held
}

fn has_queue(app: &App) -> bool {
    !app.runs.queue.list.entries.is_empty()
}

fn is_training(app: &App) -> bool {
    app.steered().is_some()
}

fn is_paused(app: &App) -> bool {
    app.steered().is_some_and(|run| run.newest().phase == Phase::Paused)
}

fn is_going(app: &App) -> bool {
    is_training(app) && !is_paused(app)
}

fn is_viewing(app: &App) -> bool {
    app.viewed.is_some() || app.tab == Tab::Live
}

fn has_seeds(app: &App) -> bool {
    app.shown().is_some_and(|run| run.seeds.len() > 1)
}

fn has_one_chart(app: &App) -> bool {
    app.live.is_full || app.size.0 < super::screens::live::WIDE
}

fn is_full(app: &App) -> bool {
    app.live.is_full
}

fn has_panes(app: &App) -> bool {
    !app.live.is_full
}

fn on_compared(app: &App) -> bool {
    app.compare.run(app).is_some()
}

fn has_marks(app: &App) -> bool {
    !app.compare.marks.is_empty()
}

fn has_one_pane(app: &App) -> bool {
    app.size.0 < super::screens::compare::SIDE_BY_SIDE
}

fn has_run(app: &App) -> bool {
    app.shown().is_some()
}

fn is_pair(app: &App) -> bool {
    app.infer.is_pair()
}

fn is_live_model(app: &App) -> bool {
    app.infer.is_live()
}

/// What every key does. Within a place, the first that fits counts.
pub static BINDINGS: &[Binding] = &[
    bind_when(
        on_experiment,
        Place::Runs,
        ENTER,
        Action::Enter,
        "start",
        "start the experiment under the cursor",
    ),
    bind_when(
        on_run,
        Place::Runs,
        ENTER,
        Action::Enter,
        "curves",
        "show the curves of the run under the cursor",
    ),
    bind_when(on_waiting, Place::Runs, ENTER, Action::Enter, "next", "let the waiting run be the next"),
    bind_when(
        on_begun,
        Place::Runs,
        ENTER,
        Action::Enter,
        "curves",
        "show the curves of the run under the cursor",
    ),
    bind_when(
        on_waiting,
        Place::Runs,
        &[char('K'), alt_key(KeyCode::Up)],
        Action::Earlier,
        "earlier",
        "let the waiting run change places with the one before it",
    ),
    bind_when(
        on_waiting,
        Place::Runs,
        &[char('J'), alt_key(KeyCode::Down)],
        Action::Later,
        "later",
        "let the waiting run change places with the one after it",
    ),
    bind_when(
        on_queued,
        Place::Runs,
        &[char('d')],
        Action::Delete,
        "remove",
        "take the run out of the queue",
    ),
    bind_when(
        on_experiment,
        Place::Runs,
        &[char('e')],
        Action::Edit,
        "edit",
        "change the experiment in a form",
    ),
    bind(Place::Runs, &[char('n')], Action::New, "new", "make a new experiment"),
    bind_when(
        on_experiment,
        Place::Runs,
        &[char('c')],
        Action::Copy,
        "copy",
        "make an experiment like this one",
    ),
    bind_when(
        on_resumable,
        Place::Runs,
        &[char('r')],
        Action::Resume,
        "resume",
        "go on with the run from its last checkpoint",
    ),
    bind_when(
        on_judge,
        Place::Runs,
        &[char('i')],
        Action::Infer,
        "infer",
        "type sentences into the run's best weights",
    ),
    bind_when(
        on_run,
        Place::Runs,
        &[char('w')],
        Action::Insight,
        "insight",
        "what the run gets right and wrong, row by row",
    ),
    bind_when(on_run, Place::Runs, &[char('d')], Action::Delete, "delete", "delete the run, after asking"),
    bind_when(
        can_wait,
        Place::Runs,
        &[char('a')],
        Action::Enqueue,
        "queue",
        "put it into the queue: it is trained when its turn comes",
    ),
    bind_when(
        is_not_held,
        Place::Runs,
        &[char('h')],
        Action::Hold,
        "hold",
        "hold the queue: what is being trained goes on, and nothing is begun after it",
    ),
    bind_when(is_held, Place::Runs, &[char('h')], Action::Hold, "go on", "go on with the queue"),
    bind(Place::Runs, TAB, Action::Next, "", "to the next part: experiments, queue, past runs"),
    bind(Place::Runs, &[char('/')], Action::Filter, "filter", "show only what contains a text"),
    bind(Place::Runs, UP, Action::Up, "", "one line up"),
    bind(Place::Runs, DOWN, Action::Down, "", "one line down"),
    bind(Place::Runs, PAGE_UP, Action::PageUp, "", "ten lines up"),
    bind(Place::Runs, PAGE_DOWN, Action::PageDown, "", "ten lines down"),
    bind(Place::Runs, FIRST, Action::First, "", "to the first line"),
    bind(Place::Runs, LAST, Action::Last, "", "to the last line"),
    bind(
        Place::Runs,
        &[key(KeyCode::F(5))],
        Action::Refresh,
        "",
        "read the experiments file and the runs again",
    ),
    bind(Place::Runs, ESC, Action::Back, "", "take the filter away"),
    bind(Place::Filter, ENTER, Action::Enter, "keep", "keep the filter"),
    bind(Place::Filter, ESC, Action::Back, "take away", "take the filter away"),
    bind(Place::Filter, ARROW_UP, Action::Up, "", "one line up"),
    bind(Place::Filter, ARROW_DOWN, Action::Down, "", "one line down"),
    bind(Place::Form, ENTER, Action::Enter, "change", "change the value under the cursor, or start"),
    bind(
        Place::Form,
        &[ctrl('r')],
        Action::StartForm,
        "start",
        "start with these values, without saving them",
    ),
    bind(
        Place::Form,
        &[char('a')],
        Action::Enqueue,
        "queue",
        "put it into the queue with these values, without saving them",
    ),
    bind(
        Place::Form,
        &[char('s'), ctrl('s')],
        Action::SaveForm,
        "save",
        "write the changes to the experiments file",
    ),
    bind(
        Place::Form,
        &[char('u'), key(KeyCode::Backspace), key(KeyCode::Delete)],
        Action::Reset,
        "undo",
        "put the value back that was there before",
    ),
    bind(Place::Form, ESC, Action::Back, "close", "close the form; asks when something was changed"),
    bind(Place::Form, UP, Action::Up, "", "one line up"),
    bind(Place::Form, DOWN, Action::Down, "", "one line down"),
    bind(Place::Form, PAGE_UP, Action::PageUp, "", "ten lines up"),
    bind(Place::Form, PAGE_DOWN, Action::PageDown, "", "ten lines down"),
    bind(Place::Form, FIRST, Action::First, "", "to the first line"),
    bind(Place::Form, LAST, Action::Last, "", "to the last line"),
    bind(Place::FormLine, ENTER, Action::Enter, "keep", "keep the value"),
    bind(Place::FormLine, ESC, Action::Back, "undo", "put the value back that was there before"),
    bind(Place::FormLine, TAB, Action::Next, "keep, next", "keep the value and go to the next line"),
    bind(Place::FormLine, ARROW_UP, Action::Up, "", "keep the value and go one line up"),
    bind(Place::FormLine, ARROW_DOWN, Action::Down, "", "keep the value and go one line down"),
    bind(
        Place::FormLine,
        &[ctrl('r')],
        Action::StartForm,
        "",
        "start with these values, without saving them",
    ),
    bind(Place::FormLine, &[ctrl('s')], Action::SaveForm, "", "write the changes to the experiments file"),
    bind_when(
        is_going,
        Place::Live,
        &[char(' ')],
        Action::Tell(Command::Pause),
        "pause",
        "pause the training",
    ),
    bind_when(
        is_paused,
        Place::Live,
        &[char(' ')],
        Action::Tell(Command::Resume),
        "go on",
        "go on with the paused training",
    ),
    bind_when(
        is_training,
        Place::Live,
        &[char('v')],
        Action::Tell(Command::Eval),
        "eval",
        "score the validation split now; it changes nothing",
    ),
    bind_when(
        is_training,
        Place::Live,
        &[char('s')],
        Action::Tell(Command::Save),
        "save",
        "write a checkpoint now",
    ),
    bind_when(
        is_training,
        Place::Live,
        &[char('x')],
        Action::StopRun,
        "stop",
        "stop the training; the work is saved",
    ),
    bind(Place::Live, &[char('i')], Action::Infer, "infer", "type sentences into the weights of this run"),
    bind_when(
        has_run,
        Place::Live,
        &[char('w')],
        Action::Insight,
        "insight",
        "what the run gets right and wrong, row by row",
    ),
    bind_when(
        is_training,
        Place::Live,
        &[char('l')],
        Action::LearningRate,
        "rate",
        "halve or set the learning rate from here on",
    ),
    bind_when(
        is_training,
        Place::Live,
        &[char('e')],
        Action::Length,
        "length",
        "train longer or shorter than planned, or end here",
    ),
    bind_when(has_one_chart, Place::Live, TAB, Action::Next, "chart", "the other chart"),
    bind_when(
        has_panes,
        Place::Live,
        &[char('f')],
        Action::FullChart,
        "full chart",
        "one chart over the whole screen, to look closer at",
    ),
    bind_when(is_full, Place::Live, &[char('f')], Action::FullChart, "all panes", "all panes again"),
    bind_when(
        has_seeds,
        Place::Live,
        &[key(KeyCode::Left), char('[')],
        Action::SeedBefore,
        "seed",
        "the seed before",
    ),
    bind_when(
        has_seeds,
        Place::Live,
        &[key(KeyCode::Right), char(']')],
        Action::SeedAfter,
        "",
        "the seed after",
    ),
    bind(Place::Live, UP, Action::Up, "", "earlier lines of the log"),
    bind(Place::Live, DOWN, Action::Down, "", "later lines of the log"),
    bind(Place::Live, LAST, Action::Last, "", "the newest lines of the log"),
    bind_when(is_viewing, Place::Live, ESC, Action::Back, "back", "back to the runs"),
    bind(Place::Infer, ENTER, Action::Enter, "keep", "keep the sentence in the list below and begin anew"),
    bind(Place::Infer, ARROW_UP, Action::Up, "earlier", "an earlier sentence"),
    bind(Place::Infer, ARROW_DOWN, Action::Down, "", "a later sentence"),
    bind_when(is_pair, Place::Infer, TAB, Action::Next, "other text", "the other text of the pair"),
    bind(Place::Infer, &[ctrl('o')], Action::Weights, "weights", "choose which weights judge"),
    bind_when(
        is_live_model,
        Place::Infer,
        &[ctrl('r')],
        Action::Fresh,
        "fresh",
        "take the weights as they are now",
    ),
    bind(Place::Infer, ESC, Action::Back, "back", "back to the screen before"),
    bind_when(
        on_compared,
        Place::Compare,
        &[char(' ')],
        Action::Mark,
        "mark",
        "lay the curves of the run under the cursor beside the others, or take them away",
    ),
    bind(
        Place::Compare,
        TAB,
        Action::Next,
        "values",
        "other values: losses, scores, learning rate, gradients",
    ),
    bind_when(
        has_one_pane,
        Place::Compare,
        &[char('d')],
        Action::Differences,
        "differences",
        "what differs in the specifications, or the curves again",
    ),
    bind(Place::Compare, &[char('s')], Action::Sort, "sort", "sort by the next column"),
    bind(Place::Compare, &[char('S')], Action::Reverse, "", "sort the other way round"),
    bind(
        Place::Compare,
        &[char('/')],
        Action::Filter,
        "filter",
        "show only what contains a text; status:, task: and model: look there only",
    ),
    bind_when(
        on_compared,
        Place::Compare,
        &[char('t')],
        Action::Same(Facet::Task),
        "",
        "only runs of the same task, or all again",
    ),
    bind_when(
        on_compared,
        Place::Compare,
        &[char('m')],
        Action::Same(Facet::Model),
        "",
        "only runs of the same model, or all again",
    ),
    bind_when(
        on_compared,
        Place::Compare,
        &[char('u')],
        Action::Same(Facet::Status),
        "",
        "only runs of the same status, or all again",
    ),
    bind(Place::Compare, &[char('*')], Action::MarkAll, "", "mark every run that is shown, up to a hundred"),
    bind_when(has_marks, Place::Compare, &[char('c')], Action::ClearMarks, "", "take all marks away"),
    bind_when(
        on_compared,
        Place::Compare,
        ENTER,
        Action::Enter,
        "",
        "show everything of the run under the cursor",
    ),
    bind(Place::Compare, UP, Action::Up, "", "one line up"),
    bind(Place::Compare, DOWN, Action::Down, "", "one line down"),
    bind(Place::Compare, PAGE_UP, Action::PageUp, "", "ten lines up"),
    bind(Place::Compare, PAGE_DOWN, Action::PageDown, "", "ten lines down"),
    bind(Place::Compare, FIRST, Action::First, "", "to the first line"),
    bind(Place::Compare, LAST, Action::Last, "", "to the last line"),
    bind(Place::Compare, &[key(KeyCode::F(5))], Action::Refresh, "", "look for new runs"),
    bind(
        Place::Compare,
        ESC,
        Action::Back,
        "",
        "take the reading cursor away, or the zoom, or the filter; then back",
    ),
    bind(
        Place::Chart,
        &[key(KeyCode::Left)],
        Action::Chart(ChartKey::CursorLeft),
        "read",
        "read values further left",
    ),
    bind(
        Place::Chart,
        &[key(KeyCode::Right)],
        Action::Chart(ChartKey::CursorRight),
        "",
        "read values further right",
    ),
    bind(
        Place::Chart,
        &[char('+'), char('=')],
        Action::Chart(ChartKey::ZoomIn),
        "zoom",
        "a closer look, around the cursor or the middle",
    ),
    bind(Place::Chart, &[char('-')], Action::Chart(ChartKey::ZoomOut), "", "a wider look"),
    bind(Place::Chart, &[char('0')], Action::Chart(ChartKey::Whole), "", "all from beginning to end"),
    bind(Place::Chart, &[char('<'), char(',')], Action::Chart(ChartKey::PanLeft), "", "what was before"),
    bind(Place::Chart, &[char('>'), char('.')], Action::Chart(ChartKey::PanRight), "", "what came after"),
    bind(
        Place::Chart,
        &[char('a')],
        Action::Chart(ChartKey::NextAxis),
        "axis",
        "over epochs, steps, time or examples",
    ),
    bind(
        Place::Chart,
        &[char('y')],
        Action::Chart(ChartKey::Log),
        "log",
        "logarithmic values, or linear ones",
    ),
    bind(Place::Chart, &[char(')')], Action::Chart(ChartKey::Smoother), "smooth", "smooth over more"),
    bind(Place::Chart, &[char('(')], Action::Chart(ChartKey::Rougher), "", "smooth over less"),
    bind(
        Place::Insight,
        ENTER,
        Action::Enter,
        "open",
        "the rows of the cell, or all of the row, under the cursor",
    ),
    bind(Place::Insight, TAB, Action::Next, "matrix, rows", "from the matrix to the rows and back"),
    bind(
        Place::Insight,
        &[char('h')],
        Action::List(Listed::Hardest),
        "hardest",
        "the rows with the highest loss",
    ),
    bind(
        Place::Insight,
        &[char('m')],
        Action::List(Listed::Mislabelled),
        "mislabelled",
        "the rows that are likely mislabelled: the model says another label all along",
    ),
    bind(Place::Insight, &[char('[')], Action::Before, "evaluation", "the evaluation before"),
    bind(Place::Insight, &[char(']')], Action::After, "", "the evaluation after"),
    bind(Place::Insight, UP, Action::Up, "", "one cell or line up"),
    bind(Place::Insight, DOWN, Action::Down, "", "one cell or line down"),
    bind(Place::Insight, &[key(KeyCode::Left)], Action::Left, "", "one cell to the left"),
    bind(Place::Insight, &[key(KeyCode::Right)], Action::Right, "", "one cell to the right"),
    bind(Place::Insight, PAGE_UP, Action::PageUp, "", "ten lines up"),
    bind(Place::Insight, PAGE_DOWN, Action::PageDown, "", "ten lines down"),
    bind(Place::Insight, FIRST, Action::First, "", "to the first line"),
    bind(Place::Insight, LAST, Action::Last, "", "to the last line"),
    bind(Place::Insight, &[key(KeyCode::F(5))], Action::Refresh, "", "read the run again"),
    bind(Place::Insight, ESC, Action::Back, "back", "back to the matrix, or to the screen before"),
    bind(Place::Message, &[key(KeyCode::Enter), char(' ')], Action::Enter, "close", "close"),
    bind(Place::Message, &[key(KeyCode::Esc), char('q'), char('?')], Action::Back, "", "close"),
    bind(Place::Message, UP, Action::Up, "", "one line up"),
    bind(Place::Message, DOWN, Action::Down, "", "one line down"),
    bind(Place::Message, PAGE_UP, Action::PageUp, "", "ten lines up"),
    bind(Place::Message, PAGE_DOWN, Action::PageDown, "", "ten lines down"),
    bind(Place::Question, ENTER, Action::Enter, "choose", "give the answer under the cursor"),
    bind(Place::Question, ESC, Action::Back, "change nothing", "change nothing"),
    bind(Place::Question, ARROW_UP, Action::Up, "", "one answer up"),
    bind(Place::Question, ARROW_DOWN, Action::Down, "", "one answer down"),
    bind(Place::Choice, ENTER, Action::Enter, "choose", "take what is under the cursor"),
    bind(Place::Choice, ESC, Action::Back, "leave as it is", "leave it as it is"),
    bind(Place::Choice, ARROW_UP, Action::Up, "", "one line up"),
    bind(Place::Choice, ARROW_DOWN, Action::Down, "", "one line down"),
    bind(Place::Choice, PAGE_UP, Action::PageUp, "", "ten lines up"),
    bind(Place::Choice, PAGE_DOWN, Action::PageDown, "", "ten lines down"),
    bind(Place::Everywhere, &[char('1'), alt('1')], Action::Go(Tab::Runs), "", "the Runs screen"),
    bind(Place::Everywhere, &[char('2'), alt('2')], Action::Go(Tab::Live), "", "the Live screen"),
    bind(Place::Everywhere, &[char('3'), alt('3')], Action::Go(Tab::Infer), "", "the Infer screen"),
    bind(Place::Everywhere, &[char('4'), alt('4')], Action::Go(Tab::Compare), "", "the Compare screen"),
    bind(
        Place::Everywhere,
        &[char('?'), key(KeyCode::F(1))],
        Action::Help,
        "help",
        "all keys; F1 also while typing",
    ),
    bind(
        Place::Everywhere,
        &[char('q'), ctrl('c')],
        Action::Quit,
        "quit",
        "quit; asks while a run is being trained",
    ),
    bind(Place::Everywhere, &[ctrl('l')], Action::Redraw, "", "draw everything anew"),
    bind(
        Place::Everywhere,
        &[ctrl('z')],
        Action::Suspend,
        "",
        "back to the shell; fg comes back (a training waits too)",
    ),
];
