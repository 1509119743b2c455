//! A training that has a name and a place.

pub mod history;
