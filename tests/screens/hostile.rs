//! Hostile text in names, inputs and errors: it moves no frame, and no control character reaches the terminal.

use super::fixtures::*;
use super::recording::draw;
use glue_tui::event::{Event, ProbePrediction, ProbeResult};
use glue_tui::predict::{ModelOutput, Prediction};
use glue_tui::probes::Probe;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::state::infer::OpenedModel;
use glue_tui::tui::theme::{Charset, Role, Symbol, Theme};
use glue_tui::tui::update::update;
use proptest::prelude::*;
use ratatui::buffer::Buffer;

/// Escape sequences, bidirectional controls, joined emoji, wide characters, and stacked combining marks.
const HOSTILE: [&str; 6] = [
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\r\n\t\u{9b}2J",
    "\u{202e}txet desrever\u{202c}\u{2066}x\u{200f}",
    "👩\u{200d}👩\u{200d}👧 👍🏽 ❤\u{fe0f} 1\u{fe0f}\u{20e3} 🇩🇪",
    "日本語の名前ｶﾞ각क्षि",
    "שלום עולם \u{644}\u{627} مرحبا",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301} \u{200b}\u{ad}\u{feff} ﷽",
];

fn probe(text: &str) -> Probe {
    Probe { text: text.into(), text_pair: None }
}

/// Every screen, with `text` wherever text comes from outside.
fn screens(text: &str, (width, height): (u16, u16)) -> Vec<App> {
    let mut apps = Vec::new();
    let mut runs = runs();
    for (number, run) in runs.iter_mut().enumerate() {
        run.name = format!("{text}{number}");
        run.dir = std::path::Path::new("runs").join(format!("{text}{number}"));
        (run.experiment, run.model, run.task) = (text.into(), format!("a/{text}"), text.into());
    }
    let mut rows = experiments();
    for row in &mut rows {
        row.name = text.into();
        row.description = Some(text.into());
        if let Ok(spec) = &mut row.spec {
            (spec.experiment, spec.model) = (text.into(), format!("a/{text}"));
        }
    }
    let listed = |app: &mut App| {
        update(app, Msg::Listed { experiments: Ok(rows.clone()), runs: runs.clone() });
    };
    for keys in ["", "jjjj", "e", "4j<space>", "/", "?"] {
        let mut app = app(width, height);
        listed(&mut app);
        let effects = press_keys(&mut app, keys);
        load_histories(&mut app, &effects);
        update(&mut app, Msg::Edit(glue_tui::tui::widgets::text_field::Edit::Insert(text.into())));
        apps.push(app);
    }
    let mut app = training(width, height, "demo", 330);
    listed(&mut app);
    update(&mut app, run_event(0, Event::note(text)));
    for (step, label) in [(300, "negative"), (400, text)] {
        let flipped_from = (step > 300).then(|| "negative".to_string());
        let prediction =
            ProbePrediction::Label { label: label.into(), flipped_from, probabilities: vec![0.25, 0.75] };
        let probe = ProbeResult { step, epoch: 3.0, probe: probe(text), prediction };
        update(&mut app, run_event(0, Event::Probe(Box::new(probe))));
    }
    apps.push(app);
    let mut app = training(width, height, "demo", 30);
    update(&mut app, Msg::RunEnded(Err(text.into())));
    apps.push(app);
    let mut app = classified(text, (width, height));
    let pair = Probe { text_pair: Some(text.into()), ..probe(text) };
    update(&mut app, Msg::ProbesLoaded(Ok(vec![probe(text), pair])));
    apps.push(app);
    apps.push(classified(text, (width, height)));
    apps
}

/// The Infer screen with `text` as the input, the model's name and the labels.
fn classified(text: &str, (width, height): (u16, u16)) -> App {
    let mut app = app(width, height);
    let effects = press_keys(&mut app, "jjjji");
    let Some(Effect::OpenModel { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
    update(
        &mut app,
        Msg::ModelOpened {
            request_id: *request_id,
            result: Ok(OpenedModel { name: text.into(), pair: Some(false), step: None }),
        },
    );
    for text in [text, "and one more"] {
        let effects =
            update(&mut app, Msg::Edit(glue_tui::tui::widgets::text_field::Edit::Insert(text.into())));
        if let Some(Effect::Classify { request_id, .. }) = effects.last() {
            let probabilities = vec![(text.to_string(), 0.25), (format!("{text}2"), 0.75)];
            let output = ModelOutput::Label { label: format!("{text}2"), probability: 0.75, probabilities };
            let prediction = Prediction { output, ..prediction(0.5) };
            update(
                &mut app,
                Msg::Prediction { request_id: *request_id, seconds: 0.006, result: Ok(prediction) },
            );
        }
        press_keys(&mut app, "<enter>");
    }
    app
}

/// The cells of all frames, including those of popups.
fn frames(app: &mut App) -> Vec<(u16, u16)> {
    let buffer = draw(app, THEME);
    let set = THEME.border();
    let signs = [set.top_left, set.top_right, set.bottom_left, set.bottom_right, set.vertical_left];
    let is_frame = |x: u16, y: u16| {
        let cell = &buffer[(x, y)];
        let fg = Some(cell.fg);
        signs.contains(&cell.symbol())
            && (fg == THEME.style(Role::Frame).fg || fg == THEME.style(Role::Focus).fg)
    };
    let cells = (0..buffer.area.height).flat_map(|y| (0..buffer.area.width).map(move |x| (x, y)));
    cells.filter(|(x, y)| is_frame(*x, *y)).collect()
}

/// Whether a vertical line is the axis of a chart, which ends in its corner.
fn is_axis(buffer: &Buffer, x: u16, y: u16) -> bool {
    let signs = [Symbol::Axis, Symbol::AxisTick].map(|glyph| glyph.text(false));
    let mut below = (y..buffer.area.height).map(|y| buffer[(x, y)].symbol());
    below.find(|symbol| !signs.contains(symbol)) == Some(Symbol::Corner.text(false))
}

#[test]
fn hostile_text_moves_no_frame() {
    for size in [(80, 24), (120, 40), (200, 60)] {
        for text in HOSTILE {
            for mut app in screens(text, size) {
                let found = frames(&mut app);
                // Above and below each vertical line of a frame is another one, or a corner.
                let buffer = draw(&mut app, THEME);
                for (x, y) in &found {
                    if buffer[(*x, *y)].symbol() != THEME.border().vertical_left || is_axis(&buffer, *x, *y) {
                        continue;
                    }
                    for y in [y - 1, y + 1] {
                        assert!(
                            found.contains(&(*x, y)) || app.popup.is_some(),
                            "{text:?}: the frame is broken at {x}, {y} of\n{}",
                            super::fixtures::text(&app)
                        );
                    }
                }
                assert!(app.screen == Screen::Infer || app.popup.is_some() || !found.is_empty());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn no_screen_contains_control_characters(text in any::<String>(), hostile in 0..HOSTILE.len(), at in 0_usize..3) {
        let size = [(80, 24), (120, 40), (44, 11)][at];
        for text in [text.as_str(), HOSTILE[hostile]] {
            for mut app in screens(text, size) {
                for charset in [Charset::Unicode, Charset::AsciiSymbols, Charset::Ascii] {
                    let buffer = draw(&mut app, Theme { charset, ..THEME });
                    for cell in &buffer.content {
                        prop_assert!(!cell.symbol().contains(char::is_control), "{:?}", cell);
                        prop_assert!(charset != Charset::Ascii || cell.symbol().is_ascii(), "{:?}", cell);
                    }
                }
            }
        }
    }
}
