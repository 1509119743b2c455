//! The state of the interface: [`App`] and a file for each screen, with the queries that only read it. The state
//! knows neither how it changes ([`super::update`]) nor how it is drawn ([`super::view`]).

pub mod app;
pub mod compare;
mod conditions;
mod contexts;
pub mod copied;
pub mod data;
pub mod estimates;
pub mod experiment;
pub mod export_request;
pub mod filter;
pub mod form;
pub mod help;
pub mod help_page;
pub mod infer;
pub mod insight;
pub mod live;
pub mod live_row;
pub mod model_name;
pub mod open;
mod open_experiment;
pub mod palette;
pub mod palette_entries;
pub mod path_choice;
pub mod popup;
pub mod published;
pub mod queue;
pub mod quitting;
pub mod run;
pub mod runs;
pub mod suggestion;
pub mod sweep;
pub mod train_request;

pub use app::App;
