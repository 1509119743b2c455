//! Response times of the terminal interface, as a user experiences them.
//!
//! ```sh
//! cargo bench --bench interface                      # all rows, a few minutes
//! cargo bench --bench interface -- frames open       # rows whose names contain one of the words
//! cargo bench --bench interface -- --save            # also writes benches/results/interface.json
//! ```
//!
//! Frames are drawn in this process, including their escape sequences, and discarded. All other rows run the binary in
//! a pseudo-terminal and measure the time from a key to the complete screen that answers it. The logs are synthetic and
//! are written to a temporary directory.
#![cfg(unix)]

mod frames;
mod program;
#[path = "../../tests/terminal/pty.rs"]
mod pty;
mod report;
mod synthetic;

use report::Report;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let (options, names): (Vec<String>, Vec<String>) =
        arguments.into_iter().partition(|word| word.starts_with("--"));
    let mut report = Report::new(names);
    frames::measure(&mut report);
    frames::measure_live(&mut report);
    program::first_screen(&mut report);
    program::open_run(&mut report);
    program::latency(&mut report);
    program::idle(&mut report);
    program::slowdown(&mut report);
    if options.iter().any(|option| option == "--save") {
        report.save("interface");
    }
}
