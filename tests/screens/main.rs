//! Snapshots of every screen at several sizes, drawn from recorded events, and tests of the app by key presses.
//!
//! The snapshots are [insta](https://insta.rs) snapshots in `tests/screens/snapshots/`;
//! `INSTA_UPDATE=always cargo test --test screens` rewrites them and the pictures. The tests set the
//! clock, so the snapshots need no filters.

mod averaging;
mod background;
mod charts;
mod cluster;
mod commands;
mod compare;
mod comparison;
mod copying;
mod data;
mod diagnosis;
mod dialogs;
mod fixtures;
mod form;
mod glue;
mod hostile;
mod infer;
mod insight;
mod keys;
mod machine;
mod mouse;
mod multi_label;
mod open;
mod palette;
mod pictures;
mod probes;
mod queue;
mod recording;
mod reference;
mod regression;
mod runs;
mod svg;
mod sweep;
mod terminals;

use fixtures::*;

use glue_tui::catalog::Metric;
use glue_tui::event::{Event, Progress, SplitName, Step, Unit};
use glue_tui::run::history::History;
use glue_tui::run::{Difference, Repeats, Reproduction, ReproductionRow};
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::screen::Screen;
use glue_tui::tui::state::App;
use glue_tui::tui::state::infer::OpenedModel;
use glue_tui::tui::theme::{Charset, ColorDepth, Theme};
use glue_tui::tui::update::update;
use ratatui::style::Color;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Finds snapshots of tests that no longer exist.
#[test]
fn every_snapshot_file_is_used() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    let mut names: BTreeSet<String> = dialogs::DIALOGS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let calls = source.split("snapshot(\"").skip(1);
            names.extend(calls.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()));
        }
    }
    for name in terminals::SCREENS {
        assert!(names.contains(name), "{name} has no snapshot");
    }
    names.extend(terminals::SCREENS.map(terminals::snapshot_name));
    let expected = names.iter().map(|name| format!("{name}.snap")).collect();
    let files = std::fs::read_dir(folder.join("snapshots")).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|name| !name.ends_with(".snap.new")).collect();
    assert_eq!(files, expected);
}

#[test]
fn runs_screen() {
    snapshot("runs", app);
}

#[test]
fn runs_screen_on_an_unreadable_run() {
    snapshot("runs-unreadable", app_on_unreadable_run);
}

#[test]
fn runs_screen_on_a_past_run() {
    snapshot("runs-past", |width, height| {
        let mut app = app(width, height);
        let effects = press_keys(&mut app, "jjjj");
        let dir = PathBuf::from("runs/demo-20261123-095711-01ab");
        assert_eq!(effects.last(), Some(&Effect::LoadHistory(dir.clone())));
        let spec = glue_tui::spec::built_in("demo");
        update(&mut app, Msg::HistoryLoaded { dir, result: Ok((spec, vec![History::of(&recorded())])) });
        app
    });
}

#[test]
fn runs_screen_on_several_seeds() {
    snapshot("runs-seeds", |width, height| {
        let mut app = app(width, height);
        press_keys(&mut app, "jjj");
        let dir = app.runs.run().unwrap().dir.clone();
        let spec = glue_tui::spec::built_in("demo");
        let seed = |number: u64, collapsed: bool| {
            let mut events = recorded();
            for event in &mut events {
                match event {
                    Event::Started(started) => started.spec.seed = number,
                    Event::Eval(eval) if collapsed => {
                        eval.best &= eval.step == 100;
                        eval.scores.loss = 0.693;
                        eval.scores.confusion = vec![vec![0, 250], vec![0, 250]];
                        eval.scores.metrics.insert(Metric::Accuracy, Some(0.5));
                    }
                    _ => {}
                }
            }
            History::of(&events)
        };
        let seeds = vec![seed(42, false), seed(43, true), seed(44, false)];
        update(&mut app, Msg::HistoryLoaded { dir, result: Ok((spec, seeds)) });
        app
    });
}

#[test]
fn runs_screen_with_an_invalid_file() {
    snapshot("runs-empty", |width, height| {
        let mut app = App::new(THEME, (width, height), STARTED_AT, "x86_64, 2 threads".into());
        let error = "experiments.toml:12:1: unknown key `learning_rat`; did you mean `learning_rate`?";
        let mut experiments = experiments();
        experiments[1].spec = Err(error.into());
        update(&mut app, Msg::Listed { experiments: Ok(experiments), runs: Vec::new() });
        let errors =
            vec!["experiments.toml:3:2: unknown table `experimnt`; did you mean `experiment`?".into()];
        update(&mut app, Msg::ExperimentFiles { errors, targets: Vec::new() });
        press_keys(&mut app, "j");
        app
    });
}

#[test]
fn form_screen() {
    snapshot("form", |width, height| {
        let mut app = app(width, height);
        press_keys(&mut app, "ejjjjjjjjjjj<enter>x");
        app
    });
}

#[test]
fn choice_screen() {
    snapshot("choice", |width, height| {
        let mut app = app(width, height);
        press_keys(&mut app, "ejj<enter>distil");
        app
    });
}

