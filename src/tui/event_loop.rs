//! The event loop: it sleeps until something happens, takes all that waits, then draws once. Training never waits
//! for it, and it never waits for training.

use super::effects::EffectRunner;
use super::keymap::Keymap;
use super::msg::{Effect, Msg};
use super::options::Options;
use super::screen::Screen;
use super::settings::{self, InterfaceSettings};
use super::state::App;
use super::state::run::RunState;
use super::terminal::{self, TerminalScreen};
use super::theme::{Charset, Scheme, Theme};
use super::update::update;
use super::{input, view};
use crate::error::{Error, Result};
use crate::event::now;
use crate::terminal_caps::TerminalCaps;
use crossbeam_channel::{Receiver, Sender, after, bounded, never, select};
use crossterm::event::Event;
use std::io::Write;
use std::time::{Duration, Instant};

/// Time between two frames that only the training asks for.
const FRAME: Duration = Duration::from_millis(66);
/// Time between two looks at the clock while something depends on it.
const TICK: Duration = Duration::from_secs(1);
/// Why the interface ends when nobody can see it.
const GONE: &str = "the terminal is gone";
/// Events of the training that are taken before keys are looked at again.
const BURST: usize = 1000;
/// Messages of the workers that wait for the loop. A worker waits when there are more.
const MESSAGES: usize = 256;
/// Keys that wait for the loop. The thread that reads them waits when there are more, and then the terminal.
const KEYS: usize = 1024;
/// Signals that wait for the loop.
const SIGNALS: usize = 16;

/// Opens the interface and returns when the user leaves it.
///
/// # Errors
/// [`Error::Config`] with every mistake in the file of keys, [`Error::Usage`] without a terminal,
/// [`Error::Interrupted`] when a signal ended it, with the work saved.
pub fn open(options: Options) -> Result<()> {
    let keymap = Keymap::open()?;
    let settings = InterfaceSettings::read()?;
    let themes = settings::themes()?;
    let theme = theme(&options, &settings, &themes)?;
    let (sender, messages) = bounded(MESSAGES);
    let signals = watch_signals()?;
    let mut screen = TerminalScreen::open(theme)?;
    let mut app = App::new(theme, screen.size(), now(), machine());
    app.keymap = keymap;
    app.themes = themes;
    app.mouse = settings.mouse.unwrap_or(false);
    if app.mouse {
        screen.set_mouse_capture(true)?;
    }
    app.utc_offset = i64::from(jiff::Zoned::now().offset().seconds());
    let mut effect_runner = EffectRunner::new(options.clone(), sender)?;
    effect_runner.run(Effect::Refresh);
    if let Some(dir) = options.attach {
        app.screen = Screen::Live;
        app.viewed = Some(RunState::past(crate::spec::built_in(""), dir.clone(), Vec::new()));
        effect_runner.run(Effect::LoadHistory(dir));
    }
    let keys = read_keys()?;
    let ended = Loop { app, effect_runner, messages, keys, signals, drawn: None, ticked: Instant::now() }
        .run(&mut screen);
    drop(screen);
    ended
}

