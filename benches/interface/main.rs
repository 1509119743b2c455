//! How quick the interface is, as somebody who uses it would measure it.
//!
//! ```sh
//! cargo bench --bench interface                      # everything, some minutes
//! cargo bench --bench interface -- frames open       # only rows whose names contain one of these
//! cargo bench --bench interface -- --save            # and writes benches/results/interface.json
//! ```
//!
//! Frames are drawn in this process, escape sequences and all, into nowhere. Everything else is measured
//! on the real binary in a pseudo-terminal: from the press of a key to the whole screen that answers it.
//! Logs are made up for the purpose in a folder that goes away.
#![cfg(unix)]

mod frames;
mod made_up;
mod program;
#[path = "../../tests/terminal/pty.rs"]
mod pty;
mod report;

use report::Report;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let (options, names): (Vec<String>, Vec<String>) =
        arguments.into_iter().partition(|word| word.starts_with("--"));
    let mut report = Report::of(names);
    frames::measure(&mut report);
    program::first_screen(&mut report);
    program::opening(&mut report);
    program::latency(&mut report);
    program::cost(&mut report);
    if options.iter().any(|option| option == "--save") {
        report.save("interface");
    }
}