#[test]
fn live_screen_before_the_first_step() {
    snapshot("live-preparing", |width, height| {
        let mut app = training(width, height, "demo", 0);
        let what = "downloading model.safetensors".to_string();
        let progress = Progress { what, done: 115_000_000, total: Some(267_954_768), unit: Unit::Bytes };
        update(&mut app, run_event(0, Event::Progress(progress)));
        app
    });
}

#[test]
fn live_screen() {
    snapshot("live", |width, height| training(width, height, "demo", 330));
}

#[test]
fn live_screen_of_the_second_seed() {
    snapshot("live-seeds", |width, height| {
        let mut app = training(width, height, "sst-distilbert", usize::MAX);
        for event in recorded().into_iter().take(150) {
            let event = match event {
                Event::Started(mut started) => {
                    started.spec.seed = 43;
                    Event::Started(started)
                }
                Event::Step(step) => Event::Step(Step { loss: 1.3 * step.loss, ..step }),
                other => other,
            };
            update(&mut app, run_event(1, event));
        }
        app.now = STARTED_AT + 400.0;
        app
    });
}

#[test]
fn published_results() {
    snapshot("published", |width, height| {
        let mut app = app(width, height);
        assert_eq!(press_keys(&mut app, "p"), [Effect::LoadReproduction]);
        let row = |split, published, ours: Option<Repeats>| ReproductionRow {
            split,
            published,
            published_runs: 8,
            ours,
            difference: ours.map(|ours| Difference::of(ours, published, 8)),
        };
        let of = |count, mean, sd| Some(Repeats { count, mean, sd });
        let (validation, test) = (SplitName::Validation, SplitName::Test);
        let result = |experiment: &str, model: &str, task: &str, rows, not_counted| Reproduction {
            experiment: experiment.into(),
            model: model.into(),
            task: task.into(),
            rows,
            not_counted,
        };
        let distilbert = "distilbert/distilbert-base-uncased";
        let excluded = ("sst-distilbert-20261123-101502-7f3a".to_string(), "learning_rate 5e-5".to_string());
        let rows =
            vec![row(validation, 0.83992, of(8, 0.8413, 0.0042)), row(test, 0.85056, of(8, 0.8441, 0.0031))];
        let table = vec![
            result("sst-distilbert", distilbert, "sst", rows, vec![excluded]),
            result(
                "sst-bert-large",
                "google-bert/bert-large-uncased",
                "sst",
                vec![row(validation, 0.87443, of(1, 0.8701, 0.0)), row(test, 0.86997, of(1, 0.8650, 0.0))],
                Vec::new(),
            ),
            result("qqp-distilbert", distilbert, "qqp", vec![row(validation, 0.89909, None)], Vec::new()),
        ];
        update(&mut app, Msg::Reproduction(Ok(table)));
        app
    });
}

#[test]
fn band_of_seeds_is_toggled() {
    let mut app = training(120, 40, "sst-distilbert", usize::MAX);
    for event in recorded().into_iter().take(150) {
        update(&mut app, run_event(1, event));
    }
    assert_shows(&app, "mean ± sd of 2 seeds");
    press_keys(&mut app, "b");
    assert!(!text(&app).contains("mean ± sd of 2"), "{}", text(&app));
    press_keys(&mut app, "fb");
    assert_shows(&app, "mean ± sd of 2 seeds");
}

#[test]
fn compare_screen_with_a_run_of_three_seeds() {
    snapshot("compare-seeds", |width, height| {
        let mut app = app(width, height);
        for effect in press_keys(&mut app, "4j<space>") {
            let Effect::RequireHistory(dir) = effect else { continue };
            let seeds = if dir.ends_with("demo-20261123-095711-01ab") {
                vec![scaled_history(1.6, usize::MAX)]
            } else {
                vec![
                    scaled_history(1.0, usize::MAX),
                    scaled_history(1.1, usize::MAX),
                    scaled_history(1.25, 260),
                ]
            };
            let spec = glue_tui::spec::built_in("demo");
            update(&mut app, Msg::HistoryLoaded { dir, result: Ok((spec, seeds)) });
        }
        press_keys(&mut app, "<tab>");
        app
    });
}

#[test]
fn live_screen_with_published_score() {
    snapshot("live-published", |width, height| {
        let mut app = training(width, height, "sst-distilbert", 0);
        for event in recorded() {
            let event = match event {
                Event::Started(mut started) => {
                    started.spec.model = "distilbert/distilbert-base-uncased".into();
                    started.spec.task = "sst".parse().unwrap();
                    Event::Started(started)
                }
                other => other,
            };
            update(&mut app, run_event(0, event));
        }
        app
    });
}

#[test]
fn live_screen_at_the_end() {
    snapshot("live-finished", |width, height| {
        let mut app = training(width, height, "demo", usize::MAX);
        update(&mut app, Msg::RunEnded(Ok(())));
        app
    });
}

