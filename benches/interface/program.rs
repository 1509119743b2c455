//! The real binary in a pseudo-terminal: its start, opening runs, and how it and a training bear each other.

use super::made_up;
use super::pty::{PATIENCE, Terminal};
use super::report::{Report, quantile};
use glue_tui::event::{Stage, Status};
use glue_tui::train::Summary;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_glue-tui");
/// Times that something is started or opened.
const ROUNDS: usize = 7;
/// Columns and rows of the terminal.
const SIZE: (u16, u16) = (120, 40);
/// Pairs of trainings with and without the interface.
const PAIRS: usize = 7;
/// Steps of each of them: many short ones, the hardest case for whoever shows each.
const STEPS: u64 = 1000;
/// Steps of a training that does not end while it is looked at.
const MANY: u64 = 1_000_000;

/// A program in a folder of its own, on an experiment that trains on all cores for `steps` steps.
fn open(home: &Path, steps: u64) -> Terminal {
    write_experiment(home, steps);
    Terminal::start(PROGRAM, &[], home, &[], SIZE)
}

fn write_experiment(home: &Path, steps: u64) {
    let file = format!(
        "# A busy one\n[experiment.busy]\nmax_steps = {steps}\neval_steps = {steps}\nsave_steps = {steps}\n\
         max_eval_samples = 32\nlearning_rate = 1e-4\n"
    );
    std::fs::write(home.join("experiments.toml"), file).unwrap();
}

fn quit(terminal: &mut Terminal) {
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}

/// From the start of the process to a screen with all experiments and runs.
pub(crate) fn first_screen(report: &mut Report) {
    for (row, runs, goal) in
        [("start: first screen", 0, 0.1), ("start: first screen with a thousand past runs", 1000, 1.0)]
    {
        if !report.wants(row) {
            continue;
        }
        let home = tempfile::tempdir().unwrap();
        let mut bytes = 0;
        for number in 0..runs {
            let name = format!("made-up-20261123-{number:06}-0000");
            bytes += made_up::folder(&home.path().join("runs"), &name, number, 2000).1;
        }
        let shown = if runs == 0 { "A busy one" } else { "Past runs" };
        let mut taken: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let begun = Instant::now();
                let mut terminal = open(home.path(), STEPS);
                terminal.wait_for(shown);
                let taken = begun.elapsed().as_secs_f64();
                quit(&mut terminal);
                taken
            })
            .collect();
        let median = quantile(&mut taken, 0.5);
        let more = [("slowest", quantile(&mut taken, 1.0)), ("log_megabytes", bytes as f64 / 1e6)];
        report.row(row, "s", median, goal, &more);
    }
}

/// From the keys that open a long run to its curves, whole.
pub(crate) fn opening(report: &mut Report) {
    for (row, steps, goal) in
        [("open: a run of 100,000 steps", 100_000, 0.3), ("open: a run of 10^6 steps", 1_000_000, 2.0)]
    {
        if !report.wants(row) {
            continue;
        }
        let home = tempfile::tempdir().unwrap();
        let (_, bytes) = made_up::folder(&home.path().join("runs"), "made-up-20261123-000000-0000", 1, steps);
        let mut resident = Vec::new();
        let mut taken: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let mut terminal = open(home.path(), STEPS);
                terminal.wait_for("Past runs");
                let begun = Instant::now();
                // The last line of the list is the run.
                terminal.send("G\r");
                terminal.wait_for("epoch 20 of 20");
                let taken = begun.elapsed().as_secs_f64();
                resident.extend(memory(&terminal));
                quit(&mut terminal);
                taken
            })
            .collect();
        let median = quantile(&mut taken, 0.5);
        let mut more = vec![("slowest", quantile(&mut taken, 1.0)), ("log_megabytes", bytes as f64 / 1e6)];
        if !resident.is_empty() {
            more.push(("resident_megabytes", quantile(&mut resident, 0.5)));
        }
        report.row(row, "s", median, goal, &more);
    }
}

/// From a key to the whole frame that answers it, while a training has all cores.
pub(crate) fn latency(report: &mut Report) {
    let row = "latency: p99 from key to frame while all cores train";
    if !report.wants(row) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut terminal = open(home.path(), MANY);
    terminal.wait_for("A busy one");
    terminal.send("\r");
    terminal.wait_for("running");
    let mut taken = Vec::new();
    while taken.len() < 400 {
        // The line at the foot is drawn last: with it the frame is whole.
        for (key, shown, gone) in [("1", "n new", "x stop"), ("2", "x stop", "n new")] {
            let begun = Instant::now();
            terminal.send(key);
            while !terminal.text().contains(shown) || terminal.text().contains(gone) {
                assert!(begun.elapsed() < PATIENCE, "no {shown} on\n{}", terminal.text());
                terminal.take(Duration::from_millis(1));
            }
            taken.push(begun.elapsed().as_secs_f64() * 1e3);
            // Keys come at any moment between two frames.
            std::thread::sleep(Duration::from_millis(1 + 7 * taken.len() as u64 % 23));
        }
    }
    assert!(terminal.text().contains("running"), "the training is not over yet");
    let (median, worst) = (quantile(&mut taken, 0.5), quantile(&mut taken, 1.0));
    report.row(row, "ms", quantile(&mut taken, 0.99), 50.0, &[("median", median), ("slowest", worst)]);
}

