//! The charts of the Live screen: legends, the grid, marks of changes, and panes that keep their content.

use super::fixtures::*;
use glue_tui::event::{Command, Event, ProbePrediction, ProbeResult, TrainingSettings};
use glue_tui::probes::Probe;
use glue_tui::tui::state::App;
use glue_tui::tui::theme::{Charset, ColorDepth, Theme};
use glue_tui::tui::update::update;

fn command(app: &mut App, step: u64, command: Command, settings: Option<TrainingSettings>) {
    let event = Event::Command { step, command, settings, replayed: false, error: None };
    update(app, run_event(0, event));
}

/// A training whose learning rate and length were changed, and that was paused.
fn changed(width: u16, height: u16) -> App {
    let mut app = training(width, height, "demo", 200);
    let settings = |learning_rate, total_steps| Some(TrainingSettings { learning_rate, total_steps });
    command(&mut app, 60, Command::Halve, settings(2.5e-4, 500));
    command(&mut app, 100, Command::MaxSteps(400), settings(2.5e-4, 400));
    command(&mut app, 120, Command::Pause, None);
    command(&mut app, 120, Command::Resume, None);
    app
}

/// A training with probes.
fn with_probes(width: u16, height: u16) -> App {
    let mut app = training(width, height, "demo", 330);
    for text in ["not bad at all", "it could have been so much better"] {
        let prediction = ProbePrediction::Label {
            label: "positive".into(),
            flipped_from: None,
            probabilities: vec![0.25, 0.75],
        };
        let probe = Probe { text: text.into(), text_pair: None };
        let result = ProbeResult { step: 205, epoch: 2.0, probe, prediction };
        update(&mut app, run_event(0, Event::Probe(Box::new(result))));
    }
    app
}

#[test]
fn live_screen_with_changes() {
    snapshot("live-changes", |width, height| {
        let mut app = changed(width, height);
        press_keys(&mut app, "a");
        for _ in 0..200 {
            press_keys(&mut app, "<left>");
            if text(&app).contains("learning rate 5e-4") {
                break;
            }
        }
        app
    });
}

#[test]
fn every_chart_has_a_legend_at_every_width() {
    for width in 60..=210 {
        for height in [16, 24, 30, 40, 60] {
            for charset in [Charset::Unicode, Charset::AsciiSymbols] {
                let mut app = training(width, height, "demo", 330);
                app.theme = Theme::new(ColorDepth::None, charset);
                let frame = text(&app);
                let has = |name: &str| frame.contains(name) || frame.contains(&name[..4]);
                assert!(has("train") && has("validation"), "{width}x{height}\n{frame}");
            }
        }
    }
}

#[test]
fn grid_shows_every_chart_with_its_value_at_the_cursor() {
    let mut app = training(200, 60, "demo", 330);
    for title in ["Loss", "Accuracy", "Learning rate", "Gradient norm", "Tokens per second"] {
        assert_shows(&app, title);
    }
    let before = text(&app);
    press_keys(&mut app, "<left><left><left><left><left><left><left><left><left><left><left><left>");
    let after = text(&app);
    assert_ne!(before, after);
    assert_eq!(after.matches(" epoch 4.").count(), 5, "{after}");
}

#[test]
fn tab_shows_every_chart_on_a_narrow_terminal() {
    let mut app = training(80, 24, "demo", 330);
    for title in ["Accuracy", "Learning rate", "Gradient norm", "Tokens per second", "Loss"] {
        press_keys(&mut app, "<tab>");
        assert_shows(&app, &format!("╭ {title}"));
    }
}

#[test]
fn probes_do_not_replace_the_scores() {
    for (width, height) in [(100, 30), (119, 30), (120, 30), (120, 40), (160, 40), (200, 60)] {
        let app = with_probes(width, height);
        for title in ["Step", "Scores", "Probes", "Log"] {
            assert_shows(&app, &format!("╭ {title}"));
        }
        assert_shows(&app, "not bad at all");
        assert_shows(&app, "before");
    }
}

#[test]
fn log_has_space_for_its_text() {
    for width in 60..=210 {
        for height in [16, 24, 28, 30, 40, 60] {
            let app = with_probes(width, height);
            let frame = text(&app);
            let Some(line) = frame.lines().find(|line| line.contains("╭ Log")) else { continue };
            let columns = line.chars().skip_while(|c| *c != 'L').count();
            assert!(columns >= 26, "{columns} columns at {width}x{height}\n{frame}");
        }
    }
}

#[test]
fn marks_of_changes_have_their_text_under_the_cursor() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut app = changed(width, height);
        press_keys(&mut app, "a");
        let mut texts = Vec::new();
        for _ in 0..100 {
            press_keys(&mut app, "<left>");
            texts.push(text(&app));
        }
        for expected in ["learning rate 5e-4 → 2.5e-4", "500 → 400 steps", "paused resumed"] {
            assert!(texts.iter().any(|frame| frame.contains(expected)), "{expected} at {width}x{height}");
        }
        assert!(texts[0].contains('▴'), "{}", texts[0]);
    }
}

#[test]
fn curves_have_different_patterns_without_color() {
    let mut app = training(120, 40, "demo", usize::MAX);
    app.theme = Theme::new(ColorDepth::None, Charset::Unicode);
    let frame = text(&app);
    assert!(frame.contains('●'), "{frame}");
    let mut app = comparing(120, 40);
    let mut drawn = |color_depth| {
        app.theme = Theme::new(color_depth, Charset::Unicode);
        text(&app)
    };
    let few_colors = drawn(ColorDepth::Ansi16);
    assert_eq!(few_colors, drawn(ColorDepth::None));
    assert_ne!(few_colors, drawn(ColorDepth::TrueColor), "lines of runs are dashed only where colors repeat");
    assert_eq!(drawn(ColorDepth::Ansi256), drawn(ColorDepth::TrueColor));
}
