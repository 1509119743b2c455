//! Tortures the program: it is killed at random moments and at system calls, its disk is full or fails, its files are
//! damaged, two processes use one run, its terminal disappears. Afterwards the training must resume, end with the
//! weights and scores of an undisturbed run bit for bit, and leave no temporary file.
//!
//! By default each test makes a few tries, always the same. These variables change that:
//!
//! | variable | meaning |
//! | --- | --- |
//! | `GLUE_TUI_TORTURE_TRIES` | tries of each test |
//! | `GLUE_TUI_TORTURE_SEED` | seed of the random choices |
//! | `GLUE_TUI_TORTURE_ONLY` | number of the only try to make, to repeat a failure |
//! | `GLUE_TUI_TORTURE_BINARY` | the program, such as `target/release/glue-tui` |

#![cfg(target_os = "linux")]

mod damage;
mod disk;
mod hand_over;
mod kills;
mod processes;
mod reference;
mod terminals;
mod tracer;
mod tries;
mod workspace;
