//! The disk space of the listed runs. It is measured again only for runs whose files may have changed.

use crate::run::{DiskStamp, DiskUse, RunDir, RunRow};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// The disk space of the listed runs.
#[derive(Default)]
pub(super) struct DiskCache {
    known: HashMap<PathBuf, (DiskStamp, DiskUse)>,
}

impl DiskCache {
    /// Gives runs their disk space as far as it is known.
    pub(super) fn fill(&self, rows: &mut [RunRow]) {
        for row in rows {
            row.disk = self.known.get(&row.dir).map(|(_, disk)| *disk);
        }
    }

    /// Measures the listed runs that may have changed; returns those that have.
    pub(super) fn measure(&mut self, rows: &[RunRow]) -> Vec<(PathBuf, DiskUse)> {
        let listed: HashSet<&PathBuf> = rows.iter().map(|row| &row.dir).collect();
        self.known.retain(|dir, _| listed.contains(dir));
        let mut changed = Vec::new();
        for dir in rows.iter().filter(|row| row.problem.is_none()).map(|row| &row.dir) {
            let run = RunDir::at(dir);
            let stamp = DiskStamp::of(&run);
            let known = self.known.get(dir);
            if known.is_some_and(|(known, _)| *known == stamp) {
                continue;
            }
            let disk = DiskUse::of(&run);
            if known.is_none_or(|(_, known)| *known != disk) {
                changed.push((dir.clone(), disk));
            }
            self.known.insert(dir.clone(), (stamp, disk));
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_is_measured_again_when_its_files_change() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("demo");
        std::fs::create_dir_all(dir.join("checkpoints/step-000001")).unwrap();
        std::fs::write(dir.join("checkpoints/step-000001/a"), "1234").unwrap();
        let mut cache = DiskCache::default();
        let mut rows = [RunRow { dir: dir.clone(), ..RunRow::default() }];
        cache.fill(&mut rows);
        assert_eq!(rows[0].disk, None);
        let all = DiskUse { bytes: 4, prunable_bytes: 4 };
        assert_eq!(cache.measure(&rows), [(dir.clone(), all)]);
        assert_eq!(cache.measure(&rows), []);
        cache.fill(&mut rows);
        assert_eq!(rows[0].disk, Some(all));
        std::fs::remove_dir_all(dir.join("checkpoints")).unwrap();
        assert_eq!(cache.measure(&rows), [(dir, DiskUse::default())]);
        assert_eq!(cache.measure(&[]), []);
        cache.fill(&mut rows);
        assert_eq!(rows[0].disk, None, "a run that is not listed is forgotten");
    }
}
