use super::svg::svg;
use super::table::{TableRun, write_csv};
use super::*;
use crate::event::{Command, Eval, Event, Scores, Step, TrainingSettings};
use std::collections::BTreeMap;
use std::path::Path;

fn colors() -> ChartColors {
    let [background, text, muted, frame, change, train, validation, test] =
        ["#ffffff", "#111111", "#666666", "#999999", "#a04000", "#005faf", "#af5f00", "#8700af"]
            .map(String::from);
    ChartColors { background, text, muted, frame, change, train, validation, test }
}

/// The events of a run of `steps` steps with four evaluations, whose learning rate is halved in the middle.
fn events(steps: u64) -> Vec<Event> {
    let mut events = Vec::new();
    for step in 1..=steps {
        events.push(Event::Step(Step {
            step,
            epoch: step as f64 / 10.0,
            loss: 1.0 / step as f64,
            learning_rate: 1e-4,
            grad_norm: 0.5,
            examples: 32,
            tokens: 640,
            seconds: 0.5,
            usage: None,
        }));
        if step == steps / 2 {
            let settings = Some(TrainingSettings { learning_rate: 5e-5, total_steps: steps });
            let (command, replayed, error) = (Command::Halve, false, None);
            events.push(Event::Command { step, command, settings, replayed, error });
        }
        if step.is_multiple_of((steps / 4).max(1)) {
            let metrics = BTreeMap::from([(Metric::Accuracy, Some(0.5 + step as f64 / (4 * steps) as f64))]);
            let scores = Scores { loss: 0.25, metrics, examples: 9, ..Scores::default() };
            let (split, epoch) = (SplitName::Validation, step as f64 / 10.0);
            events.push(Event::Eval(Eval { step, epoch, split, scores, best: true, seconds: 1.0 }));
        }
    }
    events
}

/// Checks that the elements of an XML document are closed in order, and returns the number of elements with each name.
fn elements(xml: &str) -> BTreeMap<String, usize> {
    let mut open: Vec<String> = Vec::new();
    let mut counts = BTreeMap::new();
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").expect("a declaration");
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a closed tag");
        assert!(!text.contains('&') || text.contains(';'), "{text}");
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
        let name: String =
            tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_ref(), Some(&name));
        } else {
            *counts.entry(name.clone()).or_insert(0) += 1;
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
    counts
}

#[test]
fn svg_has_axes_curves_legend_and_marks() {
    let histories = [History::of(&events(40))];
    let chart = Chart::of_run("a<b>&\"\u{1b}", &histories, RunChart::Loss, ChartRange::default(), colors());
    let text = svg(&chart);
    let counts = elements(&text);
    assert_eq!(counts["svg"], 1);
    // Four points and the sample of the legend.
    assert_eq!(counts["circle"], 5, "{text}");
    for expected in [
        "<title>a&lt;b&gt;&amp;&quot;\u{fffd}: Loss</title>",
        ">train</text>",
        ">validation</text>",
        ">epoch</text>",
        "step 20: learning rate",
        "stroke=\"#005faf\"",
        "stroke=\"#af5f00\" stroke-width=\"1.8\" stroke-linejoin=\"round\" stroke-dasharray=\"7 4\"",
        "fill=\"#ffffff\"",
    ] {
        assert!(text.contains(expected), "no {expected} in\n{text}");
    }
}

#[test]
fn every_chart_of_every_run_is_a_valid_document() {
    let nan = |mut events: Vec<Event>| {
        for event in &mut events {
            if let Event::Step(step) = event {
                step.loss = f64::NAN;
            }
        }
        events
    };
    for events in [Vec::new(), events(1), events(40), nan(events(8))] {
        let histories = [History::of(&events), History::of(&events)];
        for chart in RunChart::ALL {
            for axis in Axis::ALL {
                for is_log in [false, true] {
                    for window in [(0.0, 1.0), (0.25, 0.5)] {
                        let range = ChartRange { axis, is_log, window, smoothing: 0.05 };
                        let text = svg(&Chart::of_run("run", &histories, chart, range, colors()));
                        elements(&text);
                        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
                    }
                }
            }
        }
    }
}

#[test]
fn csv_has_the_exact_values_of_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a");
    std::fs::create_dir(&dir).unwrap();
    let lines: Vec<String> =
        events(8).iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
    std::fs::write(dir.join("events.jsonl"), lines.concat()).unwrap();
    let runs = [TableRun { name: "a, b".into(), seeds: vec![dir] }];
    let curves = |history: &History| {
        let curves = RunChart::Loss.all_curves(history.metric()).into_iter();
        curves.map(|curve| (curve.column(), curve)).collect()
    };
    let mut out = Vec::new();
    write_csv(&runs, &curves, Path::new("out.csv"), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows[0], "run,seed,step,epoch,seconds,examples,train,validation");
    assert_eq!(rows.len(), 9);
    assert!(rows[1].starts_with("\"a, b\",,1,") && rows[1].ends_with(",1,"), "{}", rows[1]);
    assert!(rows[3].ends_with(&format!(",{},", 1.0 / 3.0)), "{}", rows[3]);
    assert!(rows[4].ends_with(",0.25,0.25"), "{}", rows[4]);
}
