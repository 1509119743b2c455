//! The binary in a pseudo-terminal: start, opening a run, latency during training, and slowdown of the training.

use super::pty::{TIMEOUT, Terminal};
use super::report::{Report, quantile};
use super::synthetic;
use glue_tui::event::{Stage, Status};
use glue_tui::train::Summary;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_glue-tui");
/// Number of repetitions of each start and each opening.
const ROUNDS: usize = 7;
/// Columns and rows of the terminal.
const SIZE: (u16, u16) = (120, 40);
/// Number of pairs of training runs, one with and one without the interface.
const PAIRS: usize = 7;
/// Steps of each of these runs. Many short steps are the worst case, because the interface shows each step.
const STEPS: u64 = 1000;
/// Steps of a training run that does not end during the measurement.
const ENDLESS_STEPS: u64 = 1_000_000;

/// The threads whose time is measured.
#[derive(Clone, Copy)]
enum Threads {
    Drawing,
    All,
}

/// Starts the program in `home`, with an experiment that trains on all cores for `steps` steps.
fn start_program(home: &Path, steps: u64) -> Terminal {
    write_experiment(home, steps);
    Terminal::start(PROGRAM, &[], home, &[], SIZE)
}

fn write_experiment(home: &Path, steps: u64) {
    let file = format!(
        "# All cores\n[experiment.busy]\nmax_steps = {steps}\neval_steps = {steps}\nsave_steps = {steps}\n\
         max_eval_samples = 32\nlearning_rate = 1e-4\n"
    );
    std::fs::write(home.join("experiments.toml"), file).unwrap();
}

fn quit(terminal: &mut Terminal) {
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}

/// Time from the start of the process to a screen with all experiments and runs.
pub(crate) fn first_screen(report: &mut Report) {
    for (row, runs, goal) in
        [("start: first screen", 0, 0.1), ("start: first screen with 1,000 past runs", 1000, 1.0)]
    {
        if !report.is_selected(row) {
            continue;
        }
        let home = tempfile::tempdir().unwrap();
        let mut bytes = 0;
        for number in 0..runs {
            let name = format!("synthetic-20261123-{number:06}-0000");
            bytes += synthetic::write_run_dir(&home.path().join("runs"), &name, number, 2000).1;
        }
        // The title has the number of runs once they are listed.
        let expected = if runs == 0 { "All cores" } else { "Past runs, 1" };
        let mut seconds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                let mut terminal = start_program(home.path(), STEPS);
                terminal.wait_for(expected);
                let seconds = start.elapsed().as_secs_f64();
                quit(&mut terminal);
                seconds
            })
            .collect();
        let median = quantile(&mut seconds, 0.5);
        let more = [("slowest", quantile(&mut seconds, 1.0)), ("log_megabytes", bytes as f64 / 1e6)];
        report.row(row, "s", median, goal, &more);
    }
}

/// Time from the keys that open a long run to its complete curves.
pub(crate) fn open_run(report: &mut Report) {
    for (row, steps, goal) in
        [("open: a run of 100,000 steps", 100_000, 0.3), ("open: a run of 10^6 steps", 1_000_000, 2.0)]
    {
        if !report.is_selected(row) {
            continue;
        }
        let home = tempfile::tempdir().unwrap();
        let (_, bytes) =
            synthetic::write_run_dir(&home.path().join("runs"), "synthetic-20261123-000000-0000", 1, steps);
        let mut resident = Vec::new();
        let mut seconds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let mut terminal = start_program(home.path(), STEPS);
                terminal.wait_for("Past runs, 1");
                let start = Instant::now();
                // The run is the last line of the list.
                terminal.send("G\r");
                terminal.wait_for("epoch 20 of 20");
                let seconds = start.elapsed().as_secs_f64();
                resident.extend(resident_megabytes(&terminal));
                quit(&mut terminal);
                seconds
            })
            .collect();
        let median = quantile(&mut seconds, 0.5);
        let mut more = vec![("slowest", quantile(&mut seconds, 1.0)), ("log_megabytes", bytes as f64 / 1e6)];
        if !resident.is_empty() {
            more.push(("resident_megabytes", quantile(&mut resident, 0.5)));
        }
        report.row(row, "s", median, goal, &more);
    }
}