/// The theme that was asked for, or was chosen before, or suits the terminal.
fn theme(options: &Options, settings: &InterfaceSettings, themes: &[&'static Scheme]) -> Result<Theme> {
    let mut theme = Theme::of(TerminalCaps::detect());
    if let Some(name) = &options.theme {
        theme.scheme = settings::theme(themes, name, "--theme")?;
    } else if let Some(name) = &settings.theme {
        theme.scheme = settings::theme(themes, name, "config.toml")?;
    }
    if options.ascii && theme.letters == Charset::Unicode {
        theme.letters = Charset::AsciiSymbols;
    }
    theme.charts = settings.charts.unwrap_or_default();
    Ok(theme)
}

/// The machine in a few words.
fn machine() -> String {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let s = if threads == 1 { "" } else { "s" };
    format!("{}, {threads} thread{s}", std::env::consts::ARCH)
}

/// Everything that the loop looks after.
struct Loop {
    app: App,
    effect_runner: EffectRunner,
    messages: Receiver<Msg>,
    keys: Receiver<Event>,
    signals: Receiver<i32>,
    drawn: Option<Instant>,
    ticked: Instant,
}

/// What a turn of the loop asks for.
#[derive(Default)]
struct Turn {
    /// Somebody waits for the answer to a key.
    is_urgent: bool,
    is_dirty: bool,
    effects: Vec<Effect>,
    /// The training's channel was closed.
    is_over: bool,
    /// Why the program is to end: a signal, or a terminal that is gone.
    end: Option<&'static str>,
}

impl Loop {
    fn run(&mut self, screen: &mut TerminalScreen) -> Result<()> {
        let mut is_dirty = true;
        loop {
            if is_dirty && self.may_draw() {
                self.app.now = now();
                let app = &self.app;
                if screen.draw(|frame| view::draw(app, frame)).is_err() {
                    return self.stop(GONE);
                }
                self.drawn = Some(Instant::now());
                is_dirty = false;
            }
            let turn = self.wait(is_dirty);
            is_dirty |= turn.is_dirty;
            if turn.is_urgent {
                self.drawn = None;
            }
            if let Some(why) = turn.end {
                return self.stop(why);
            }
            let mut effects = turn.effects;
            if turn.is_over
                && let Some(result) = self.effect_runner.finish()
            {
                let result = result.map(drop).map_err(|e| e.to_string());
                effects.extend(update(&mut self.app, Msg::RunEnded(result)));
            }
            is_dirty |= !effects.is_empty();
            while !effects.is_empty() {
                match effects.remove(0) {
                    Effect::Quit => {
                        return self.effect_runner.shut_down().map_or(Ok(()), |result| result.map(drop));
                    }
                    Effect::Redraw if screen.clear().is_err() => return self.stop(GONE),
                    Effect::Suspend if screen.suspend().is_err() => return self.stop(GONE),
                    Effect::SetMouse(is_on) if screen.set_mouse_capture(is_on).is_err() => {
                        return self.stop(GONE);
                    }
                    Effect::Notify(text) => {
                        if screen.notify(&format!("glue-tui: {text}"), self.app.theme.is_ascii()).is_err() {
                            return self.stop(GONE);
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
        self.drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME)
    }

    /// Sleeps until something happens, then takes all that waits, keys first.
    fn wait(&mut self, is_dirty: bool) -> Turn {
        let mut turn = Turn::default();
        let said = self.effect_runner.events();
        let start_replies = self.effect_runner.start_replies();
        let pause = if is_dirty {
            after(FRAME.saturating_sub(self.drawn.map_or(FRAME, |drawn| drawn.elapsed())))
        } else if self.needs_clock() {
            after(TICK.saturating_sub(self.ticked.elapsed()))
        } else {
            never()
        };
        // While a frame is due, what is said waits for it: waking up for each event would take the training's
        // threads more than the event itself.
        let news = if is_dirty { never() } else { said.clone() };
        select! {
            recv(self.keys) -> event => self.key(event.ok(), &mut turn),
            recv(self.messages) -> msg => self.message(msg.ok(), &mut turn),
            recv(start_replies) -> reply => {
                // Its events are received from the next turn on, after this message.
                let msg = reply.ok().and_then(|reply| self.effect_runner.take_reply(reply));
                self.message(msg, &mut turn);
            }
            recv(news) -> event => match event {
                Ok(event) => self.message(Some(Msg::RunEvent(event)), &mut turn),
                Err(_) => turn.is_over = true,
            },
            recv(self.signals) -> _ => turn.end = Some("told to end"),
            recv(pause) -> _ => {}
        }
        for event in self.keys.try_iter().collect::<Vec<_>>() {
            self.key(Some(event), &mut turn);
        }
        for msg in self.messages.try_iter().collect::<Vec<_>>() {
            self.message(Some(msg), &mut turn);
        }
        for event in said.try_iter().take(BURST).collect::<Vec<_>>() {
            self.message(Some(Msg::RunEvent(event)), &mut turn);
        }
        if self.needs_clock() && self.ticked.elapsed() >= TICK {
            self.ticked = Instant::now();
            self.message(Some(Msg::Tick(now())), &mut turn);
        }
        turn
    }

    fn key(&mut self, event: Option<Event>, turn: &mut Turn) {
        let Some(event) = event else {
            turn.end = Some(GONE);
            return;
        };
        let msg = input::read(&self.app, &event);
        // A mouse that only moves says much that means nothing.
        if msg.is_none() && matches!(event, Event::Mouse(_)) {
            return;
        }
        turn.is_urgent = true;
        turn.is_dirty = true;
        if let Some(msg) = msg {
            self.app.now = now();
            turn.effects.extend(update(&mut self.app, msg));
        }
    }

    fn message(&mut self, msg: Option<Msg>, turn: &mut Turn) {
        if let Some(msg) = msg {
            turn.is_dirty = true;
            turn.effects.extend(update(&mut self.app, msg));
        }
    }

    /// Whether anything on the screen changes with time alone.
    fn needs_clock(&self) -> bool {
        let waits = !self.app.runs.queue.list.entries.is_empty() && !self.app.runs.queue.list.is_held;
        waits || self.app.is_training() || !self.app.followed_runs().is_empty()
    }

    /// Gives the terminal back, stops the training and waits until its work is saved.
    fn stop(&mut self, why: &str) -> Result<()> {
        terminal::restore();
        match self.effect_runner.shut_down() {
            None => Err(Error::Interrupted(why.into())),
            Some(outcome) => {
                let dir = outcome?.dir;
                writeln!(std::io::stderr(), "the work is saved in {}", dir.display()).ok();
                Err(Error::Interrupted(format!(
                    "{why}; the run was stopped, its work is saved in {}",
                    dir.display()
                )))
            }
        }
    }
}

/// Reads the terminal on a thread of its own, which ends with the terminal or the program.
fn read_keys() -> Result<Receiver<Event>> {
    let (sender, keys) = bounded(KEYS);
    let read = move || {
        while let Ok(event) = crossterm::event::read() {
            if sender.send(event).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("keys".into()).spawn(read);
    thread.map_err(|e| Error::Device(format!("cannot start a thread for the keys: {e}")))?;
    Ok(keys)
}

/// The signals that end the program.
#[cfg(unix)]
fn watch_signals() -> Result<Receiver<i32>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let trouble = |e: std::io::Error| Error::Device(format!("cannot watch for signals: {e}"));
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(trouble)?;
    let (sender, receiver): (Sender<i32>, _) = bounded(SIGNALS);
    let forward = move || signals.forever().for_each(|signal| sender.send(signal).unwrap_or(()));
    std::thread::Builder::new().name("signals".into()).spawn(forward).map_err(trouble)?;
    Ok(receiver)
}

#[cfg(not(unix))]
fn watch_signals() -> Result<Receiver<i32>> {
    let _: Option<Sender<i32>> = None;
    Ok(never())
}
