//! The command line that repeats a run.

use super::experiments::Experiments;
use super::key::Key;
use super::keys::keys;
use super::run_spec::RunSpec;
use std::fmt::Write;
use std::path::Path;

/// The command line that trains `spec` exactly: the experiment of `experiments` with `--set` for each key that differs.
/// If that file has no such experiment, or a value cannot be set to that of the run, the command reads `spec_file`, the
/// `spec.toml` of the run.
pub fn train_command(spec: &RunSpec, experiments: Option<&Experiments>, spec_file: &Path) -> String {
    let overrides = experiments.and_then(|experiments| overrides(spec, experiments));
    let mut command = format!("glue-tui train {}", quoted(&spec.experiment));
    let Some(overrides) = overrides else {
        add(&mut command, "--experiments", &spec_file.display().to_string());
        return command;
    };
    if let Some(path) =
        experiments.and_then(Experiments::named_path).filter(|path| *path != Path::new(super::DEFAULT_FILE))
    {
        add(&mut command, "--experiments", &path.display().to_string());
    }
    for (key, value) in overrides {
        add(&mut command, "--set", &format!("{key}={value}"));
    }
    command
}

/// Each key that is swept, or whose value differs from that of the experiment, if setting them results in `spec`.
fn overrides(spec: &RunSpec, experiments: &Experiments) -> Option<Vec<(String, String)>> {
    let base = experiments.resolve_any(&spec.experiment, &[]).ok()?;
    let swept: Vec<&str> = experiments.swept_keys(&spec.experiment).collect();
    let is_changed = |key: &&Key| swept.contains(&key.name) || key.get(base.spec()) != key.get(spec);
    let changed = keys().iter().filter(is_changed);
    let overrides: Vec<(String, String)> =
        changed.map(|key| (key.name.to_string(), key.get(spec).unwrap_or_default())).collect();
    let result = experiments.resolve(&spec.experiment, &overrides).ok()?;
    (result == *spec).then_some(overrides)
}

fn add(command: &mut String, option: &str, value: &str) {
    // Writing to a string cannot fail.
    write!(command, " {option} {}", quoted(value)).ok();
}

/// A word of a POSIX shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const FILE: &str = "[defaults]\nseed = 7\n[experiment.a]\nmax_steps = 9\n[experiment.b]\n";

    fn experiments() -> Experiments {
        Experiments::of_text(FILE, None)
    }

    /// The words of a command line, as a shell splits them.
    fn words(command: &str) -> Vec<String> {
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("printf '%s\\n' {command}")])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_string).collect()
    }

    /// The specification that the command line trains.
    fn trained(command: &str) -> RunSpec {
        let words = words(command);
        assert_eq!(words[..2], ["glue-tui", "train"]);
        let sets = words.iter().zip(&words[1..]).filter(|(option, _)| *option == "--set");
        let overrides: Vec<(String, String)> = sets
            .map(|(_, set)| set.split_once('=').map(|(key, value)| (key.into(), value.into())).unwrap())
            .collect();
        experiments().resolve(&words[2], &overrides).unwrap()
    }

    #[test]
    fn command_line_repeats_the_run_exactly() {
        let file = experiments();
        let base = file.resolve("a", &[]).unwrap();
        let custom = [("task", "custom"), ("train_file", "it's a file.csv"), ("text_column", "the text")];
        let changed =
            [("learning_rate", "3e-5"), ("max_steps", ""), ("num_train_epochs", "2.5"), ("label_map", "a=b")];
        let set = |pairs: &[(&str, &str)]| {
            let owned: Vec<(String, String)> =
                pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
            base.with(&owned).unwrap()
        };
        for spec in [base.clone(), set(&custom), set(&changed)] {
            let command = train_command(&spec, Some(&file), Path::new("runs/x/spec.toml"));
            assert_eq!(trained(&command), spec, "{command}");
        }
        let command = train_command(&set(&changed), Some(&file), Path::new("x"));
        assert!(
            command.starts_with("glue-tui train a --set ") && command.contains(" --set max_steps= "),
            "{command}"
        );
        assert_eq!(train_command(&base, Some(&file), Path::new("x")), "glue-tui train a");
    }

    #[test]
    fn run_of_an_unknown_experiment_is_repeated_from_its_specification() {
        let spec = RunSpec { experiment: "gone".into(), ..experiments().resolve("a", &[]).unwrap() };
        let file = PathBuf::from("my runs/gone-1/spec.toml");
        let expected = "glue-tui train gone --experiments 'my runs/gone-1/spec.toml'";
        assert_eq!(train_command(&spec, Some(&experiments()), &file), expected);
        assert_eq!(train_command(&spec, None, &file), expected);
    }
}