/// How much less a training gets done that is watched.
pub(crate) fn cost(report: &mut Report) {
    let row = "cost: share of a training's speed that watching it takes";
    if !report.wants(row) {
        return;
    }
    let mut losses = Vec::new();
    let mut processor = Vec::new();
    let mut speed = Vec::new();
    for pair in 0..PAIRS {
        // Whoever is second finds a warmer machine, so they take turns.
        let (watched, alone) = if pair % 2 == 0 {
            let watched = watched();
            (watched, alone())
        } else {
            let alone = alone();
            (watched(), alone)
        };
        processor.extend(watched.1);
        losses.push(100.0 * (1.0 - watched.0 / alone));
        speed.push(alone);
    }
    let mut more = vec![
        ("least", quantile(&mut losses, 0.0)),
        ("most", quantile(&mut losses, 1.0)),
        ("steps_per_second", quantile(&mut speed, 0.5)),
    ];
    if !processor.is_empty() {
        more.push(("processor_share_of_interface", quantile(&mut processor, 0.5)));
    }
    let median = quantile(&mut losses, 0.5);
    report.row(row, "%", median, 1.0, &more);
}

/// Steps a second of a training that the interface shows, and the share of the processor, in percent, that
/// drawing it took.
fn watched() -> (f64, Option<f64>) {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = open(home.path(), STEPS);
    terminal.wait_for("A busy one");
    // From here on nobody reads the screen but a thread that keeps it for later, as a terminal's own work is not
    // that of the interface.
    let before = processor_seconds(&terminal);
    let begun = Instant::now();
    terminal.send("\r");
    let speed = finished(&home.path().join("runs"));
    let wall = begun.elapsed().as_secs_f64();
    let after = processor_seconds(&terminal);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
    // The summary is there a moment before the run is over; until then, to quit is to be asked.
    terminal.wait("the end", |screen| screen.contains("finished") && !screen.contains("x stop"));
    quit(&mut terminal);
    (speed, before.zip(after).map(|(before, after)| 100.0 * (after - before) / (wall * cores)))
}

/// Steps a second of the same training without the interface.
fn alone() -> f64 {
    let home = tempfile::tempdir().unwrap();
    write_experiment(home.path(), STEPS);
    let status = Command::new(PROGRAM)
        .args(["train", "busy"])
        .current_dir(home.path())
        .env_remove("GLUE_TUI_RUNS")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    finished(&home.path().join("runs"))
}

/// Waits until the one run in `runs` is finished; returns its steps in each second of the loop: of the steps
/// themselves, of their batches, and of telling them.
fn finished(runs: &Path) -> f64 {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < 3 * PATIENCE, "no finished run in {}", runs.display());
        let mut found = std::fs::read_dir(runs).into_iter().flatten().flatten();
        let summary = found.find_map(|entry| std::fs::read(entry.path().join("summary.json")).ok());
        if let Some(summary) = summary {
            let summary: Summary = serde_json::from_slice(&summary).unwrap();
            assert_eq!((summary.status, summary.steps), (Status::Finished, STEPS));
            let share = |stages: &[Stage]| -> f64 {
                stages.iter().filter_map(|stage| summary.stages.get(stage)).sum()
            };
            let steps = share(&[Stage::Forward, Stage::Backward, Stage::Optimizer, Stage::Other]);
            let around = share(&[Stage::Data, Stage::Logging]);
            return summary.steps as f64 / (summary.train_seconds * (steps + around) / steps);
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// Seconds of processor time of the thread that draws, where the system tells.
fn processor_seconds(terminal: &Terminal) -> Option<f64> {
    let id = terminal.child.process_id()?;
    let stat = std::fs::read_to_string(format!("/proc/{id}/task/{id}/stat")).ok()?;
    // After the name in brackets: state is the first field, user and system time the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    // Linux counts in hundredths of a second wherever it runs.
    Some(ticks / 100.0)
}

/// Megabytes of memory that the program has resident, where the system tells.
fn memory(terminal: &Terminal) -> Option<f64> {
    let id = terminal.child.process_id()?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1e3)
}
