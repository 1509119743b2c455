//! The Data screen.

use super::fixtures::*;

use glue_tui::catalog::ProblemType;
use glue_tui::data::{LengthHistogram, SplitStatistics};
use glue_tui::event::SplitName;
use glue_tui::run::profile::{DataProfile, SampleRow};
use glue_tui::spec::RunSpec;
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::theme::{Charset, ColorDepth, Theme};
use glue_tui::tui::update::update;

fn samples(split: SplitName) -> Vec<SampleRow> {
    let texts = [
        "a smart and warm film from start to end",
        "the plot is thin",
        "too long, too loud and rarely funny",
    ];
    let row = |number: usize| SampleRow {
        text: format!("{} ({} {number})", texts[number % 3], split.name()),
        text_pair: None,
        label: ["positive", "negative"][usize::from(!number.is_multiple_of(3))].into(),
    };
    (0..30).map(row).collect()
}

fn profile() -> DataProfile {
    // Lengths are distributed as those of sentences: few short ones, most near 14 tokens, a long tail.
    let rows = |scale: usize| {
        (3..190).flat_map(move |length: usize| {
            let distance = length.abs_diff(14);
            std::iter::repeat_n(length, scale * 40 / (1 + distance * distance / 12))
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
        problem_type: ProblemType::SingleLabelClassification,
        labels: vec!["negative".into(), "positive".into()],
        splits: vec![
            (SplitName::Train, split(16, 0)),
            (SplitName::Validation, split(2, 37)),
            (SplitName::Test, split(4, 0)),
        ],
        samples: [SplitName::Train, SplitName::Validation, SplitName::Test]
            .map(|split| (split, samples(split)))
            .into(),
        notes: Vec::new(),
        no_lengths: None,
    }
}

/// The app with the screen opened on the first experiment, and the requested specification.
fn opened(width: u16, height: u16) -> (App, Box<RunSpec>) {
    let mut app = app(width, height);
    let effects = press_keys(&mut app, "D");
    let Some(Effect::ProfileData(spec)) = effects.last() else { panic!("{effects:?}") };
    (app, spec.clone())
}

fn loaded(width: u16, height: u16, result: Result<DataProfile, String>) -> App {
    let (mut app, spec) = opened(width, height);
    update(&mut app, Msg::DataProfiled { spec, result });
    app
}

#[test]
fn data_screen() {
    snapshot("data", |width, height| loaded(width, height, Ok(profile())));
}

#[test]
fn data_screen_with_rows() {
    snapshot("data-rows", |width, height| {
        let mut app = loaded(width, height, Ok(profile()));
        press_keys(&mut app, "rj");
        app
    });
}

#[test]
fn data_screen_with_missing_files() {
    let why = "data/SST: not found; data_dir names the folder with train.txt";
    snapshot("data-missing", |width, height| loaded(width, height, Err(why.into())));
}

#[test]
fn data_screen_without_tokenizer() {
    snapshot("data-untokenized", |width, height| {
        let mut profile = profile();
        profile.splits.iter_mut().for_each(|(_, split)| split.lengths = None);
        profile.no_lengths = Some("model /models/none: not found".into());
        loaded(width, height, Ok(profile))
    });
}

#[test]
fn counts_of_problems_stay_visible_below_many_labels() {
    let mut profile = profile();
    profile.labels = (0..50).map(|label| format!("label {label}")).collect();
    profile.splits.iter_mut().for_each(|(_, split)| split.classes = vec![1; 50]);
    for (width, height) in [(80, 24), (120, 40)] {
        let app = loaded(width, height, Ok(profile.clone()));
        for expected in ["label 1 ", " more ", "truncated", "duplicates", "also in train"] {
            assert_shows(&app, expected);
        }
        assert!(!text(&app).contains("label 49"));
    }
    assert_shows(&loaded(120, 80, Ok(profile)), "label 49");
}

#[test]
fn profile_is_cached_and_tab_shows_the_next_split() {
    let (mut app, spec) = opened(120, 40);
    assert_shows(&app, "Reading the data");
    update(&mut app, Msg::DataProfiled { spec: spec.clone(), result: Ok(profile()) });
    assert_shows(&app, "37 of the validation rows are also in train");
    assert_shows(&app, "Tokens per input, train");
    press_keys(&mut app, "<tab>");
    assert_shows(&app, "Tokens per input, validation");
    press_keys(&mut app, "<tab><tab>");
    assert_shows(&app, "Tokens per input, train");
    press_keys(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Runs);
    assert_eq!(press_keys(&mut app, "D"), [], "the profile is cached");
    assert_shows(&app, "37 of the validation rows");
    assert_eq!(press_keys(&mut app, "<f5>"), [Effect::ProfileData(spec)]);
    assert_shows(&app, "Reading the data");
}

#[test]
fn data_screen_is_drawn_at_every_size_and_in_ascii() {
    let hostile =
        DataProfile { labels: vec!["\u{1b}[31m".into(), "日本語の映画は".repeat(9)], ..profile() };
    let empty = DataProfile { splits: Vec::new(), ..profile() };
    for profile in [hostile, empty, profile()] {
        let mut app = loaded(120, 40, Ok(profile));
        for width in [1, 20, 40, 60, 80, 99, 120, 200] {
            for height in [1, 3, 10, 15, 24, 50] {
                app.size = (width, height);
                assert!(!text(&app).contains('\u{1b}'));
            }
        }
    }
    let mut app = loaded(120, 40, Ok(profile()));
    app.theme = Theme::new(ColorDepth::None, Charset::AsciiSymbols);
    let text = text(&app);
    assert!(text.is_ascii(), "{text}");
}
