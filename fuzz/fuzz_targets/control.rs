#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::control, glue_tui_fuzz::Format::JsonLines);
