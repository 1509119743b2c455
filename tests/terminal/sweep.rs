//! A sweep in the real binary: trained from the Runs screen, sorted and grouped on the Sweep screen, its winner trained with
//! more seeds.

use super::Terminal;
use std::path::{Path, PathBuf};

const FILE: &str = "[experiment.tune]\nlearning_rate = [1e-5, 5e-4]\nper_device_train_batch_size = [4, 8, 16]\n\
                    max_train_samples = 256\nmax_eval_samples = 64\nmax_steps = 96\neval_steps = 48\nthreads = 1\n";

/// The runs that are no trials.
fn runs(home: &Path) -> Vec<PathBuf> {
    let runs = std::fs::read_dir(home.join("runs")).unwrap().map(|entry| entry.unwrap().path());
    runs.filter(|run| run.join("spec.toml").is_file() && !run.join("trial.toml").exists()).collect()
}

/// The lines of the table of trials: what follows the cursor, before the border.
fn trials(screen: &str) -> Vec<Vec<String>> {
    let table = screen.lines().skip_while(|line| !line.contains("6 trials: ")).skip(2);
    let table = table.take_while(|line| line.starts_with('│'));
    let cells = table.map(|line| {
        let line = line.trim_start_matches('│').split('│').next().unwrap();
        line.split_whitespace().filter(|word| *word != "▸").map(str::to_owned).collect()
    });
    cells.filter(|words: &Vec<String>| !words.is_empty()).collect()
}

fn column(screen: &str, index: usize) -> Vec<String> {
    trials(screen).into_iter().filter_map(|words| words.get(index).cloned()).collect()
}

#[test]
fn sweep_is_trained_sorted_grouped_and_its_winner_trained_with_seeds() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("experiments.toml"), FILE).unwrap();
    let mut terminal = Terminal::start(env!("CARGO_BIN_EXE_glue-tui"), &[], home.path(), &[], (120, 40));
    terminal.wait_for("No runs yet");
    terminal.send("\r");
    // The Sweep screen opens, and its trials are trained one after the other.
    terminal.wait_for("6 trials of per_device_train_batch_size and learning_rate");
    terminal.wait_for("1 running");
    terminal.wait_for("6 trials: 6 finished");
    terminal.wait_for("Rank correlation with the score");

    // The best first; then by number, and in reverse.
    let scores =
        |screen: &str| -> Vec<f64> { column(screen, 3).iter().map(|text| text.parse().unwrap()).collect() };
    terminal.wait("all trials", |screen| trials(screen).len() == 6);
    let best = scores(&terminal.text());
    assert!(best.is_sorted_by(|a, b| a >= b), "{best:?}");
    let winner = trials(&terminal.text())[0].clone();
    let numbers = |screen: &str| column(screen, 0).join("");
    for _ in 0..12 {
        if numbers(&terminal.text()) == "012345" {
            break;
        }
        let before = terminal.text();
        terminal.send("s");
        terminal.wait("another order", |screen| screen != before);
    }
    terminal.wait("trials by number", |screen| numbers(screen) == "012345");
    terminal.send("S");
    terminal.wait("the reverse", |screen| numbers(screen) == "543210");
    terminal.send("b");
    terminal.wait_for("per_device_train_batch_size = 16: 2 trials, mean ");
    terminal.send("b");
    terminal.wait_for("learning_rate = 1e-5: 3 trials, mean ");
    terminal.send("b");
    terminal.wait("no groups", |screen| !screen.contains("3 trials, mean"));
    terminal.send("\t");
    terminal.wait_for("Best accuracy so far over time");
    terminal.send("\t");
    terminal.wait_for("Best accuracy so far over optimizer steps");

    terminal.send("n");
    terminal.wait_for(&format!("Train trial {} with new seeds", winner[0]));
    terminal.send("2\r");
    terminal.wait_for("finished");
    terminal.wait("both seeds", |_| runs(home.path()).iter().any(|run| run.join("summary.json").is_file()));
    let [run] = &runs(home.path())[..] else { panic!("{:?}", runs(home.path())) };
    let spec = std::fs::read_to_string(run.join("spec.toml")).unwrap();
    let value = |key: &str| {
        let line = spec.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.unwrap().parse::<f64>().unwrap()
    };
    let of_winner = |index: usize| winner[index].parse::<f64>().unwrap();
    assert_eq!(value("repeats"), 2.0);
    assert_eq!(value("per_device_train_batch_size"), of_winner(1));
    assert_eq!(value("learning_rate"), of_winner(2));
    assert!(value("seed") > 42.0, "the trial had the seed 42");

    // The list has one line for the six trials; Enter opens it.
    terminal.send("1");
    terminal.wait_for("Sweeps, 1");
    terminal.wait_for("6 of 6");
    terminal.wait_for("Past runs, 1 of 7");
    terminal.send("g\t\r");
    terminal.wait_for("6 trials: 6 finished");
    terminal.send("q");
    assert_eq!(terminal.end().exit_code(), 0);
}
