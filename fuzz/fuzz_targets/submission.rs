#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::submission, glue_tui_fuzz::Format::Zip);
