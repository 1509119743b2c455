//! The batch script of an array.

use super::state::folder;
use super::task::ARRAY_NAME;
use crate::spec::SlurmSettings;
use std::path::{Path, PathBuf};

/// Seconds before the time limit at which a task is warned.
const SIGNAL_DELAY: u64 = 120;
/// Variables that decide where models and data are in the cache. A cluster may not pass on the environment of the
/// submitter.
const PASSED_ON: [&str; 4] = ["HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "GLUE_TUI_PYTHON"];

/// An array of tasks.
#[derive(Debug)]
pub(super) struct Array<'a> {
    /// Its name, and that of its folder.
    pub(super) name: &'a str,
    /// The number of its tasks.
    pub(super) tasks: usize,
    /// The runs directory.
    pub(super) runs_dir: &'a Path,
    /// The table `[slurm]`.
    pub(super) settings: &'a SlurmSettings,
}

impl Array<'_> {
    /// Its folder.
    pub(super) fn folder(&self) -> PathBuf {
        folder(self.runs_dir).join(self.name)
    }

    /// The batch script. It ends in `exec`, so that the process of the training receives the signals of the job.
    pub(super) fn script(&self, program: &Path, working_dir: &Path) -> String {
        let mut lines = vec!["#!/bin/bash".to_owned()];
        lines.extend(self.options().into_iter().map(|option| format!("#SBATCH {option}")));
        let extra = self.settings.extra.iter().flatten();
        let (options, commands): (Vec<&String>, Vec<&String>) =
            extra.partition(|line| line.starts_with("#SBATCH"));
        lines.extend(options.into_iter().cloned());
        lines.push(String::new());
        lines.extend(commands.into_iter().cloned());
        lines.push(format!("cd {} || exit 1", quoted(&working_dir.display().to_string())));
        lines.push("# Models and data are in the cache: a compute node may have no network.".into());
        lines.push("export HF_HUB_OFFLINE=1".into());
        lines.push(format!("export {ARRAY_NAME}={}", quoted(self.name)));
        if let Some(count) = self.settings.cpus_per_task {
            lines.push(format!("export RAYON_NUM_THREADS={count}"));
        }
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                lines.push(format!("export {name}={}", quoted(&value.to_string_lossy())));
            }
        }
        let (runs, tasks) =
            (self.runs_dir.display().to_string(), self.folder().join(TASKS).display().to_string());
        lines.push(format!("runs={}", quoted(&runs)));
        lines.push("# A line for each task. Over NFS, a new file may appear with a delay.".into());
        lines.push("for delay in 0 1 2 4 8 15 30; do".into());
        lines.push("  sleep \"$delay\"".into());
        lines.push(format!(
            "  task=$(sed -n \"$((SLURM_ARRAY_TASK_ID + 1))p\" {} 2>/dev/null)",
            quoted(&tasks)
        ));
        lines.push("  [ -z \"$task\" ] || break".into());
        lines.push("done".into());
        lines.push(format!(
            "[ -n \"$task\" ] || {{ echo {}\" has no line for task $SLURM_ARRAY_TASK_ID\" >&2; exit 1; }}",
            quoted(&tasks)
        ));
        let program = quoted(&program.display().to_string());
        lines.push(format!("exec {program} train --plain --runs-dir \"$runs\" --resume \"$runs/$task\""));
        lines.join("\n") + "\n"
    }

    fn options(&self) -> Vec<String> {
        let limit = self.settings.max_parallel.map_or(String::new(), |limit| format!("%{limit}"));
        // In a file name, a percent sign begins a pattern.
        let output = self.folder().join("task-%a.out").display().to_string();
        let output = match output.rsplit_once("/task-%a.out") {
            Some((folder, _)) => format!("{}/task-%a.out", folder.replace('%', "%%")),
            None => output,
        };
        let mut options = vec![
            format!("--job-name={}", self.name),
            format!("--array=0-{}{limit}", self.tasks.saturating_sub(1)),
            format!("--output={}", in_option(&output)),
            "--open-mode=append".into(),
            "--requeue".into(),
            format!("--signal=B:USR2@{}", self.signal_delay()),
        ];
        options.extend(self.named_options());
        options
    }

    /// The options for the keys that are set. On the command line they take precedence over variables such as
    /// `SBATCH_PARTITION`, and in the script they do not.
    pub(super) fn named_options(&self) -> Vec<String> {
        let SlurmSettings { partition, time, mem, gres, account, qos, cpus_per_task, .. } = self.settings;
        let cpus_per_task = cpus_per_task.map(|count| count.to_string());
        let named = [
            ("partition", partition),
            ("time", time),
            ("mem", mem),
            ("gres", gres),
            ("account", account),
            ("qos", qos),
            ("cpus-per-task", &cpus_per_task),
        ];
        named.iter().filter_map(|(name, value)| Some(format!("--{name}={}", value.as_ref()?))).collect()
    }

    /// Seconds before the time limit at which a task is warned. With a short limit, half of it: a warning at the start
    /// would leave no time for training.
    fn signal_delay(&self) -> u64 {
        let wanted = self.settings.signal_delay_s.map_or(SIGNAL_DELAY, u64::from);
        self.settings.time_limit().map_or(wanted, |limit| wanted.min(limit / 2))
    }
}

