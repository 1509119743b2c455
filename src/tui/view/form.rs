//! The form of an experiment.

use crate::spec::ValueOrigin;
use crate::text;
use crate::tui::action::{Action, RunsAction};
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::form::{Field, Form, FormLine};
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::text_field::TextField;
use crate::tui::widgets::{draw_text, fit_width, line_at_position, padded_pane, truncate, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::{Block, Widget};

/// Width of the key names in cells.
const LABEL: usize = 28;

/// Draws the form; returns the position of the terminal's cursor while a line is edited.
pub fn draw(app: &App, form: &Form, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = app.theme;
    let block = frame(form, theme, area);
    let inner = block.inner(area);
    block.render(area, buffer);
    let (list, first) = list(form, inner);
    let mut cursor = None;
    for (number, line) in form.lines().iter().enumerate().skip(first).take(list.height as usize) {
        let row = Rect { y: list.y + (number - first) as u16, height: 1, ..list };
        let at = LineView::new(form, number, *line, theme).draw(row, buffer);
        cursor = cursor.or(at);
    }
    let rest = Rect { y: list.bottom(), height: inner.bottom() - list.bottom(), ..inner };
    draw_explanation(app, form, rest, buffer);
    cursor
}

/// The number of the line at a position, unless it is a heading.
pub fn line_at(app: &App, form: &Form, area: Rect, position: Position) -> Option<usize> {
    let (list, first) = list(form, frame(form, app.theme, area).inner(area));
    let number = line_at_position(list, first, position)?;
    let line = form.lines().get(number).copied()?;
    (!matches!(line, FormLine::Group(_))).then_some(number)
}

fn frame(form: &Form, theme: Theme, area: Rect) -> Block<'static> {
    let verb = if form.experiment.is_some() { "Edit" } else { "New" };
    let changed = if form.is_changed() { " (not saved)" } else { "" };
    let title = format!("{verb} {}{changed}", form.name);
    padded_pane(theme, &truncate(theme, &title, (area.width as usize).saturating_sub(6)), true)
}

/// The area of the lines above the explanation, and the first visible line.
fn list(form: &Form, inner: Rect) -> (Rect, usize) {
    let list = Rect { height: inner.height - 4.min(inner.height / 2), ..inner };
    let (lines, height) = (form.lines().len(), list.height as usize);
    (list, (form.selected + 3).saturating_sub(height).min(lines.saturating_sub(height)))
}

/// A line of the form to draw.
struct LineView<'a> {
    form: &'a Form,
    line: FormLine,
    is_selected: bool,
    error: Option<String>,
    theme: Theme,
}

impl<'a> LineView<'a> {
    fn new(form: &'a Form, number: usize, line: FormLine, theme: Theme) -> Self {
        LineView { form, line, is_selected: number == form.selected, error: form.error(line), theme }
    }

    /// Returns the position of the terminal's cursor if the line is being edited.
    fn draw(&self, row: Rect, buffer: &mut Buffer) -> Option<Position> {
        let theme = self.theme;
        let label = match self.line {
            FormLine::Start => "start training",
            FormLine::Name => "name",
            FormLine::Group(group) => {
                draw_text(buffer, row.x, row.y, row.width, group, theme.style(Role::Title));
                return None;
            }
            FormLine::Field(number) => self.form.fields[number].key.name,
        };
        let style = theme.style(self.role());
        let cursor_symbol = if self.is_selected { theme.symbol(Symbol::Cursor) } else { "  " };
        if self.is_selected {
            draw_text(buffer, row.x, row.y, row.width, &fit_width(theme, "", row.width as usize), style);
        }
        let x = draw_text(buffer, row.x, row.y, row.width, cursor_symbol, style);
        let rest = row.right().saturating_sub(x);
        let is_button = self.line == FormLine::Start && !self.is_selected;
        let label_style = if is_button { theme.style(Role::Key) } else { style };
        let width = LABEL.min(rest as usize / 2);
        let x = draw_text(buffer, x, row.y, rest, &(fit_width(theme, label, width) + " "), label_style);
        let area = Rect { x, width: row.right().saturating_sub(x), ..row };
        match (&self.form.editing, self.line) {
            (Some(editing), _) if self.is_selected => Some(self.draw_edited(editing, area, buffer)),
            (_, FormLine::Field(number)) => {
                self.draw_value(&self.form.fields[number], area, buffer);
                None
            }
            (_, FormLine::Name) => {
                let x = draw_text(buffer, area.x, area.y, area.width, &self.form.name, style);
                self.draw_note(self.error.as_deref().unwrap_or(""), self.role(), x + 2, area, buffer);
                None
            }
            _ => None,
        }
    }

