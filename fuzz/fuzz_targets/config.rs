#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::config, glue_tui_fuzz::Format::Json);
