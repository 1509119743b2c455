//! The data of an experiment before anything is trained on it.

use super::stage::*;

use glue_tui::data::{LengthHistogram, SplitStatistics};
use glue_tui::event::SplitName;
use glue_tui::run::profile::DataProfile;
use glue_tui::spec::RunSpec;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::theme::{Charset, ColorDepth, Theme};
use glue_tui::tui::update::update;

fn profile() -> DataProfile {
    // As many rows of each length as a sentence has it: few short ones, most of a dozen, a long tail.
    let rows = |scale: usize| {
        (3..190).flat_map(move |length: usize| {
            let far = length.abs_diff(14);
            std::iter::repeat_n(length, scale * 40 / (1 + far * far / 12))
        })
    };
    let split = |scale: usize, in_train: usize| {
        let lengths = LengthHistogram::of(rows(scale));
        let all = lengths.between(0, lengths.longest());
        SplitStatistics {
            rows: all,
            classes: vec![2 * all / 5, all - 2 * all / 5],
            empty: in_train / 10,
            duplicates: scale,
            in_train,
            lengths: Some(lengths),
            ..SplitStatistics::default()
        }
    };
    DataProfile {
        labels: vec!["negative".into(), "positive".into()],
        splits: vec![
            (SplitName::Train, split(16, 0)),
            (SplitName::Validation, split(2, 37)),
            (SplitName::Test, split(4, 0)),
        ],
        notes: Vec::new(),
        no_lengths: None,
    }
}

/// The app with the screen opened on the first experiment, and what it asked for.
fn opened(width: u16, height: u16) -> (App, Box<RunSpec>) {
    let mut app = app(width, height);
    let effects = play(&mut app, "D");
    let Some(Effect::ProfileData(of)) = effects.last() else { panic!("{effects:?}") };
    (app, of.clone())
}

fn looked_at(width: u16, height: u16, result: Result<DataProfile, String>) -> App {
    let (mut app, of) = opened(width, height);
    update(&mut app, Msg::DataProfiled { spec: of, result });
    app
}

#[test]
fn data_screen() {
    snapshot("data", |width, height| looked_at(width, height, Ok(profile())));
}

#[test]
fn data_screen_of_rows_that_are_not_there() {
    let why = "data/SST: is not there; data_dir names the folder with train.txt";
    snapshot("data-missing", |width, height| looked_at(width, height, Err(why.into())));
}

#[test]
fn data_screen_without_the_tokenizer() {
    snapshot("data-untokenized", |width, height| {
        let mut profile = profile();
        profile.splits.iter_mut().for_each(|(_, split)| split.lengths = None);
        profile.no_lengths = Some("model /models/none: is not there".into());
        looked_at(width, height, Ok(profile))
    });
}

#[test]
fn rows_are_counted_once_and_their_splits_gone_through() {
    let (mut app, of) = opened(120, 40);
    shows(&app, "Reading and counting the rows");
    update(&mut app, Msg::DataProfiled { spec: of.clone(), result: Ok(profile()) });
    shows(&app, "37 of the validation rows are trained on");
    shows(&app, "Tokens of an input, train");
    play(&mut app, "<tab>");
    shows(&app, "Tokens of an input, validation");
    play(&mut app, "<tab><tab>");
    shows(&app, "Tokens of an input, train");
    play(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Runs);
    assert_eq!(play(&mut app, "D"), [], "what was counted is kept");
    shows(&app, "37 of the validation rows");
    assert_eq!(play(&mut app, "<f5>"), [Effect::ProfileData(of)]);
    shows(&app, "Reading and counting the rows");
}

#[test]
fn every_size_and_plain_terminals_do_no_harm() {
    let hostile =
        DataProfile { labels: vec!["\u{1b}[31m".into(), "日本語の映画は".repeat(9)], ..profile() };
    let nothing = DataProfile { splits: Vec::new(), ..profile() };
    for profile in [hostile, nothing, profile()] {
        let mut app = looked_at(120, 40, Ok(profile));
        for width in [1, 20, 40, 60, 80, 99, 120, 200] {
            for height in [1, 3, 10, 15, 24, 50] {
                app.size = (width, height);
                assert!(!text(&app).contains('\u{1b}'));
            }
        }
    }
    let mut app = looked_at(120, 40, Ok(profile()));
    app.theme = Theme::new(ColorDepth::None, Charset::AsciiSymbols);
    let text = text(&app);
    assert!(text.is_ascii(), "{text}");
}
