//! Responses of any size: the list of files, small files, downloads on a full disk.

use super::mock::Fault;
use super::{Fixture, MODEL, fetch};
use glue_tui::hub::{Hub, HubConfig};
use std::time::Duration;

#[test]
fn endless_responses_are_bounded() {
    // The list of files, and a file that describes the model.
    for (path, part) in
        [("/api/models", "the list of its files is larger"), ("vocab.txt", "the file is larger")]
    {
        let fixture = Fixture::new();
        fixture.mock.fault("HEAD", path, 9, Fault::NoLength);
        fixture.mock.fault("GET", path, 9, Fault::Endless);
        // A debug build on a busy machine takes its time for 128 MiB.
        let minute = Duration::from_mins(1);
        let hub = Hub::new(HubConfig { request_timeout: minute, read_timeout: minute, ..fixture.config() });
        let e = fetch(&hub, MODEL).unwrap_err();
        assert_eq!(e.exit_code(), 3);
        assert!(e.to_string().contains(part), "{e}");
        assert_eq!(incomplete(&fixture), 0);
    }
}

#[test]
fn download_leaves_space_on_the_disk() {
    for (fault, part) in [(None, "22 B more"), (Some(Fault::Endless), "an unknown size")] {
        let fixture = Fixture::new();
        if let Some(fault) = fault {
            fixture.mock.fault("HEAD", "config.json", 9, Fault::NoLength);
            fixture.mock.fault("GET", "config.json", 9, fault);
        }
        // No disk has as much space as is reserved here.
        let hub = Hub::new(HubConfig { reserved_space: u64::MAX, ..fixture.config() });
        let e = fetch(&hub, MODEL).unwrap_err();
        assert_eq!(e.exit_code(), 3);
        let e = e.to_string();
        assert!(e.contains("the disk of") && e.contains("free space") && e.contains(part), "{e}");
        assert_eq!(incomplete(&fixture), 0, "what does not fit is removed");
    }
}

/// The number of incomplete downloads with content.
fn incomplete(fixture: &Fixture) -> usize {
    let blobs = fixture.cache.path().join("models--owner--tiny/blobs");
    let files = std::fs::read_dir(blobs).into_iter().flatten().flatten();
    let is_incomplete = |file: &std::fs::DirEntry| {
        file.file_name().to_string_lossy().ends_with(".incomplete") && file.metadata().unwrap().len() > 0
    };
    files.filter(is_incomplete).count()
}
