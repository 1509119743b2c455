//! Models and datasets by name, from the Hugging Face Hub. The only module that uses the network, and only for files
//! that are not in the cache.
//!
//! hf-hub resolves names, revisions and listings. The files are downloaded here, because the download of hf-hub 1.0.0
//! stores an error page as the file, accepts a truncated body, and has no timeout; see `download`. The cache on disk
//! is the one that the Hugging Face libraries share.

mod cache;
mod cached;
mod client;
mod config;
mod download;
mod error;
mod listing;
mod progress;
mod repo;
mod verify;

pub use client::Hub;
pub use config::HubConfig;
pub use listing::split_files;
pub use repo::Snapshot;
