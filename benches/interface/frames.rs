//! Time of one frame, from the key event to the last escape sequence.

use super::report::{Report, quantile};
use super::synthetic;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use glue_tui::run::history::History;
use glue_tui::run::{RunRow, RunStatus};
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::state::App;
use glue_tui::tui::theme::{Charset, ColorDepth, Theme};
use glue_tui::tui::update::update;
use glue_tui::tui::{input, view};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::cell::Cell;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

/// Steps of each run.
const STEPS: u64 = 1_000_000;
/// Number of measured frames.
const FRAMES: usize = 400;
/// Columns and rows of the terminal.
const SIZE: (u16, u16) = (200, 60);
/// Maximum time of a frame in milliseconds.
const GOAL: f64 = 5.0;

/// A terminal that counts the bytes that are written to it.
#[derive(Clone, Default)]
struct Counter(Rc<Cell<u64>>);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.set(self.0.get() + bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A terminal, and the bytes written to it so far.
struct Screen {
    terminal: Terminal<CrosstermBackend<Counter>>,
    written: Counter,
}

/// Frames of the Compare screen with 1, 10 and 100 runs of a million steps in one chart.
pub(crate) fn measure(report: &mut Report) {
    let counts: Vec<usize> =
        [1, 10, 100].into_iter().filter(|count| report.is_selected(&name(*count))).collect();
    let Some(max_count) = counts.iter().max().copied() else { return };
    let rows: Vec<RunRow> = (0..max_count).map(row).collect();
    let mut app = App::new(Theme::new(ColorDepth::Ansi256, Charset::Unicode), SIZE, 1.8e9, "bench".into());
    update(&mut app, Msg::Listed { experiments: Ok(Vec::new()), runs: rows });
    let mut screen = screen();
    let mut marked = 0;
    // The Compare screen opens with the run under the cursor of Runs.
    let mut effects = press(&mut app, '4');
    for count in counts {
        while marked < count {
            if marked > 0 {
                press(&mut app, 'j');
                effects = press(&mut app, ' ');
            }
            let required = effects.iter().find_map(|effect| match effect {
                Effect::RequireHistory(dir) => Some(dir),
                _ => None,
            });
            let Some(dir) = required else { panic!("{effects:?}") };
            let mut history = History::default();
            synthetic::events(marked as u64, STEPS, &mut |event| history.fold(event));
            let result = Ok((synthetic::spec(marked as u64), vec![history]));
            update(&mut app, Msg::HistoryLoaded { dir: dir.clone(), result });
            marked += 1;
        }
        measure_frames(report, &name(count), &mut app, &mut screen);
    }
}

/// Frames of the Live screen, with all its charts, of a run of a million steps.
pub(crate) fn measure_live(report: &mut Report) {
    const NAME: &str = "frames: p99 of the Live screen with 10^6 steps, 200x60";
    if !report.is_selected(NAME) {
        return;
    }
    let mut app = App::new(Theme::new(ColorDepth::Ansi256, Charset::Unicode), SIZE, 1.8e9, "bench".into());
    update(&mut app, Msg::Listed { experiments: Ok(Vec::new()), runs: vec![row(0)] });
    let mut history = History::default();
    synthetic::events(0, STEPS, &mut |event| history.fold(event));
    press_code(&mut app, KeyCode::Enter);
    let result = Ok((synthetic::spec(0), vec![history]));
    update(&mut app, Msg::HistoryLoaded { dir: row(0).dir, result });
    measure_frames(report, NAME, &mut app, &mut screen());
}

/// Adds a row with the time of a frame and the bytes that it writes.
fn measure_frames(report: &mut Report, name: &str, app: &mut App, screen: &mut Screen) {
    let (mut milliseconds, mut bytes) = (Vec::new(), Vec::new());
    for frame in 0..FRAMES {
        let before = screen.written.0.get();
        milliseconds.push(time_frame(app, screen, frame));
        bytes.push((screen.written.0.get() - before) as f64);
    }
    let more = [
        ("median", quantile(&mut milliseconds, 0.5)),
        ("bytes_median", quantile(&mut bytes, 0.5)),
        ("bytes_p99", quantile(&mut bytes, 0.99)),
    ];
    report.row(name, "ms", quantile(&mut milliseconds, 0.99), GOAL, &more);
}

fn name(count: usize) -> String {
    let runs = if count == 1 { "run" } else { "runs" };
    format!("frames: p99 with {count} {runs} of 10^6 steps, 200x60")
}

/// Milliseconds from a key to the end of the next frame. The keys move the cursor of the chart or change the whole
/// chart.
fn time_frame(app: &mut App, screen: &mut Screen, frame: usize) -> f64 {
    const KEYS: [KeyCode; 8] = [
        KeyCode::Left,
        KeyCode::Char('+'),
        KeyCode::Left,
        KeyCode::Char('<'),
        KeyCode::Char('-'),
        KeyCode::Char('a'),
        KeyCode::Left,
        KeyCode::Char('y'),
    ];
    let start = Instant::now();
    press_code(app, KEYS[frame % KEYS.len()]);
    screen.terminal.draw(|frame| view::draw(app, frame)).unwrap();
    start.elapsed().as_secs_f64() * 1e3
}

fn screen() -> Screen {
    let viewport = Viewport::Fixed(Rect::new(0, 0, SIZE.0, SIZE.1));
    let written = Counter::default();
    let backend = CrosstermBackend::new(written.clone());
    Screen { terminal: Terminal::with_options(backend, TerminalOptions { viewport }).unwrap(), written }
}

fn press(app: &mut App, key: char) -> Vec<Effect> {
    press_code(app, KeyCode::Char(key))
}

fn press_code(app: &mut App, code: KeyCode) -> Vec<Effect> {
    let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
    input::read(app, &event).map_or(Vec::new(), |msg| update(app, msg))
}

fn row(number: usize) -> RunRow {
    let name = format!("synthetic-20261123-{number:06}-0000");
    RunRow {
        dir: Path::new("runs").join(&name),
        name,
        experiment: "synthetic".into(),
        task: "demo".into(),
        model: "demo".into(),
        seed: number as u64,
        status: RunStatus::Finished,
        best: None,
        steps: STEPS,
        total_steps: STEPS,
        train_seconds: 55_000.0,
        started: 1.7e9 - number as f64,
        ..RunRow::default()
    }
}
