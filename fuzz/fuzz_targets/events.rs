#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::events, glue_tui_fuzz::Format::JsonLines);
