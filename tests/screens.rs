//! Every screen as text, drawn from recorded events at several sizes, and the whole app played by keys.
//!
//! The texts are in `tests/data/screens/`; `UPDATE_SCREENS=1 cargo test --test screens` writes them
//! anew, and the difference is then looked at. The clock is given, so nothing is masked.

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use glue_tui::catalog::Metric;
use glue_tui::event::{Command, Event, Progress, Unit};
use glue_tui::predict::Verdict;
use glue_tui::run::history::History;
use glue_tui::run::{Repeats, RunRow, RunStatus, Said};
use glue_tui::spec::Experiments;
use glue_tui::tui::app::{App, ExperimentRow, Tab};
use glue_tui::tui::msg::{Effect, Msg, Opened};
use glue_tui::tui::theme::{Palette, Theme};
use glue_tui::tui::update::update;
use glue_tui::tui::{input, keymap, view};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const THEME: Theme = Theme { palette: Palette::Rich, ascii: false };
const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (200, 60), (40, 10)];
/// 2026-11-23, 11:04:29 UTC, when the events were recorded.
const BEGUN: f64 = 1_795_431_869.0;

const FILE: &str = r#"
# Sentiment of short reviews, on a model the program carries: learns in under a minute
[experiment.demo]
num_train_epochs = 5
learning_rate = 5e-4

# Do two questions ask the same? Data and model inside, a minute or two
[experiment.demo-pairs]
task = "demo-pairs"
num_train_epochs = 5
learning_rate = 5e-4

# The article's DistilBERT on the treebank's whole sentences: 84.0 % validation, 85.1 % test
[experiment.sst-distilbert]
model = "distilbert/distilbert-base-uncased"
task = "sst"
lr_scheduler_type = "constant"
weight_decay = 0.0
adam_epsilon = 1e-6
max_grad_norm = 0
repeats = 8
"#;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn recorded() -> Vec<Event> {
    let text = std::fs::read_to_string(data("events/demo.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn experiments() -> Vec<ExperimentRow> {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("experiments.toml");
    std::fs::write(&path, FILE).unwrap();
    let experiments = Experiments::open(Some(&path)).unwrap();
    let row = |name: &&str| ExperimentRow {
        name: (*name).to_string(),
        description: experiments.description(name),
        values: experiments.values(name),
        spec: experiments.resolve(name, &[]).map_err(|e| e.to_string()),
    };
    experiments.names().iter().map(row).collect()
}

fn run(name: &str, experiment: &str, status: RunStatus, best: Option<f64>, steps: u64, total: u64) -> RunRow {
    RunRow {
        dir: Path::new("runs").join(name),
        name: name.into(),
        experiment: experiment.into(),
        task: if experiment.starts_with("sst") { "sst".into() } else { experiment.into() },
        model: "demo".into(),
        seed: 42,
        status,
        best: best.map(|value| (Metric::Accuracy, value)),
        steps,
        total_steps: total,
        train_seconds: 31.0 + steps as f64,
        started: BEGUN - 3600.0,
        repeats: None,
    }
}

fn runs() -> Vec<RunRow> {
    let sst = run(
        "sst-distilbert-20261123-101502-7f3a",
        "sst-distilbert",
        RunStatus::Finished,
        Some(0.846),
        801,
        801,
    );
    vec![
        RunRow { repeats: Some(Repeats { count: 8, mean: 0.841, sd: 0.004 }), ..sst },
        run("demo-20261123-095711-01ab", "demo", RunStatus::Finished, Some(0.924), 500, 500),
        run("demo-20261123-094502-99c0", "demo", RunStatus::Stopped, Some(0.887), 205, 500),
        run("demo-pairs-20261122-221001-4d2e", "demo-pairs", RunStatus::Failed, None, 17, 500),
    ]
}

/// The app with what the world says at the start.
fn app(width: u16, height: u16) -> App {
    let mut app = App::new(THEME, (width, height), BEGUN, "x86_64, 2 threads".into());
    let effects = update(&mut app, Msg::Listed { experiments: Ok(experiments()), runs: runs() });
    assert_eq!(effects, []);
    app
}

fn press(app: &mut App, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
    let event = Input::Key(KeyEvent::new(code, modifiers));
    input::read(app, &event).map_or(Vec::new(), |msg| update(app, msg))
}

/// Presses keys: letters as they are, others in angle brackets, `<^s>` with control.
fn play(app: &mut App, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        let name = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        let (code, modifiers) = match name {
            Some((name, after)) => {
                rest = after;
                named(name)
            }
            None => {
                rest = &rest[first.len_utf8()..];
                (KeyCode::Char(first), KeyModifiers::NONE)
            }
        };
        effects.extend(press(app, code, modifiers));
    }
    effects
}