/// Time from a key to the complete frame that answers it, while a training run uses all cores.
pub(crate) fn latency(report: &mut Report) {
    let row = "latency: p99 from key to frame while all cores train";
    if !report.is_selected(row) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut terminal = start_program(home.path(), ENDLESS_STEPS);
    terminal.wait_for("All cores");
    terminal.send("\r");
    terminal.wait_for("running");
    let mut milliseconds = Vec::new();
    terminal.raw.clear();
    while milliseconds.len() < 400 {
        // The footer is drawn last: it completes the frame.
        for (key, expected, removed) in [("1", "n new", "x stop"), ("2", "x stop", "n new")] {
            let start = Instant::now();
            terminal.send(key);
            while !terminal.text().contains(expected) || terminal.text().contains(removed) {
                assert!(start.elapsed() < TIMEOUT, "no {expected} on\n{}", terminal.text());
                terminal.read_output(Duration::from_millis(1));
            }
            milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
            // Vary the moment of the next key between two frames.
            std::thread::sleep(Duration::from_millis(1 + 7 * milliseconds.len() as u64 % 23));
        }
    }
    assert!(terminal.text().contains("running"), "the training run still runs");
    let (median, worst) = (quantile(&mut milliseconds, 0.5), quantile(&mut milliseconds, 1.0));
    let more = [("median", median), ("slowest", worst), ("bytes_per_frame", bytes_per_frame(&terminal.raw))];
    report.row(row, "ms", quantile(&mut milliseconds, 0.99), 50.0, &more);
}

/// Bytes of output per frame. Every frame is a synchronized update of the terminal (DEC mode 2026).
fn bytes_per_frame(output: &[u8]) -> f64 {
    let count = |part: &[u8]| output.windows(part.len()).filter(|window| *window == part).count();
    let (begun, ended) = (count(b"\x1b[?2026h"), count(b"\x1b[?2026l"));
    assert!(begun > 0 && begun.abs_diff(ended) <= 1, "{begun} begun and {ended} ended updates");
    output.len() as f64 / begun as f64
}

/// Share of one core that the program uses while nothing happens, on the list of runs and on a run of the past.
pub(crate) fn idle(report: &mut Report) {
    const WAIT: Duration = Duration::from_secs(20);
    for (row, keys) in
        [("cost: idle on the Runs screen, 100 runs", ""), ("cost: idle on the Live screen, past run", "\t\r")]
    {
        if !report.is_selected(row) {
            continue;
        }
        let home = tempfile::tempdir().unwrap();
        for number in 0..100 {
            let name = format!("synthetic-20261123-{number:06}-0000");
            synthetic::write_run_dir(&home.path().join("runs"), &name, number, 2000);
        }
        let mut terminal = start_program(home.path(), STEPS);
        terminal.wait_for("Past runs, 1");
        terminal.send(keys);
        // What was started at the beginning ends meanwhile.
        std::thread::sleep(Duration::from_secs(3));
        terminal.read_output(Duration::from_millis(1));
        terminal.raw.clear();
        let before = cpu_seconds(&terminal, Threads::All);
        std::thread::sleep(WAIT);
        let used = before.zip(cpu_seconds(&terminal, Threads::All)).map(|(before, after)| after - before);
        terminal.read_output(Duration::from_millis(1));
        let bytes = terminal.raw.len() as f64 / WAIT.as_secs_f64();
        if let Some(used) = used {
            let percent = 100.0 * used / WAIT.as_secs_f64();
            report.row(row, "%", percent, 0.5, &[("bytes_per_second", bytes)]);
        }
        quit(&mut terminal);
    }
}

