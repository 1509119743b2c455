//! Models and datasets by name, from the Hugging Face Hub, and uploads to it. The only module that uses the network, and
//! for downloads only if files are not in the cache.
//!
//! hf-hub builds the requests for names, revisions and listings. The files are downloaded here, because the download of
//! hf-hub has no timeouts, accepts a truncated body without an announced length, and appends a whole file to a partial
//! one if the server ignores the range; see `download`. The cache on disk is the one that the Hugging Face libraries
//! share. Uploads are made here too, since hf-hub 0.5 has none; see `upload`.

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
mod request;
mod upload;
mod verify;

pub use client::Hub;
pub use config::HubConfig;
pub use listing::split_files;
pub use repo::Snapshot;
pub use upload::{PushOptions, Pushed};
