//! Programs that stand in for those of Slurm. They record how they are called, and answer what a test has prepared.

use std::path::{Path, PathBuf};

/// `$FAKE` is the folder of the answers.
const SBATCH: &str = r#"
[ ! -e "$FAKE/sbatch-error" ] || { cat "$FAKE/sbatch-error" >&2; exit 1; }
[ ! -e "$FAKE/hang-before" ] || exec sleep 60
exec 9> "$FAKE/lock"; flock 9
id=$(( $(cat "$FAKE/last" 2>/dev/null || echo 100) + 1 )); echo $id > "$FAKE/last"
script="${@: -1}"; cp "$script" "$FAKE/job-$id.sh"
name=$(sed -n 's/^#SBATCH --job-name=//p' "$script")
last=$(sed -n 's/^#SBATCH --array=0-\([0-9]*\).*/\1/p' "$script")
for ((i = 0; i <= last; i++)); do echo "$id|$i|PENDING|Priority|$name"; done >> "$FAKE/queue"
exec 9>&-
[ ! -e "$FAKE/hang-after" ] || exec sleep 60
echo $id
"#;
const SQUEUE: &str = r#"
[ ! -e "$FAKE/squeue-error" ] || { cat "$FAKE/squeue-error" >&2; exit 1; }
cat "$FAKE/queue" 2>/dev/null || true
"#;
const SACCT: &str = r#"
[ -e "$FAKE/accounts" ] || { echo 'Slurm accounting storage is disabled' >&2; exit 1; }
cat "$FAKE/accounts"
"#;
const SCONTROL: &str = r#"
case "$*" in
  "show config") echo "MaxArraySize            = $(cat "$FAKE/max-array" 2>/dev/null || echo 1001)" ;;
  "-o show job "*) cat "$FAKE/job-info" ;;
  "requeue "*) [ ! -e "$FAKE/requeue-error" ] || { cat "$FAKE/requeue-error" >&2; exit 1; } ;;
esac
"#;
const SCANCEL: &str = "";

pub(crate) struct FakeSlurm {
    folder: tempfile::TempDir,
}

impl FakeSlurm {
    pub(crate) fn new() -> FakeSlurm {
        let fake = FakeSlurm { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(fake.programs()).unwrap();
        for (name, body) in [
            ("sbatch", SBATCH),
            ("squeue", SQUEUE),
            ("sacct", SACCT),
            ("scontrol", SCONTROL),
            ("scancel", SCANCEL),
        ] {
            let path = fake.programs().join(name);
            let answers = fake.path("").display().to_string();
            let text =
                format!("#!/bin/bash\nFAKE='{answers}'\necho \"{name} $*\" >> \"$FAKE/calls\"\n{body}");
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        fake
    }

    pub(crate) fn programs(&self) -> PathBuf {
        self.folder.path().join("programs")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Prepares an answer.
    pub(crate) fn set(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Removes an answer.
    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// How a program was called.
    pub(crate) fn calls(&self, program: &str) -> Vec<String> {
        let of_program = |line: &&str| line.split(' ').next() == Some(program);
        self.read("calls").lines().filter(of_program).map(str::to_owned).collect()
    }

    /// Lets a program fail as without a scheduler.
    #[allow(dead_code, reason = "the tests of the interface do not lose programs")]
    pub(crate) fn lose(&self, program: &str) {
        let text =
            "#!/bin/bash\necho 'error: Unable to contact slurm controller (connect failure)' >&2\nexit 1\n";
        std::fs::write(self.programs().join(program), text).unwrap();
    }

    /// Replaces the lines of the queue that begin with `job`, such as `101|2|`.
    pub(crate) fn set_state(&self, job: &str, state: &str) {
        let lines = self.read("queue");
        let name = lines.lines().find_map(|line| line.rsplit('|').next()).unwrap_or_default().to_owned();
        let line = |line: &str| {
            if line.starts_with(job) { format!("{job}{state}|{name}\n") } else { format!("{line}\n") }
        };
        self.set("queue", &lines.lines().map(line).collect::<String>());
    }
}

/// Lets the next question to Slurm be asked now.
pub(crate) fn forget_interval(runs: &Path) {
    let file = runs.join(".slurm/state.json");
    let mut state: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    state["next_poll"] = 0.0.into();
    state["calls"] = serde_json::json!([]);
    std::fs::write(file, state.to_string()).unwrap();
}
