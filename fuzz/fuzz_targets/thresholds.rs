#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::thresholds, glue_tui_fuzz::Format::Json);
