//! The metrics of a run as event files of TensorBoard, in the folder `tensorboard/` of its directory.
//!
//! An event file is a sequence of records ([`record`]), each a message `tensorflow.Event` of protocol buffers
//! ([`proto`]). [`Summarizer`] turns the events of a run into such messages, with the tags of Transformers'
//! `TensorBoardCallback`: `train/loss`, `train/learning_rate`, `train/grad_norm`, `eval/loss`, `eval/accuracy`, ….
//!
//! While a run is trained, [`TensorBoardWriter`] reads its event log and appends what is new. Each attempt to train the
//! run has a file of its own with all events of the log, because the file of a killed process may end within a record or
//! before the last events. A run that resumes writes a `SessionLog` with status `START` and the first step that is done
//! again: TensorBoard then discards the values from that step on that it has read before.

mod proto;
mod record;
mod summarizer;
mod writer;

pub(super) use writer::TensorBoardWriter;
pub use writer::write_event_file;
