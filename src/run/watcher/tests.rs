use super::*;
use crate::event::{Event, Status};
use crate::run::lock::RunLock;
use crate::run::log::EventLog;
use crate::spec::built_in;
use crate::train::Summary;
use std::fs::File;

/// Writes a run that has finished an hour ago.
fn finished(runs: &Path, name: &str) -> RunDir {
    let spec = built_in("demo");
    let dir = RunDir::create_at(runs.join(name), &spec, |_| Ok(())).unwrap();
    let mut log = EventLog::open(&dir).unwrap();
    log.write(&Event::note("a line of the log")).unwrap();
    drop(log);
    let summary = Summary::failed(&spec, &Error::Training("-".into()));
    dir.write_summary(&Summary { status: Status::Finished, ..summary }).unwrap();
    age_files(&dir, Duration::from_hours(1));
    dir
}

/// Makes the files of a run as old as `age`.
fn age_files(dir: &RunDir, age: Duration) {
    for path in [dir.events_file(), dir.path().to_path_buf()] {
        if let Ok(file) = File::open(path) {
            file.set_modified(SystemTime::now() - age).unwrap();
        }
    }
}

fn age_folder(runs: &Path) {
    File::open(runs).unwrap().set_modified(SystemTime::now() - Duration::from_mins(1)).unwrap();
}

/// A directory with `count` finished runs, and its watcher.
fn watched(count: usize) -> (tempfile::TempDir, RunWatcher) {
    let home = tempfile::tempdir().unwrap();
    for number in 0..count {
        finished(home.path(), &format!("a-20261130-101502-{number:04x}"));
    }
    age_folder(home.path());
    let mut watcher = RunWatcher::new(home.path().to_path_buf());
    assert_eq!(watcher.list().len(), count);
    (home, watcher)
}

fn statuses(rows: &[RunRow]) -> Vec<RunStatus> {
    rows.iter().map(|row| row.status).collect()
}

/// The next looks are due now.
fn skip_intervals(watcher: &mut RunWatcher) {
    for watch in watcher.watches.iter_mut().chain(watcher.others.iter_mut().map(|(_, watch)| watch)) {
        watch.due = Instant::now();
    }
}

#[test]
fn changes_of_the_folder_are_found() {
    use RunStatus::{Failed, Finished, NotStarted, Running};
    let (home, mut watcher) = watched(3);
    assert_eq!(watcher.poll(), RunChanges::default());
    let mut shown = watcher.rows().to_vec();

    // A new run, a run that was deleted, and a folder that is no run yet.
    let new = finished(home.path(), "b-20261130-111502-0000");
    std::fs::remove_dir_all(&shown[2].dir).unwrap();
    let late = home.path().join("c-20261130-121502-0000");
    std::fs::create_dir(&late).unwrap();
    let changes = watcher.poll();
    assert_eq!(changes.removed, [shown[2].dir.clone()]);
    assert_eq!(statuses(&changes.changed), [Finished]);
    changes.apply(&mut shown);
    assert_eq!(shown, watcher.rows());
    RunDir::create_at(late, &built_in("demo"), |_| Ok(())).unwrap();
    skip_intervals(&mut watcher);
    let changes = watcher.poll();
    assert_eq!(statuses(&changes.changed), [NotStarted]);
    changes.apply(&mut shown);
    assert_eq!(shown, watcher.rows());
    assert_eq!(shown, crate::run::list(home.path()).unwrap());

    // Another process resumes a finished run, logs, and is killed.
    age_files(&new, Duration::from_hours(1));
    skip_intervals(&mut watcher);
    watcher.poll();
    let lock = RunLock::take_for_training(&new).unwrap();
    skip_intervals(&mut watcher);
    assert_eq!(statuses(&watcher.poll().changed), [Running]);
    age_files(&new, Duration::from_hours(1));
    watcher.poll();
    assert_eq!(watcher.poll(), RunChanges::default(), "it is still being trained");
    lock.events.unlock().unwrap();
    age_files(&new, Duration::from_hours(1));
    assert_eq!(statuses(&watcher.poll().changed), [Finished], "only its lock has changed");
    let failed = Summary::failed(&built_in("demo"), &Error::Training("the loss is NaN".into()));
    new.write_summary(&failed).unwrap();
    skip_intervals(&mut watcher);
    assert_eq!(statuses(&watcher.poll().changed), [Failed]);
}