#[test]
fn infer_screen() {
    let text = "the plot is thin, but nobody will be bored";
    let values = [("plot", 0.02), ("thin", -0.9), (",", 0.1), ("but", 0.5), ("nobody", -0.1), ("bored", 1.4)];
    snapshot("infer", |width, height| {
        let mut app = classifying(width, height, text);
        let (request_id, result) = (app.infer.request_id, Ok(attributions(text, &values)));
        update(&mut app, Msg::Explanation { request_id, seconds: 0.142, result });
        app
    });
}

#[test]
fn infer_screen_of_a_pair() {
    snapshot("infer-pair", |width, height| {
        let mut app = app(width, height);
        let effects = press_keys(&mut app, "jjjji");
        let Some(Effect::OpenModel { request_id, .. }) = effects.last() else { panic!("{effects:?}") };
        let opened = OpenedModel { name: "demo-pairs".into(), pair: Some(true), step: Some(267) };
        update(&mut app, Msg::ModelOpened { request_id: *request_id, result: Ok(opened) });
        let effects = press_keys(&mut app, "how do i learn rust<tab>日本語 and e\u{301}");
        let Some(Effect::Classify { request_id, text_pair, .. }) = effects.last() else {
            panic!("{effects:?}")
        };
        assert_eq!(text_pair.as_deref(), Some("日本語 and e\u{301}"));
        update(
            &mut app,
            Msg::Prediction { request_id: *request_id, seconds: 0.0123, result: Ok(prediction(0.07)) },
        );
        app
    });
}

#[test]
fn live_screen_with_one_chart() {
    snapshot("live-full", |width, height| {
        let mut app = training(width, height, "demo", 330);
        press_keys(&mut app, "f<left><left><left><left><left><left><left><left><left><left>+yaa");
        app
    });
}

#[test]
fn compare_screen() {
    snapshot("compare", |width, height| {
        let mut app = comparing(width, height);
        press_keys(&mut app, "<left><left><left><left><left><left><left><left><left><left>");
        app
    });
}

#[test]
fn compare_screen_of_scores_and_differences() {
    snapshot("compare-scores", |width, height| {
        let mut app = comparing(width, height);
        press_keys(&mut app, "<tab><tab>dssss");
        app
    });
}

#[test]
fn compare_screen_without_marks() {
    snapshot("compare-empty", |width, height| {
        let mut app = app(width, height);
        press_keys(&mut app, "4c/demo");
        app
    });
}

#[test]
fn help_screen() {
    snapshot("help", |width, height| {
        let mut app = app(width, height);
        press_keys(&mut app, "?");
        app
    });
}

#[test]
fn error_popup() {
    snapshot("error", |width, height| {
        let mut app = training(width, height, "demo", 60);
        let why = "the loss of step 57 is NaN with gradient norm inf; lower learning_rate (now 0.5) or set max_grad_norm = 1.0";
        update(&mut app, Msg::RunEnded(Err(why.into())));
        app
    });
}

#[test]
fn quit_popup() {
    snapshot("quit", |width, height| {
        let mut app = training(width, height, "demo", 60);
        press_keys(&mut app, "q");
        app
    });
}

#[test]
fn ascii_screens_are_ascii() {
    for tab in Screen::TABS {
        let mut app = training(120, 40, "demo", 330);
        let effects = press_keys(&mut app, "4j<space><left>");
        load_histories(&mut app, &effects);
        app.theme = Theme::new(ColorDepth::None, Charset::AsciiSymbols);
        app.screen = tab;
        let text = text(&app);
        let unexpected: String = text.chars().filter(|c| !c.is_ascii()).collect();
        assert!(unexpected.is_empty(), "{unexpected:?} in\n{text}");
    }
}

#[test]
fn screens_without_color_have_no_color() {
    for tab in Screen::TABS {
        let mut app = training(120, 40, "demo", 330);
        let effects = press_keys(&mut app, "4j<space><left>");
        load_histories(&mut app, &effects);
        app.theme = Theme::new(ColorDepth::None, Charset::Unicode);
        app.screen = tab;
        for cell in &buffer(&app).content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
        }
    }
}

#[test]
fn every_screen_is_drawn_at_every_size() {
    let mut apps = vec![
        training(0, 0, "demo", 330),
        classifying(0, 0, "日本語"),
        app(0, 0),
        training(0, 0, "sst-distilbert", 0),
    ];
    for keys in ["<right>+", "<tab>d", "/x", ")))y<left>"] {
        let mut app = comparing(0, 0);
        press_keys(&mut app, keys);
        apps.push(app);
    }
    let mut full = training(0, 0, "demo", 330);
    press_keys(&mut full, "f<left>+");
    apps.push(full);
    for keys in ["e", "n", "e<down><down><enter>", "?", "/demo"] {
        let mut app = app(0, 0);
        press_keys(&mut app, keys);
        apps.push(app);
    }
    let mut quitting = training(0, 0, "demo", 10);
    press_keys(&mut quitting, "q");
    apps.push(quitting);
    let sides = [0, 1, 2, 3, 5, 8, 12, 15, 20, 40, 59, 60, 61, 79, 99, 100, 130];
    for app in &mut apps {
        for width in sides {
            for height in sides {
                app.size = (width, height);
                buffer(app);
            }
        }
    }
}
