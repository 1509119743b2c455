//! A real Slurm cluster on this machine, for as long as a test needs it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The programs that the cluster consists of.
const PROGRAMS: [&str; 4] = ["munged", "slurmctld", "slurmd", "sbatch"];

pub(crate) struct Cluster {
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Starts a cluster; `None`, with the reason on stderr, where that is not possible.
    pub(crate) fn start() -> Option<Cluster> {
        let is_installed = |name: &&str| {
            let folders = std::env::var_os("PATH").unwrap_or_default();
            let folders: Vec<PathBuf> = std::env::split_paths(&folders).chain(["/usr/sbin".into()]).collect();
            folders.iter().any(|folder| folder.join(name).is_file())
        };
        if let Some(missing) = PROGRAMS.iter().find(|name| !is_installed(name)) {
            eprintln!(
                "SKIPPED: real Slurm: {missing} is not installed (munge, slurmctld, slurmd, slurm-client)"
            );
            return None;
        }
        let id = Command::new("id").arg("-u").output().unwrap();
        if id.stdout != b"0\n" {
            eprintln!("SKIPPED: real Slurm: its daemons need root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), permissions).unwrap();
        let cluster = Cluster { folder };
        let output = cluster.script("up").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(cluster)
    }

    fn script(&self, action: &str) -> Command {
        let port = (20_000 + 2 * (std::process::id() % 10_000)).to_string();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slurm/cluster.sh");
        let mut command = Command::new("bash");
        command.arg(script).arg(action).arg(self.folder.path()).arg(port);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
        command
    }

    /// The configuration that the commands need.
    pub(crate) fn config(&self) -> String {
        self.folder.path().join("slurm.conf").display().to_string()
    }

    /// What a command of Slurm prints.
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> String {
        let output = Command::new(program).args(args).env("SLURM_CONF", self.config()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The state of a task.
    pub(crate) fn state(&self, task: &str) -> String {
        let text = self.run("squeue", &["-h", "-r", "-t", "all", "-o", "%F_%K %T"]);
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{task} ")));
        line.unwrap_or_default().to_owned()
    }

    /// Starts a task that was requeued now: Slurm would wait for two minutes.
    pub(crate) fn start_now(&self, task: &str) {
        super::workspace::wait_until("the task is requeued", || self.state(task) == "PENDING");
        // A task that starts within the second of its end has a credential that was revoked with that end.
        std::thread::sleep(Duration::from_millis(2500));
        self.run("scontrol", &["update", &format!("jobid={task}"), "starttime=now"]);
        super::workspace::wait_until("the task starts", || self.state(task) != "PENDING");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.script("down").status().ok();
    }
}