#[test]
fn runs_that_do_not_change_are_looked_at_less_and_less_often() {
    let stamp = |age: Duration| RunStamp(vec![Some((SystemTime::now() - age, 7))]);
    for (age, seconds) in [(0, 2.0), (32, 2.0), (160, 10.0), (100_000, 300.0)] {
        let watch = Watch::new(stamp(Duration::from_secs(age)));
        let wait = watch.due.saturating_duration_since(Instant::now()).as_secs_f64();
        assert!((wait - seconds).abs() < 0.5, "{age}: {wait}");
        assert_eq!(watch.stamp.is_some(), age > 2, "a young stamp is not trusted");
    }
    let future = Watch::new(RunStamp(vec![Some((SystemTime::now() + Duration::from_hours(1), 7))]));
    assert!(future.stamp.is_none(), "the clock of another machine");
}

/// Calls of `read` by this thread, as Linux counts them.
#[cfg(target_os = "linux")]
fn reads() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("syscr: ")).unwrap();
    line.parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn finished_runs_are_not_read_again_however_many_there_are() {
    let own = {
        let before = reads();
        reads() - before
    };
    for count in [10, 300] {
        let (home, mut watcher) = watched(count);
        let running = finished(home.path(), "z-20261130-131502-0000");
        let lock = RunLock::take_for_training(&running).unwrap();
        age_folder(home.path());
        watcher.list();
        let before = reads();
        let reads_of_a_row = {
            row_of_files(&watcher.rows()[0].dir).unwrap();
            reads() - before - own
        };
        assert!(reads_of_a_row > 0);
        let (mut polls, before, stats) = (0, reads(), STATS.get());
        for _ in 0..10 {
            // It logs a step in each second.
            let mut log = &lock.events;
            std::io::Write::write_all(&mut log, b"{\"kind\":\"note\",\"time\":1.0,\"text\":\"-\"}\n")
                .unwrap();
            watcher.poll();
            polls += 1;
        }
        let read = reads() - before - own;
        assert!(read <= polls * 2 * reads_of_a_row, "{count} runs: {read} reads, {reads_of_a_row} of a row");
        assert_eq!(STATS.get() - stats, 2 * polls, "{count} runs: only the run in training was looked at");
        // When they are due, a poll looks at some of them.
        skip_intervals(&mut watcher);
        let (before, stats) = (reads(), STATS.get());
        assert!(watcher.poll().is_empty());
        let looks = (STATS.get() - stats) / 2;
        assert_eq!(looks, 1 + count.min(MAX_OTHERS) as u64);
        assert!(reads() - before - own <= 2 * reads_of_a_row, "unchanged runs are not read");
    }
}

#[test]
fn many_running_runs_are_read_in_turn() {
    let (home, mut watcher) = watched(0);
    let count = 3 * MAX_RUNNING + 5;
    let dirs = (0..count).map(|number| finished(home.path(), &format!("a-20261130-101502-{number:04x}")));
    let locks: Vec<RunLock> = dirs.map(|dir| RunLock::take_for_training(&dir).unwrap()).collect();
    watcher.list();
    drop(locks);
    let mut ended = 0;
    for polls in 1..=4 {
        let changes = watcher.poll();
        assert!(changes.changed.len() <= MAX_RUNNING + MAX_OTHERS);
        ended += changes.changed.len();
        assert!(ended >= count.min(polls * MAX_RUNNING) - MAX_RUNNING, "{polls}: {ended}");
    }
    assert_eq!(statuses(watcher.rows()), vec![RunStatus::Finished; count]);
}

#[test]
fn folder_that_cannot_be_read_is_listed_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("runs");
    std::fs::write(&file, "-").unwrap();
    let mut watcher = RunWatcher::new(file.clone());
    assert_eq!(statuses(watcher.list()), [RunStatus::Unreadable]);
    watcher.poll();
    assert_eq!(watcher.rows().len(), 1);
    let mut watcher = RunWatcher::new(home.path().join("none"));
    assert!(watcher.list().is_empty() && watcher.poll().is_empty());
}