    fn role(&self) -> Role {
        match (self.is_selected, self.error.is_some()) {
            (_, true) => Role::Warning,
            (true, _) => Role::Selected,
            (false, _) => Role::Text,
        }
    }

    /// Draws the text that is being edited, and its error.
    fn draw_edited(&self, editing: &TextField, area: Rect, buffer: &mut Buffer) -> Position {
        let cursor = editing.draw_line(buffer, area, self.theme.style(self.role()));
        if let Some(error) = &self.error {
            let from = area.x + text::width(editing.text()) as u16 + 2;
            self.draw_note(error, self.role(), from, area, buffer);
        }
        cursor
    }

    /// Draws the value of a key, and its previous value or its error.
    fn draw_value(&self, field: &Field, area: Rect, buffer: &mut Buffer) {
        let is_changed = field.text != field.original;
        let shown = if field.text.is_empty() { field.key.absent } else { &field.text };
        let role = match self.role() {
            Role::Text if field.text.is_empty() => Role::Muted,
            Role::Text if is_changed => Role::Best,
            Role::Text if field.origin == ValueOrigin::BuiltIn => Role::Muted,
            role => role,
        };
        let shown = truncate(self.theme, shown, area.width as usize);
        let x = draw_text(buffer, area.x, area.y, area.width, &shown, self.theme.style(role));
        let note = match &self.error {
            Some(error) => error.clone(),
            None if is_changed => {
                format!("was {}", if field.original.is_empty() { field.key.absent } else { &field.original })
            }
            None => return,
        };
        self.draw_note(&note, if self.is_selected { role } else { Role::Muted }, x + 2, area, buffer);
    }

    /// Draws text from column `from` to the end of `area`.
    fn draw_note(&self, note: &str, role: Role, from: u16, area: Rect, buffer: &mut Buffer) {
        let available = area.right().saturating_sub(from);
        let note = truncate(self.theme, note, available as usize);
        draw_text(buffer, from, area.y, available, &note, self.theme.style(role));
    }
}

/// Draws the explanation of the selected line, and its error.
fn draw_explanation(app: &App, form: &Form, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    if area.is_empty() {
        return;
    }
    let rule = theme.symbol(Symbol::Rule).repeat(area.width as usize);
    draw_text(buffer, area.x, area.y, area.width, &rule, theme.style(Role::Frame));
    let line = form.line();
    let help = match line {
        FormLine::Start => {
            "Starts training with the values below, without saving them to the experiments file.".into()
        }
        FormLine::Name if form.experiment.is_some() => {
            let copy = app.key(Context::Screen(Screen::Runs), Action::Runs(RunsAction::Copy));
            format!("The name of the experiment. A copy ({copy} on the Runs screen) can have another name.")
        }
        FormLine::Name => {
            "The name of the experiment in the file, on the command line and in its runs.".into()
        }
        FormLine::Group(_) => String::new(),
        FormLine::Field(number) => {
            let key = form.fields[number].key;
            let default = if key.is_optional() { key.absent } else { key.default };
            let recommended = match form.fields[number].recommended {
                Some(setting) if setting.value == form.fields[number].text => {
                    format!(" Recommended for this model: {}.", setting.reason)
                }
                Some(setting) => {
                    format!(" Recommended for this model: {}, {}.", setting.value, setting.reason)
                }
                None => String::new(),
            };
            format!("{} Default: {default}.{recommended}", key.help)
        }
    };
    let mut y = area.y + 1;
    if let Some(error) = form.error(line) {
        for text in wrap(&error, area.width as usize) {
            if y < area.bottom() {
                draw_text(buffer, area.x, y, area.width, &text, theme.style(Role::Warning));
            }
            y += 1;
        }
    }
    for text in wrap(&help, area.width as usize) {
        if y < area.bottom() {
            draw_text(buffer, area.x, y, area.width, &text, theme.style(Role::Muted));
        }
        y += 1;
    }
}

/// Draws the lines without borders, for a very small terminal.
pub fn draw_tiny(app: &App, form: &Form, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let lines = form.lines();
    let height = area.height as usize;
    let first = (form.selected + 1).saturating_sub(height);
    let mut cursor = None;
    for (number, line) in lines.iter().enumerate().skip(first).take(height) {
        let row = Rect { y: area.y + (number - first) as u16, height: 1, ..area };
        cursor = cursor.or(LineView::new(form, number, *line, app.theme).draw(row, buffer));
    }
    cursor
}
