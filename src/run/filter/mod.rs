//! The filter of the lists of runs: one language for the Runs and the Compare screen.
//!
//! A filter is terms separated by spaces; a run must match all of them.
//!
//! | term | matches |
//! | --- | --- |
//! | `word`, `"two words"` | the name, experiment, model, task, status, note or a tag contains it |
//! | `#tag`, `tag:x`, `status:x`, `task:x`, `model:x`, `name:x`, `experiment:x`, `note:x` | this one contains it |
//! | `lr>=1e-5`, `batch=32`, `seed!=42`, `lr_scheduler_type:cosine` | a setting, by its name or a short one |
//! | `accuracy>0.9`, `f1>=80%`, `loss<0.3`, `score>0.9` | a score of the best evaluation; `score` is the one that selects it |
//! | `disk>1GB`, `time<10m`, `progress>=50%` | the disk space, the training time, the fraction of the steps |
//! | `-term` | not this |
//!
//! Case does not matter. A setting that was changed during the run matches with each of its values, and `seed` with each
//! seed of a run with repeats.

mod matches;
mod parse;
mod terms;
#[cfg(test)]
mod tests;

pub use parse::toggle_term;
pub use terms::{Candidate, FilterProblem, RunFilter};
