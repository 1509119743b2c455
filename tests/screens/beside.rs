//! Two sets of weights that judge the same sentence.

use super::stage::*;

use glue_tui::tui::app::App;
use glue_tui::tui::msg::{Effect, Msg, Opened};
use glue_tui::tui::screens::infer::Source;
use glue_tui::tui::update::update;
use std::path::PathBuf;

const OTHER: &str = "demo-20261123-094502-99c0";

/// A sentence that is judged, and the request for a second set of weights.
fn asked(width: u16, height: u16) -> (App, u64) {
    let mut app = judging(width, height, "the plot is thin, but nobody will be bored");
    let effects = play(&mut app, "<^b><down><down><down><enter>");
    let [Effect::OpenBeside { asked, source }] = &effects[..] else { panic!("{effects:?}") };
    let dir = PathBuf::from("runs").join(OTHER);
    assert_eq!(*source, Source::Run { name: OTHER.into(), dir });
    let asked = *asked;
    (app, asked)
}

fn both(width: u16, height: u16) -> App {
    let (mut app, asked) = asked(width, height);
    let opened = Opened { name: OTHER.into(), pair: Some(false), step: None };
    let effects = update(&mut app, Msg::BesideOpened { asked, result: Ok(opened) });
    let Some(Effect::Classify { asked, .. }) = effects.last() else { panic!("{effects:?}") };
    update(&mut app, Msg::Answer { asked: *asked, seconds: 0.006, result: Ok(verdict(0.81)) });
    update(&mut app, Msg::BesideAnswer { asked: *asked, result: Ok(verdict(0.64)) });
    app
}

#[test]
fn infer_screen_with_two_sets_of_weights() {
    snapshot("infer-beside", both);
}

#[test]
fn the_second_weights_come_and_go_and_say_why_they_do_not() {
    let (mut app, asked) = asked(120, 40);
    shows(&app, "99c0: loading the weights");
    update(&mut app, Msg::BesideOpened { asked, result: Err("has no weights yet".into()) });
    shows(&app, "99c0: has no weights yet");
    let mut app = both(120, 40);
    shows(&app, "64.0 %");
    let late = app.infer.asked;
    play(&mut app, "<^u>");
    update(&mut app, Msg::BesideAnswer { asked: late, result: Ok(verdict(0.64)) });
    play(&mut app, "x");
    let asked = app.infer.asked;
    update(&mut app, Msg::Answer { asked, seconds: 0.006, result: Ok(verdict(0.81)) });
    assert!(!text(&app).contains("64.0 %"), "what is late is dropped");
    let effects = play(&mut app, "<^b><enter>");
    assert!(matches!(effects[..], [Effect::OpenBeside { source: Source::Nothing, .. }]), "{effects:?}");
    assert!(app.infer.beside.is_none());
    update(&mut app, Msg::BesideAnswer { asked: asked + 9, result: Ok(verdict(0.64)) });
    assert!(!text(&app).contains("64.0 %"));
}

#[test]
fn two_sets_of_weights_are_drawn_at_every_size() {
    let mut app = both(0, 0);
    for width in 0..130 {
        for height in [0, 1, 5, 9, 15, 24, 40] {
            app.size = (width, height);
            buffer(&app);
        }
    }
}