/// The file of the tasks in the folder of an array.
pub(super) const TASKS: &str = "tasks";

/// A text as a word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A text as the value of an option in a line `#SBATCH`.
fn in_option(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || "/._-%+,=@".contains(c));
    if is_plain { text.to_owned() } else { format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(settings: &SlurmSettings, runs_dir: &str) -> String {
        let array = Array { name: "glue-tui-1", tasks: 6, runs_dir: Path::new(runs_dir), settings };
        array.script(Path::new("/opt/glue tui/glue-tui"), Path::new("/home/o'neil"))
    }

    #[test]
    fn script_has_the_settings_and_ends_in_exec() {
        let settings = SlurmSettings {
            partition: Some("gpu".into()),
            time: Some("4:00:00".into()),
            gres: Some("gpu:1".into()),
            max_parallel: Some(4),
            cpus_per_task: Some(8),
            extra: Some(vec!["module load cuda".into(), "#SBATCH --nice".into()]),
            ..SlurmSettings::default()
        };
        let text = script(&settings, "/data/runs");
        for line in [
            "#SBATCH --array=0-5%4",
            "#SBATCH --requeue",
            "#SBATCH --open-mode=append",
            "#SBATCH --signal=B:USR2@120",
            "#SBATCH --partition=gpu",
            "#SBATCH --time=4:00:00",
            "#SBATCH --gres=gpu:1",
            "#SBATCH --cpus-per-task=8",
            "#SBATCH --output=/data/runs/.slurm/glue-tui-1/task-%a.out",
            "cd '/home/o'\\''neil' || exit 1",
            "export HF_HUB_OFFLINE=1",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}\n{text}"));
        assert!(at("#SBATCH --nice") < at("module load cuda") && at("module load cuda") < at("exec "));
        let last = text.lines().last().unwrap();
        assert!(
            last.starts_with("exec '/opt/glue tui/glue-tui' train ")
                && last.ends_with("--resume \"$runs/$task\"")
        );
    }

    #[test]
    fn paths_and_short_limits_are_handled() {
        let settings = SlurmSettings { time: Some("1".into()), ..SlurmSettings::default() };
        let text = script(&settings, "/data/my runs 100%");
        assert!(text.contains("--output=\"/data/my runs 100%%/.slurm/glue-tui-1/task-%a.out\""), "{text}");
        assert!(text.contains("--signal=B:USR2@30\n") && text.contains("--array=0-5\n"), "{text}");
    }
}
