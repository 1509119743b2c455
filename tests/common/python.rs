//! Python with Transformers, for several test programs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python with `tests/reference/requirements.txt`; `None`, with a message about what was not done, without one.
pub(crate) fn python(skipped: &str) -> Option<PathBuf> {
    let python = std::env::var_os("GLUE_TUI_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("SKIPPED: GLUE_TUI_PYTHON names no Python with Transformers, so {skipped}");
    }
    python
}

/// What a script of `tests/` prints, which is given these files and has no network.
pub(crate) fn run_script(python: &Path, script: &str, files: &[&Path]) -> Vec<u8> {
    let output = Command::new(python)
        .arg(Path::new("tests").join(script))
        .args(files)
        .env("HF_HUB_OFFLINE", "1")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
