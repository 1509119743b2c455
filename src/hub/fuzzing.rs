//! What the fuzz target of hub listings calls.

use super::download::parse_listing;
use super::listing::{FileSelection, shards};
use crate::catalog::TASKS;

/// Reads `bytes` as the answer of the hub to a request for a revision and selects the files of a model and of every
/// task; then as an index of sharded weights.
pub fn read_listing(bytes: &[u8]) {
    if let Some((_, names)) = parse_listing(bytes) {
        let _ = FileSelection::Model.select(&names);
        for task in TASKS.iter() {
            for split in task.splits {
                let _ = FileSelection::Split { config: task.name, split, all: task.splits }.select(&names);
            }
        }
    }
    let _ = shards(bytes);
}
