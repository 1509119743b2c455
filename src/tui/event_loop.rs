//! The event loop: it sleeps until an event arrives, handles all pending events, then draws one frame. Training never
//! waits for the loop, and the loop never waits for training.

use super::active_runs::{ActiveRuns, Ending, HandedOver, continues};
use super::background::{ReadEvent, ReplyReader};
use super::effects::{EffectRunner, ShutDown};
use super::keymap::Keymap;
use super::msg::{Effect, Msg};
use super::options::Options;
use super::screen::Screen;
use super::settings::{self, InterfaceSettings};
use super::signals::{SignalState, watch_signals};
use super::state::App;
use super::state::copied::Copied;
use super::state::run::RunState;
use super::terminal::{self, TerminalScreen};
use super::theme::{Charset, ColorDepth, Scheme, Theme};
use super::update::{open_path, update};
use super::{input, view};
use crate::config::Parsed;
use crate::error::{Error, Result};
use crate::event::now;
use crate::run::background::BackgroundOptions;
use crate::terminal_caps::{Clipboard, TerminalCaps};
use crate::text::{escaped, plural};
use crossbeam_channel::{Receiver, Sender, after, bounded, never, select};
use crossterm::event::Event;
use std::io::Write;
use std::time::{Duration, Instant};

/// Minimum time between two frames, unless a key was pressed.
const FRAME: Duration = Duration::from_millis(66);
/// Time between two ticks while the screen depends on the clock.
const TICK: Duration = Duration::from_secs(1);
/// The reason to end when the terminal cannot be read or written. The training continues without it.
const TERMINAL_CLOSED: (&str, Ending) = ("the terminal was closed", Ending::HandOver);
/// Events of the run that are handled before keys are checked again.
const BURST: usize = 1000;
/// Capacity of the channel of worker messages. A worker blocks while it is full.
const MESSAGES: usize = 256;
/// Capacity of the channel of terminal events. The thread that reads them blocks while it is full.
const KEYS: usize = 1024;

/// Opens the interface and returns when the user quits.
///
/// # Errors
/// [`Error::Usage`] without a terminal or for an unknown `--theme`, [`Error::Interrupted`] when a signal ended it, after the run was saved.
pub fn open(options: Options) -> Result<()> {
    let mut problems = Vec::new();
    let keymap = valid_part(Keymap::open(), &mut problems);
    let settings = valid_part(InterfaceSettings::read(), &mut problems);
    let (themes, of_themes) = settings::themes();
    problems.extend(of_themes);
    let (theme, is_chosen) = theme(&options, &settings, &themes, &mut problems)?;
    let caps = TerminalCaps::detect();
    let asks_for_background = !is_chosen
        && caps.accepts_queries
        && caps.background.is_none()
        && theme.color_depth != ColorDepth::None;
    let (sender, messages) = bounded(MESSAGES);
    let background = BackgroundOptions { runs_dir: options.runs_dir.clone(), device: options.device };
    let signal_state = SignalState::new(ActiveRuns::new(background));
    let signals = watch_signals(signal_state.clone())?;
    let mut screen = TerminalScreen::open(theme)?;
    if asks_for_background {
        screen.query_background()?;
    }
    let mut app = App::new(theme, screen.size(), now(), machine());
    app.keymap = keymap;
    app.themes = themes;
    app.notice = settings::notice(&problems);
    app.mouse = settings.mouse.unwrap_or(false);
    if app.mouse {
        screen.set_mouse_capture(true)?;
    }
    app.utc_offset = i64::from(jiff::Zoned::now().offset().seconds());
    let reply_reader = ReplyReader::new(asks_for_background);
    let keys = read_terminal(reply_reader, sender.clone())?;
    let mut effect_runner = EffectRunner::new(options.clone(), sender, signal_state)?;
    effect_runner.run(Effect::Refresh);
    if let Some(path) = options.open {
        for effect in open_path(&mut app, path) {
            effect_runner.run(effect);
        }
    }
    if let Some(dir) = options.attach {
        app.screen = Screen::Live;
        app.viewed = Some(RunState::past(crate::spec::built_in(""), dir.clone(), Vec::new()));
        effect_runner.run(Effect::LoadHistory(dir));
    }
    let (last_draw, last_tick) = (None, Instant::now());
    let clipboard = caps.clipboard;
    let ended = Loop { app, effect_runner, messages, keys, signals, last_draw, last_tick, clipboard }
        .run(&mut screen);
    drop(screen);
    if let Some(text) = ended? {
        // Whoever has closed the terminal does not read this.
        writeln!(std::io::stderr(), "glue-tui: {}", escaped(&text)).ok();
    }
    Ok(())
}

/// The valid entries of a configuration file. Its errors are added to `problems`.
fn valid_part<T: Default>(file: Result<Parsed<T>>, problems: &mut Vec<String>) -> T {
    match file {
        Ok(Parsed { value, errors }) => {
            problems.extend(errors.iter().map(ToString::to_string));
            value
        }
        Err(error) => {
            problems.push(error.to_string());
            T::default()
        }
    }
}

