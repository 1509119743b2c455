//! Models and datasets by name, from the Hugging Face Hub. The only module that uses the network, and only for files
//! that are not in the cache.
//!
//! hf-hub builds the requests for names, revisions and listings. The files are downloaded here, because the download of
//! hf-hub has no timeouts, accepts a truncated body without an announced length, and appends a whole file to a partial
//! one if the server ignores the range; see `download`. The cache on disk is the one that the Hugging Face libraries
//! share.

mod cache;
mod cached;
mod client;
mod config;
mod download;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod listing;
mod progress;
mod repo;
mod verify;

pub use client::Hub;
pub use config::HubConfig;
pub use listing::split_files;
pub use repo::Snapshot;
