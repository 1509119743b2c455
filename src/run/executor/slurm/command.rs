//! Runs the commands of Slurm.

use crate::error::{Error, Result};
use std::io::{ErrorKind, Read};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long an answer is waited for. A scheduler that is restarted takes seconds.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Time between two looks at the command.
const INTERVAL: Duration = Duration::from_millis(10);
/// Variables with which a user changes the output of `squeue` and `sacct`, and those that `sbatch` prefers to options that
/// every batch script has.
const CHANGING: [&str; 21] = [
    "SBATCH_ARRAY_INX",
    "SBATCH_ERROR",
    "SBATCH_JOB_NAME",
    "SBATCH_NO_REQUEUE",
    "SBATCH_OPEN_MODE",
    "SBATCH_OUTPUT",
    "SBATCH_REQUEUE",
    "SBATCH_SIGNAL",
    "SQUEUE_ACCOUNT",
    "SQUEUE_ALL",
    "SQUEUE_ARRAY",
    "SQUEUE_FORMAT",
    "SQUEUE_FORMAT2",
    "SQUEUE_LICENSES",
    "SQUEUE_NAMES",
    "SQUEUE_PARTITION",
    "SQUEUE_QOS",
    "SQUEUE_SORT",
    "SQUEUE_STATES",
    "SQUEUE_USERS",
    "SACCT_FORMAT",
];

/// What a command has printed on stdout.
///
/// # Errors
/// [`Error::Usage`] when the command does not exist or refuses its arguments, [`Error::Device`] when the scheduler does not
/// answer.
pub(super) fn run(program: &str, arguments: &[&str]) -> Result<String> {
    run_within(program, arguments, TIMEOUT)
}

fn run_within(program: &str, arguments: &[&str], timeout: Duration) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in CHANGING {
        command.env_remove(name);
    }
    let mut child = command.spawn().map_err(|error| not_started(program, &error))?;
    let (stdout, stderr) = (read(child.stdout.take()), read(child.stderr.take()));
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < timeout => std::thread::sleep(INTERVAL),
            Ok(None) | Err(_) => {
                child.kill().ok();
                child.wait().ok();
                return Err(Error::Device(format!(
                    "{program} has not answered for {} seconds; the scheduler may be down: try again later",
                    timeout.as_secs()
                )));
            }
        }
    };
    let (stdout, stderr) = (text(stdout), text(stderr));
    if status.success() {
        return Ok(stdout);
    }
    let cause = cause(&stderr);
    let message = format!("{program} failed: {cause}");
    let is_down = ["contact", "Connection", "timed out", "Zero Bytes", "configuration source", "munge"];
    Err(if is_down.iter().any(|part| stderr.contains(part)) {
        Error::Device(format!("{message}; the scheduler may be down: try again later"))
    } else {
        Error::Usage(message)
    })
}

fn not_started(program: &str, error: &std::io::Error) -> Error {
    Error::Usage(match error.kind() {
        ErrorKind::NotFound => {
            format!("{program} is not in PATH; Slurm's commands are needed, as on a login node of a cluster")
        }
        _ => format!("cannot run {program}: {error}"),
    })
}

/// The cause that a command gives: the first line of its stderr, without the prefixes of Slurm.
fn cause(stderr: &str) -> String {
    let lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let texts = lines.map(|line| {
        let text = ["error: ", "fatal: "].iter().find_map(|prefix| Some(line.split_once(prefix)?.1));
        text.unwrap_or(line).trim_end_matches('.')
    });
    let texts: Vec<&str> = texts.take(3).collect();
    if texts.is_empty() { "it gives no reason".into() } else { texts.join(", ") }
}

/// Reads a stream on a thread of its own, so that a command never waits for its reader.
fn read(stream: Option<impl Read + Send + 'static>) -> Option<JoinHandle<Vec<u8>>> {
    let mut stream = stream?;
    let work = move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok();
        bytes
    };
    std::thread::Builder::new().name("scheduler".into()).spawn(work).ok()
}

fn text(stream: Option<JoinHandle<Vec<u8>>>) -> String {
    let bytes = stream.and_then(|thread| thread.join().ok()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_one_sentence() {
        let fails = |script: &str| run("sh", &["-c", script]).unwrap_err();
        let missing = run("no-such-scheduler", &[]).unwrap_err();
        assert!(missing.to_string().contains("no-such-scheduler is not in PATH") && missing.exit_code() == 2);
        let rejected = fails(
            "echo 'sbatch: error: invalid partition specified: gpu' >&2; echo 'sbatch: error: Batch job submission failed' >&2; exit 1",
        );
        assert_eq!(
            rejected.to_string(),
            "sh failed: invalid partition specified: gpu, Batch job submission failed"
        );
        let down = fails(
            "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1",
        );
        assert!(matches!(down, Error::Device(_)) && down.to_string().contains("may be down"), "{down}");
        let start = Instant::now();
        let hangs = run_within("sleep", &["60"], Duration::from_millis(50)).unwrap_err();
        assert!(hangs.to_string().contains("has not answered") && start.elapsed() < Duration::from_secs(20));
        assert_eq!(run("sh", &["-c", "head -c 200000 /dev/zero | tr '\\0' x"]).unwrap().len(), 200_000);
    }
}
