//! Hardware usage: the strip on the Live screen, and the Machine screen.

use super::fixtures::*;

use glue_tui::event::{Event, Stage, Usage};
use glue_tui::machine::{Gauges, Gpu};
use glue_tui::run::history::History;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::theme::{Charset, ColorDepth, Theme};
use glue_tui::tui::update::update;

/// Gauges of a second, with `gpus` GPUs.
fn gauges(second: u32, gpus: u32) -> Event {
    let wave = f64::from(second % 7) / 7.0;
    let gpu = |number: u32| Gpu {
        name: "NVIDIA H100 80GB HBM3".into(),
        busy: 0.9 - 0.3 * wave - 0.2 * f64::from(number),
        memory: (3 + u64::from(number)) << 30,
        total_memory: 80 << 30,
        watts: Some(400.0 + 40.0 * wave),
        celsius: (number == 0).then_some(55.0 + f64::from(second) / 20.0),
    };
    Event::Machine(Gauges {
        time: STARTED_AT + f64::from(second),
        cpu: if second < 12 { 0.2 } else { 0.97 - 0.04 * wave },
        process_cpu: if second < 12 { 0.05 } else { 0.94 - 0.05 * wave },
        process_memory: (300 << 20) + (u64::from(second.min(40)) << 22),
        available_memory: (20 << 30) - (u64::from(second) << 22),
        total_memory: 24 << 30,
        gpus: (0..gpus).map(gpu).collect(),
    })
}

/// The usage of the steps, as it is logged.
fn usage() -> Usage {
    let mut usage = Usage { tokens: 45_000, computed_tokens: 50_000, operations: 2.1e12, ..Usage::default() };
    for (stage, seconds) in [
        (Stage::Data, 0.004),
        (Stage::Forward, 3.8),
        (Stage::Backward, 5.1),
        (Stage::Optimizer, 0.8),
        (Stage::Logging, 0.002),
    ] {
        usage.spend(stage, seconds);
    }
    usage
}

/// A live run with hardware measurements.
fn measured(width: u16, height: u16, gpus: u32) -> App {
    let mut app = training(width, height, "demo", 0);
    for event in recorded().into_iter().take(330) {
        let event = match event {
            Event::Started(mut started) => {
                started.planned_memory = Some(450 << 20);
                started.product_rate = Some(2.6e11);
                Event::Started(started)
            }
            Event::Step(mut step) => {
                step.usage = step.step.is_multiple_of(100).then(|| Box::new(usage()));
                Event::Step(step)
            }
            other => other,
        };
        update(&mut app, run_event(0, event));
    }
    (0..97).for_each(|second| drop(update(&mut app, run_event(0, gauges(second, gpus)))));
    app
}

#[test]
fn live_screen_with_the_strip() {
    snapshot("live-machine", |width, height| measured(width, height, 1));
}

#[test]
fn machine_screen() {
    snapshot("machine", |width, height| {
        let mut app = measured(width, height, 0);
        press_keys(&mut app, "m");
        app
    });
}

#[test]
fn machine_screen_with_gpus() {
    snapshot("machine-gpus", |width, height| {
        let mut app = measured(width, height, 2);
        press_keys(&mut app, "m<left><left><left>+");
        app
    });
}

#[test]
fn machine_screen_without_measurements() {
    snapshot("machine-empty", |width, height| {
        let mut app = training(width, height, "demo", 0);
        press_keys(&mut app, "m");
        app
    });
}

#[test]
fn keys_open_and_leave_the_machine_screen() {
    let mut app = app(120, 40);
    app.runs.runs.clear();
    press_keys(&mut app, "2m");
    assert_eq!(app.screen, Screen::Live, "the screen needs a run");
    let mut app = measured(120, 40, 0);
    press_keys(&mut app, "m");
    assert_eq!(app.screen, Screen::Machine);
    press_keys(&mut app, "<left><left>+<esc>");
    assert_eq!(app.screen, Screen::Machine, "escape clears the cursor, then the zoom");
    press_keys(&mut app, "<esc><esc>");
    assert_eq!(app.screen, Screen::Live);
    press_keys(&mut app, "mm");
    assert_eq!(app.screen, Screen::Live);
}

#[test]
fn machine_screen_follows_a_run_of_another_process() {
    let mut app = app(120, 40);
    let dir = app.runs.runs[1].dir.clone();
    let effects = press_keys(&mut app, "jjjj<enter>m");
    assert_eq!(effects.last(), Some(&Effect::LoadHistory(dir.clone())));
    assert_eq!((app.screen, app.followed_runs()), (Screen::Machine, vec![dir.clone()]));
    let spec = glue_tui::spec::built_in("demo");
    update(&mut app, Msg::HistoryLoaded { dir, result: Ok((spec, vec![History::of(&recorded())])) });
    assert_shows(&app, "not recorded in this run");
}

#[test]
fn details_of_a_run_show_the_time_of_each_stage() {
    let mut app = app(120, 40);
    let effects = press_keys(&mut app, "jjjj");
    let Some(Effect::LoadHistory(dir)) = effects.last() else { panic!("{effects:?}") };
    let mut events = recorded();
    for event in &mut events {
        if let Event::Step(step) = event {
            step.usage = (step.step == 500).then(|| Box::new(usage()));
        }
    }
    let spec = glue_tui::spec::built_in("demo");
    let result = Ok((spec, vec![History::of(&events)]));
    update(&mut app, Msg::HistoryLoaded { dir: dir.clone(), result });
    assert_shows(&app, "forward");
    assert_shows(&app, "evaluation");
}

#[test]
fn machine_screen_is_drawn_at_every_size_and_in_ascii() {
    let mut app = measured(0, 0, 3);
    press_keys(&mut app, "m<left>");
    for width in [0, 1, 3, 8, 20, 40, 60, 79, 100, 130, 200] {
        for height in [0, 1, 2, 5, 8, 12, 20, 24, 40, 60] {
            app.size = (width, height);
            for charset in [Charset::Unicode, Charset::AsciiSymbols] {
                app.theme = Theme::new(ColorDepth::None, charset);
                for tab in [Screen::Machine, Screen::Live] {
                    app.screen = tab;
                    let text = text(&app);
                    assert!(charset == Charset::Unicode || text.is_ascii(), "{text}");
                }
            }
        }
    }
}