fn named(name: &str) -> (KeyCode, KeyModifiers) {
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "end" => KeyCode::End,
        "backspace" => KeyCode::Backspace,
        "space" => KeyCode::Char(' '),
        "f1" => KeyCode::F(1),
        "f5" => KeyCode::F(5),
        _ => {
            let letter = name.strip_prefix('^').and_then(|rest| rest.chars().next());
            let letter = letter.unwrap_or_else(|| panic!("no key <{name}>"));
            return (KeyCode::Char(letter), KeyModifiers::CONTROL);
        }
    };
    (code, KeyModifiers::NONE)
}

fn buffer(app: &App) -> Buffer {
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let mut buffer = Buffer::empty(area);
    view::draw_on(app, area, &mut buffer);
    buffer
}

fn text(app: &App) -> String {
    let buffer = buffer(app);
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line += symbol;
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[track_caller]
fn shows(app: &App, wanted: &str) {
    let text = text(app);
    assert!(text.contains(wanted), "no {wanted:?} in\n{text}");
}

/// Compares the screen with the recorded text at every size.
#[track_caller]
fn snapshot(name: &str, build: impl Fn(u16, u16) -> App) {
    let mut wrong = Vec::new();
    for (width, height) in SIZES {
        let got = text(&build(width, height));
        let path = data(&format!("screens/{name}-{width}x{height}.txt"));
        if std::env::var_os("UPDATE_SCREENS").is_some() {
            std::fs::write(&path, &got).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if got != expected {
            wrong.push(format!("{}\n--- recorded\n{expected}--- now\n{got}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "UPDATE_SCREENS=1 takes these over if they are right:\n{}", wrong.join("\n"));
}

fn said(repeat: u64, event: Event) -> Msg {
    Msg::Said(Said { repeat, dir: Arc::from(Path::new("runs/demo-20261123-110429-c691")), event })
}

/// The app while it trains `experiment`, after the first `count` recorded events.
fn training(width: u16, height: u16, experiment: &str, count: usize) -> App {
    let mut app = app(width, height);
    let spec = app.runs.experiments.iter().find(|row| row.name == experiment).unwrap().spec.clone().unwrap();
    let dir = PathBuf::from(format!("runs/{experiment}-20261123-110429-c691"));
    update(&mut app, Msg::Begun { spec: Box::new(spec), dir, earlier: Vec::new() });
    for event in recorded().into_iter().take(count) {
        update(&mut app, said(0, event));
    }
    app.now = BEGUN + 97.0;
    app
}

fn verdict(positive: f32) -> Verdict {
    Verdict {
        label: if positive > 0.5 { "positive".into() } else { "negative".into() },
        probabilities: vec![("negative".into(), 1.0 - positive), ("positive".into(), positive)],
        tokens: 12,
        truncated: false,
    }
}

/// The app with a model to judge, and `text` typed and judged.
fn judging(width: u16, height: u16, text: &str) -> App {
    let mut app = app(width, height);
    let effects = play(&mut app, "jjjji");
    let Some(Effect::Open { asked, .. }) = effects.last() else { panic!("{effects:?}") };
    let opened = Opened { name: "demo".into(), pair: Some(false), step: None };
    update(&mut app, Msg::Opened { asked: *asked, result: Ok(opened) });
    for text in ["i have seen worse", text] {
        let effects = play(&mut app, text);
        let Some(Effect::Classify { asked, .. }) = effects.last() else { panic!("{effects:?}") };
        update(&mut app, Msg::Answer { asked: *asked, seconds: 0.006, result: Ok(verdict(0.81)) });
        if text.starts_with("i have") {
            play(&mut app, "<enter>");
        }
    }
    app
}

#[test]
fn runs_screen() {
    snapshot("runs", app);
}

#[test]
fn runs_screen_on_a_past_run() {
    snapshot("runs-past", |width, height| {
        let mut app = app(width, height);
        let effects = play(&mut app, "jjjj");
        let dir = PathBuf::from("runs/demo-20261123-095711-01ab");
        assert_eq!(effects.last(), Some(&Effect::Replay(dir.clone())));
        let spec = glue_tui::spec::built_in("demo");
        update(&mut app, Msg::Replayed { dir, result: Ok((spec, vec![History::of(&recorded())])) });
        app
    });
}

#[test]
fn runs_screen_with_nothing() {
    snapshot("runs-empty", |width, height| {
        let mut app = App::new(THEME, (width, height), BEGUN, "x86_64, 2 threads".into());
        let experiments =
            Err("experiments.toml:12:1: unknown key `learning_rat`; did you mean `learning_rate`?".into());
        update(&mut app, Msg::Listed { experiments, runs: Vec::new() });
        app
    });
}

#[test]
fn form_screen() {
    snapshot("form", |width, height| {
        let mut app = app(width, height);
        play(&mut app, "ejjjjjjjjjjj<enter>x");
        app
    });
}

#[test]
fn choice_screen() {
    snapshot("choice", |width, height| {
        let mut app = app(width, height);
        play(&mut app, "ejj<enter>distil");
        app
    });
}

#[test]
fn live_screen_before_the_first_step() {
    snapshot("live-preparing", |width, height| {
        let mut app = training(width, height, "demo", 0);
        let what = "downloading model.safetensors".to_string();
        let progress = Progress { what, done: 115_000_000, total: Some(267_954_768), unit: Unit::Bytes };
        update(&mut app, said(0, Event::Progress(progress)));
        app
    });
}

#[test]
fn live_screen_in_the_middle() {
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
                other => other,
            };
            update(&mut app, said(1, event));
        }
        app.now = BEGUN + 400.0;
        app
    });
}

#[test]
fn live_screen_at_the_end() {
    snapshot("live-finished", |width, height| {
        let mut app = training(width, height, "demo", usize::MAX);
        update(&mut app, Msg::Over(Ok(())));
        app
    });
}

#[test]
fn infer_screen() {
    snapshot("infer", |width, height| judging(width, height, "the plot is thin, but nobody will be bored"));
}

#[test]
fn infer_screen_of_a_pair() {
    snapshot("infer-pair", |width, height| {
        let mut app = judging(width, height, "how do i learn rust");
        let asked = app.infer.asked;
        let opened = Opened { name: "demo-pairs".into(), pair: Some(true), step: Some(267) };
        update(&mut app, Msg::Opened { asked, result: Ok(opened) });
        let effects = play(&mut app, "<tab>日本語 and e\u{301}");
        let Some(Effect::Classify { asked, text_pair, .. }) = effects.last() else { panic!("{effects:?}") };
        assert_eq!(text_pair.as_deref(), Some("日本語 and e\u{301}"));
        update(&mut app, Msg::Answer { asked: *asked, seconds: 0.0123, result: Ok(verdict(0.07)) });
        app
    });
}

#[test]
fn help_screen() {
    snapshot("help", |width, height| {
        let mut app = app(width, height);
        play(&mut app, "?");
        app
    });
}

#[test]
fn error_popup() {
    snapshot("error", |width, height| {
        let mut app = training(width, height, "demo", 60);
        let why = "the loss of step 57 is NaN with gradient norm inf; lower learning_rate (now 0.5) or set max_grad_norm = 1.0";
        update(&mut app, Msg::Over(Err(why.into())));
        app
    });
}

#[test]
fn quit_popup() {
    snapshot("quit", |width, height| {
        let mut app = training(width, height, "demo", 60);
        play(&mut app, "q");
        app
    });
}

#[test]
fn ascii_screens_are_ascii() {
    for tab in Tab::ALL {
        let mut app = training(120, 40, "demo", 330);
        app.theme = Theme { palette: Palette::None, ascii: true };
        app.tab = tab;
        let text = text(&app);
        let strange: String = text.chars().filter(|c| !c.is_ascii()).collect();
        assert!(strange.is_empty(), "{strange:?} in\n{text}");
    }
}

#[test]
fn without_colour_nothing_is_coloured() {
    for tab in Tab::ALL {
        let mut app = training(120, 40, "demo", 330);
        app.theme = Theme { palette: Palette::None, ascii: false };
        app.tab = tab;
        for cell in &buffer(&app).content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
        }
    }
}

#[test]
fn every_size_is_drawn_without_harm() {
    let mut apps = vec![
        training(0, 0, "demo", 330),
        judging(0, 0, "日本語"),
        app(0, 0),
        training(0, 0, "sst-distilbert", 0),
    ];
    for keys in ["e", "n", "e<down><down><enter>", "?", "/demo"] {
        let mut app = app(0, 0);
        play(&mut app, keys);
        apps.push(app);
    }
    let mut quitting = training(0, 0, "demo", 10);
    play(&mut quitting, "q");
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

#[test]
fn enter_starts_the_experiment_under_the_cursor() {
    let mut app = app(120, 40);
    let effects = play(&mut app, "j<enter>");
    let Some(Effect::Start(spec)) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(spec.experiment, "demo-pairs");
    update(&mut app, Msg::Begun { spec: spec.clone(), dir: "runs/x".into(), earlier: Vec::new() });
    assert_eq!(app.tab, Tab::Live);
    shows(&app, "preparing");
    play(&mut app, "1");
    assert_eq!(play(&mut app, "k<enter>"), [], "one at a time");
    shows(&app, "A run is being trained already");
}

#[test]
fn a_value_is_checked_as_typed_and_started_without_saving() {
    let mut app = app(120, 40);
    play(&mut app, "e");
    let at = |app: &App| {
        let form = app.form.as_ref().unwrap();
        match form.lines()[form.at] {
            glue_tui::tui::screens::form::Line::Field(number) => form.fields[number].key.name,
            _ => "",
        }
    };
    while at(&app) != "learning_rate" {
        play(&mut app, "j");
    }
    play(&mut app, "<enter><^u>fast");
    shows(&app, "a number above 0 and at most 1 is expected");
    assert_eq!(play(&mut app, "<^r>"), []);
    shows(&app, "Some values are not right yet");
    play(&mut app, "<enter><enter><^u>3e-5<enter>");
    shows(&app, "was 5e-4");
    let changes = vec![("learning_rate", "3e-5".to_string())];
    let started = Effect::StartChanged { name: "demo".into(), changes: changes.clone() };
    assert_eq!(play(&mut app, "<^r>"), [started]);
    assert_eq!(play(&mut app, "<esc>"), []);
    shows(&app, "The form was changed");
    assert_eq!(play(&mut app, "s"), [Effect::Save { name: "demo".into(), changes }]);
    update(&mut app, Msg::Written { name: "demo".into() });
    assert!(app.form.is_none());
}

#[test]
fn nothing_typed_is_lost() {
    let mut app = app(120, 40);
    play(&mut app, "n<down><enter>-x<enter>");
    assert_eq!(app.form.as_ref().unwrap().name, "mine-x");
    play(&mut app, "2");
    play(&mut app, "1");
    assert_eq!(app.form.as_ref().unwrap().name, "mine-x", "another screen keeps the form");
    play(&mut app, "<esc><esc>");
    assert!(app.form.is_some(), "esc asks, and esc again changes nothing");
    assert_eq!(play(&mut app, "q"), []);
    shows(&app, "quit and forget the changes");
    play(&mut app, "k<esc>d");
    assert!(app.form.is_none());
}

#[test]
fn a_copy_has_the_values_of_its_original() {
    let mut app = app(120, 40);
    play(&mut app, "jjc");
    let effects = play(&mut app, "s");
    let Some(Effect::Save { name, changes }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(name, "sst-distilbert-2");
    assert!(changes.contains(&("repeats", "8".into())), "{changes:?}");
    assert!(!changes.iter().any(|(key, _)| *key == "seed"), "{changes:?}");
}

#[test]
fn the_filter_narrows_and_goes_away() {
    let mut app = app(120, 40);
    play(&mut app, "/pairs<enter>");
    assert_eq!(app.runs.lines().len(), 2);
    play(&mut app, "<esc>");
    assert_eq!(app.runs.lines().len(), 7);
}

#[test]
fn commands_reach_the_training_and_quitting_asks() {
    let mut app = training(120, 40, "demo", 200);
    assert_eq!(play(&mut app, "<space>"), [Effect::Tell(Command::Pause)]);
    shows(&app, "pausing");
    update(&mut app, said(0, Event::Command { step: 187, command: Command::Pause }));
    shows(&app, "paused");
    assert_eq!(play(&mut app, "<space>"), [Effect::Tell(Command::Resume)]);
    assert_eq!(play(&mut app, "v"), [Effect::Tell(Command::Eval)]);
    assert_eq!(play(&mut app, "q"), []);
    assert_eq!(play(&mut app, "k"), [], "keep training");
    assert!(app.popup.is_none());
    assert_eq!(play(&mut app, "<^c>s"), [Effect::Tell(Command::Stop)]);
    shows(&app, "stopping");
    assert_eq!(update(&mut app, Msg::Over(Ok(()))), [Effect::Quit]);
}

#[test]
fn without_a_run_quitting_is_at_once() {
    assert_eq!(play(&mut app(80, 24), "q"), [Effect::Quit]);
    assert_eq!(play(&mut app(80, 24), "<^c>"), [Effect::Quit]);
}

#[test]
fn deleting_asks_and_a_running_run_stays() {
    let mut app = app(120, 40);
    assert_eq!(play(&mut app, "<end>d").last(), Some(&Effect::Replay(runs()[3].dir.clone())));
    assert_eq!(play(&mut app, "<enter>"), [], "the cursor is on the answer that changes nothing");
    assert_eq!(play(&mut app, "dd"), [Effect::Delete(runs()[3].dir.clone())]);
    app.runs.runs[3].status = RunStatus::Running;
    play(&mut app, "d");
    shows(&app, "This run is being trained");
}

#[test]
fn late_answers_are_dropped() {
    let mut app = judging(120, 40, "good");
    let before = app.infer.asked;
    let effects = play(&mut app, "<space>bad");
    assert_eq!(effects.len(), 4);
    let newest = app.infer.asked;
    update(&mut app, Msg::Answer { asked: newest, seconds: 0.01, result: Ok(verdict(0.2)) });
    update(&mut app, Msg::Answer { asked: newest - 1, seconds: 0.01, result: Ok(verdict(0.9)) });
    update(&mut app, Msg::Answer { asked: before, seconds: 0.01, result: Ok(verdict(0.9)) });
    let (asked, _, shown) = app.infer.answer.clone().unwrap();
    assert_eq!((asked, shown.label.as_str()), (newest, "negative"));
    // Other weights: answers of the old ones mean nothing.
    play(&mut app, "<^o><down><down><enter>");
    update(&mut app, Msg::Answer { asked: newest, seconds: 0.01, result: Ok(verdict(0.9)) });
    assert!(app.infer.answer.is_none());
}

#[test]
fn earlier_sentences_come_back_and_the_new_one_is_kept() {
    let mut app = judging(120, 40, "half a sen");
    play(&mut app, "<up>");
    assert_eq!(app.infer.fields[0].text(), "i have seen worse");
    play(&mut app, "<down>");
    assert_eq!(app.infer.fields[0].text(), "half a sen");
}

#[test]
fn a_paste_of_a_megabyte_does_not_freeze() {
    let mut app = judging(120, 40, "x");
    let started = std::time::Instant::now();
    let paste = Input::Paste("woe \u{1b}[31m\u{202e}日本語\n".repeat(50_000));
    let msg = input::read(&app, &paste).unwrap();
    update(&mut app, msg);
    for _ in 0..20 {
        play(&mut app, "a<left><backspace>");
        buffer(&app);
    }
    assert!(started.elapsed().as_secs_f64() < 2.0, "{:?}", started.elapsed());
    shows(&app, "too long, cut");
    shows(&app, "␛[31m");
}

#[test]
fn letters_that_are_keys_elsewhere_are_text_where_one_types() {
    let mut app = judging(120, 40, "q?123 jk");
    assert_eq!(app.infer.fields[0].text(), "q?123 jk");
    play(&mut app, "<f1>");
    shows(&app, "Keys");
    play(&mut app, "<esc><esc>");
    assert_eq!(app.tab, Tab::Runs);
}

#[test]
fn live_weights_are_asked_for_again_but_not_too_often() {
    let mut app = training(120, 40, "demo", 200);
    let effects = play(&mut app, "i");
    let [Effect::Open { asked, .. }] = effects[..] else { panic!("{effects:?}") };
    let opened = Opened { name: "demo".into(), pair: Some(false), step: Some(180) };
    update(&mut app, Msg::Opened { asked, result: Ok(opened.clone()) });
    shows(&app, "weights of step 180");
    let now = app.now;
    assert_eq!(update(&mut app, Msg::Tick(now + 1.0)), [], "too early");
    let effects = update(&mut app, Msg::Tick(now + 3.0));
    let [Effect::Open { asked, .. }] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(update(&mut app, Msg::Tick(now + 9.0)), [], "one at a time");
    update(&mut app, Msg::Opened { asked, result: Ok(Opened { step: Some(190), ..opened }) });
    shows(&app, "weights of step 190");
}

#[test]
fn keys_at_the_foot_do_what_they_say_and_the_help_has_all() {
    // A key that is bound twice in a place where both bindings hold could not keep its word.
    let apps = [app(120, 40), training(120, 40, "demo", 200), judging(120, 40, "x")];
    for app in &apps {
        let mut seen: Vec<(keymap::Place, String)> = Vec::new();
        for binding in keymap::BINDINGS.iter().filter(|binding| binding.is_on(app)) {
            for key in binding.keys(THEME).split(' ') {
                let one = (binding.place, key.to_string());
                assert!(!seen.contains(&one), "{one:?} twice");
                seen.push(one);
            }
            assert!(!binding.sentence.is_empty());
        }
    }
}

#[test]
fn a_failed_run_says_why_and_can_be_looked_at() {
    let mut app = training(120, 40, "demo", 100);
    let effects = update(&mut app, Msg::Over(Err("out of memory: batch 4096 does not fit".into())));
    assert_eq!(effects, [Effect::Refresh]);
    shows(&app, "out of memory");
    play(&mut app, "<enter>");
    assert_eq!(play(&mut app, "q"), [Effect::Quit]);
}

#[test]
fn a_million_steps_are_drawn_in_a_moment() {
    let mut app = training(200, 60, "demo", 4);
    let recorded = recorded();
    let step = recorded
        .iter()
        .find_map(|event| if let Event::Step(step) = event { Some(step.clone()) } else { None });
    let mut step = step.unwrap();
    let started = std::time::Instant::now();
    for number in 1..=1_000_000 {
        step.step = number;
        update(&mut app, said(0, Event::Step(step.clone())));
    }
    let taken = started.elapsed();
    for _ in 0..10 {
        buffer(&app);
    }
    let drawn = (started.elapsed() - taken) / 10;
    assert!(taken.as_secs_f64() < 30.0, "{taken:?}");
    assert!(drawn.as_secs_f64() < 0.05, "{drawn:?}");
}