/// Relative loss of training speed while the interface shows the run.
pub(crate) fn slowdown(report: &mut Report) {
    let row = "cost: slowdown of a training run that is shown";
    if !report.is_selected(row) {
        return;
    }
    let mut slowdowns = Vec::new();
    let mut cpu_percents = Vec::new();
    let mut speeds = Vec::new();
    for pair in 0..PAIRS {
        // The order alternates, because the second run starts on a warmer machine.
        let ((shown, cpu_percent), alone) = if pair % 2 == 0 {
            let shown = train_shown();
            (shown, train_alone())
        } else {
            let alone = train_alone();
            (train_shown(), alone)
        };
        cpu_percents.extend(cpu_percent);
        slowdowns.push(100.0 * (1.0 - shown / alone));
        speeds.push(alone);
    }
    let mut more = vec![
        ("minimum", quantile(&mut slowdowns, 0.0)),
        ("maximum", quantile(&mut slowdowns, 1.0)),
        ("steps_per_second", quantile(&mut speeds, 0.5)),
    ];
    if !cpu_percents.is_empty() {
        more.push(("interface_cpu_percent", quantile(&mut cpu_percents, 0.5)));
    }
    let median = quantile(&mut slowdowns, 0.5);
    report.row(row, "%", median, 1.0, &more);
}

/// Steps per second of a training run that the interface shows, and the share of all cores, in percent, that drawing
/// uses.
fn train_shown() -> (f64, Option<f64>) {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = start_program(home.path(), STEPS);
    terminal.wait_for("All cores");
    // During the run, a thread only collects the output: parsing it is work of the terminal, not of the interface.
    let before = cpu_seconds(&terminal, Threads::Drawing);
    let start = Instant::now();
    terminal.send("\r");
    let speed = wait_for_speed(&home.path().join("runs"));
    let wall = start.elapsed().as_secs_f64();
    let after = cpu_seconds(&terminal, Threads::Drawing);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
    // The summary is written shortly before the run ends. Until the end, quitting asks for confirmation.
    terminal.wait("the end", |screen| screen.contains("finished") && !screen.contains("x stop"));
    quit(&mut terminal);
    (speed, before.zip(after).map(|(before, after)| 100.0 * (after - before) / (wall * cores)))
}

/// Steps per second of the same training run without the interface.
fn train_alone() -> f64 {
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
    wait_for_speed(&home.path().join("runs"))
}

/// Waits until the only run in `runs` is finished; returns its steps per second of the training loop: the steps
/// themselves, batching and logging.
fn wait_for_speed(runs: &Path) -> f64 {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < 3 * TIMEOUT, "no finished run in {}", runs.display());
        let mut entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
        let summary = entries.find_map(|entry| std::fs::read(entry.path().join("summary.json")).ok());
        if let Some(summary) = summary {
            let summary: Summary = serde_json::from_slice(&summary).unwrap();
            assert_eq!((summary.status, summary.steps), (Status::Finished, STEPS));
            let total = |stages: &[Stage]| -> f64 {
                stages.iter().filter_map(|stage| summary.stages.get(stage)).sum()
            };
            let steps = total(&[Stage::Forward, Stage::Backward, Stage::Optimizer, Stage::Other]);
            let overhead = total(&[Stage::Data, Stage::Logging]);
            return summary.steps as f64 / (summary.train_seconds * (steps + overhead) / steps);
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// CPU seconds of the thread that draws, or of all threads; `None` without `/proc`.
fn cpu_seconds(terminal: &Terminal, threads: Threads) -> Option<f64> {
    let id = terminal.child.process_id()?;
    let stat = match threads {
        Threads::Drawing => format!("/proc/{id}/task/{id}/stat"),
        Threads::All => format!("/proc/{id}/stat"),
    };
    let stat = std::fs::read_to_string(stat).ok()?;
    // After the name in parentheses, the first field is the state; the 12th and 13th are user and system time.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    // Linux reports ticks of 1/100 second (`USER_HZ`).
    Some(ticks / 100.0)
}

/// Resident memory of the program in megabytes; `None` without `/proc`.
fn resident_megabytes(terminal: &Terminal) -> Option<f64> {
    let id = terminal.child.process_id()?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1e3)
}
