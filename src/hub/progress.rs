//! Reports of progress.

use crate::event::{Progress, Unit};

/// Work of unknown length.
pub(super) fn indeterminate(what: String) -> Progress {
    Progress { what, done: 0, total: None, unit: Unit::Nothing }
}

/// A download of `done` bytes so far.
pub(super) fn downloading(name: &str, done: u64, total: Option<u64>) -> Progress {
    Progress { what: format!("downloading {name}"), done, total, unit: Unit::Bytes }
}

/// An upload of `done` bytes so far.
pub(super) fn uploading(name: &str, done: u64, total: u64) -> Progress {
    Progress { what: format!("uploading {name}"), done, total: Some(total), unit: Unit::Bytes }
}
