#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::run_directory, glue_tui_fuzz::Format::Files);