/// The theme of the command line, of the settings, or the default one for the terminal; and whether the user chose it.
fn theme(
    options: &Options,
    settings: &InterfaceSettings,
    themes: &[&'static Scheme],
    problems: &mut Vec<String>,
) -> Result<(Theme, bool)> {
    let mut theme = Theme::of(TerminalCaps::detect());
    if let Some(name) = &options.theme {
        theme.scheme = settings::theme(themes, name, "--theme")?;
    } else if let Some(name) = &settings.theme {
        match settings::theme(themes, name, "config.toml") {
            Ok(scheme) => theme.scheme = scheme,
            Err(error) => problems.push(error.to_string()),
        }
    }
    if options.ascii && theme.charset == Charset::Unicode {
        theme.charset = Charset::AsciiSymbols;
    }
    theme.charts = settings.charts.unwrap_or_default();
    Ok((theme, options.theme.is_some() || settings.theme.is_some()))
}

/// A short description of the machine: architecture and threads.
fn machine() -> String {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{}, {}", std::env::consts::ARCH, plural(threads, "thread"))
}

/// The state of the loop.
struct Loop {
    app: App,
    effect_runner: EffectRunner,
    messages: Receiver<Msg>,
    keys: Receiver<Event>,
    signals: Receiver<Ending>,
    /// When the last frame was drawn; `None` to draw at once.
    last_draw: Option<Instant>,
    last_tick: Instant,
    clipboard: Clipboard,
}

/// The result of one iteration of the loop.
#[derive(Default)]
struct Iteration {
    /// A key was pressed: draw without waiting for the frame time.
    is_urgent: bool,
    is_dirty: bool,
    effects: Vec<Effect>,
    /// The event channel of the run was closed.
    has_run_ended: bool,
    /// Why the program must end, and what happens to its runs: a signal, or a closed terminal.
    stop_reason: Option<(&'static str, Ending)>,
}

impl Loop {
    /// Returns when the user quits, with a text to print.
    fn run(&mut self, screen: &mut TerminalScreen) -> Result<Option<String>> {
        let mut is_dirty = true;
        loop {
            if is_dirty && self.may_draw() {
                self.app.now = now();
                let app = &self.app;
                if screen.draw(|frame| view::draw(app, frame)).is_err() {
                    return self.stop(TERMINAL_CLOSED);
                }
                self.last_draw = Some(Instant::now());
                is_dirty = false;
            }
            let iteration = self.wait(is_dirty);
            is_dirty |= iteration.is_dirty;
            if iteration.is_urgent {
                self.last_draw = None;
            }
            if let Some(reason) = iteration.stop_reason {
                return self.stop(reason);
            }
            let mut effects = iteration.effects;
            if iteration.has_run_ended
                && let Some(result) = self.effect_runner.finish()
            {
                let result = result.map(drop).map_err(|e| e.to_string());
                effects.extend(update(&mut self.app, Msg::RunEnded(result)));
            }
            is_dirty |= !effects.is_empty();
            while !effects.is_empty() {
                match effects.remove(0) {
                    Effect::Quit => {
                        return match self.effect_runner.shut_down(Ending::Stop).stopped {
                            // The user has ended a run that had nothing to save yet.
                            None | Some(Ok(_) | Err(Error::Interrupted(_))) => Ok(self.app.quitting.text()),
                            Some(Err(error)) => Err(error),
                        };
                    }
                    Effect::Redraw if screen.clear().is_err() => return self.stop(TERMINAL_CLOSED),
                    Effect::Suspend if screen.suspend().is_err() => return self.stop(TERMINAL_CLOSED),
                    Effect::SetMouse(is_on) if screen.set_mouse_capture(is_on).is_err() => {
                        return self.stop(TERMINAL_CLOSED);
                    }
                    Effect::Copy(Copied { what, content }) if self.clipboard == Clipboard::Osc52 => {
                        if screen.copy(&content.text()).is_err() {
                            return self.stop(TERMINAL_CLOSED);
                        }
                        effects.extend(update(&mut self.app, Msg::Copied { what, file: None }));
                    }
                    Effect::Notify(text) => {
                        if screen.notify(&format!("glue-tui: {text}"), self.app.theme.is_ascii()).is_err() {
                            return self.stop(TERMINAL_CLOSED);
                        }
                    }
                    effect => {
                        let msg = self.effect_runner.run(effect);
                        effects.extend(msg.map_or(Vec::new(), |msg| update(&mut self.app, msg)));
                    }
                }
            }
        }
    }

    fn may_draw(&self) -> bool {
        self.last_draw.is_none_or(|time| time.elapsed() >= FRAME)
    }

    /// Sleeps until an event arrives, then handles all pending events, keys first.
    fn wait(&mut self, is_dirty: bool) -> Iteration {
        let mut iteration = Iteration::default();
        let run_events = self.effect_runner.events();
        let start_replies = self.effect_runner.start_replies();
        let pause = if is_dirty {
            after(FRAME.saturating_sub(self.last_draw.map_or(FRAME, |time| time.elapsed())))
        } else if self.needs_clock() {
            after(TICK.saturating_sub(self.last_tick.elapsed()))
        } else {
            never()
        };
        // While a frame is due, run events wait for it: waking up for each of them would cost the training threads
        // more than the event itself.
        let waking_events = if is_dirty { never() } else { run_events.clone() };
        select! {
            recv(self.keys) -> event => self.handle_key(event.ok(), &mut iteration),
            recv(self.messages) -> msg => self.handle_message(msg.ok(), &mut iteration),
            recv(start_replies) -> reply => {
                // Its events are received from the next iteration on, after this message.
                let msg = reply.ok().and_then(|reply| self.effect_runner.take_reply(reply));
                self.handle_message(msg, &mut iteration);
            }
            recv(waking_events) -> event => match event {
                Ok(event) => self.handle_message(Some(Msg::RunEvent(event)), &mut iteration),
                Err(_) => iteration.has_run_ended = true,
            },
            recv(self.signals) -> ending => iteration.stop_reason = Some(match ending {
                Ok(Ending::HandOver) => TERMINAL_CLOSED,
                _ => ("terminated by a signal", Ending::Stop),
            }),
            recv(pause) -> _ => {}
        }
        for event in self.keys.try_iter().collect::<Vec<_>>() {
            self.handle_key(Some(event), &mut iteration);
        }
        for msg in self.messages.try_iter().collect::<Vec<_>>() {
            self.handle_message(Some(msg), &mut iteration);
        }
        for event in run_events.try_iter().take(BURST).collect::<Vec<_>>() {
            self.handle_message(Some(Msg::RunEvent(event)), &mut iteration);
        }
        if self.needs_clock() && self.last_tick.elapsed() >= TICK {
            self.last_tick = Instant::now();
            self.handle_message(Some(Msg::Tick(now())), &mut iteration);
        }
        iteration
    }

    fn handle_key(&mut self, event: Option<Event>, iteration: &mut Iteration) {
        let Some(event) = event else {
            iteration.stop_reason = Some(TERMINAL_CLOSED);
            return;
        };
        let msg = input::read(&self.app, &event);
        // Most mouse movements have no meaning and need no frame.
        if msg.is_none() && matches!(event, Event::Mouse(_)) {
            return;
        }
        iteration.is_urgent = true;
        iteration.is_dirty = true;
        if let Some(msg) = msg {
            self.app.now = now();
            iteration.effects.extend(update(&mut self.app, msg));
        }
    }

    fn handle_message(&mut self, msg: Option<Msg>, iteration: &mut Iteration) {
        if let Some(msg) = msg {
            iteration.is_dirty = true;
            iteration.effects.extend(update(&mut self.app, msg));
        }
    }

    /// Whether the screen changes with time alone.
    fn needs_clock(&self) -> bool {
        let waits = !self.app.runs.queue.list.entries.is_empty() && !self.app.runs.queue.list.is_held;
        waits || self.app.is_training() || self.app.is_list_changing() || !self.app.followed_runs().is_empty()
    }

    /// Ends the runs, waits until they are saved, and restores the terminal. In this order, because writing to a terminal
    /// that nobody reads may hang.
    fn stop(&mut self, (reason, ending): (&str, Ending)) -> Result<Option<String>> {
        let ShutDown { stopped, handed_over } = self.effect_runner.shut_down(ending);
        terminal::restore();
        let text = match (handed_over, stopped) {
            (Some(HandedOver { process, report }), _) => continues(process, &report),
            // Nothing was saved, for example because the model was still being downloaded.
            (None, None | Some(Err(Error::Interrupted(_)))) => return Err(Error::Interrupted(reason.into())),
            (None, Some(outcome)) => {
                format!("the run was stopped and saved in {}", outcome?.dir.display())
            }
        };
        Err(Error::Interrupted(format!("{reason}; {text}")))
    }
}

/// Reads terminal events on a separate thread, which ends with the terminal or the program. The reply about the background
/// goes to `messages`.
fn read_terminal(mut reply_reader: ReplyReader, messages: Sender<Msg>) -> Result<Receiver<Event>> {
    let (sender, keys) = bounded(KEYS);
    let read = move || {
        while let Ok(event) = crossterm::event::read() {
            let ReadEvent { events, background } = reply_reader.take(event);
            if let Some(background) = background {
                messages.send(Msg::Background(background)).ok();
            }
            for event in events {
                if sender.send(event).is_err() {
                    return;
                }
            }
        }
    };
    let thread = std::thread::Builder::new().name("keys".into()).spawn(read);
    thread.map_err(|e| Error::Device(format!("cannot start the thread that reads the terminal: {e}")))?;
    Ok(keys)
}
