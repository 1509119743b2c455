//! What the fuzz target of control files calls.

use super::control_file::new_records;
use super::log_tail::LogTail;
use std::path::Path;

/// Reads the control file at `path` as a training does. Returns how many commands it contains.
pub fn read_control_file(path: &Path) -> usize {
    new_records(&mut LogTail::from_start(path.to_path_buf())).len()
}
