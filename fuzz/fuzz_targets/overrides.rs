#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::overrides, glue_tui_fuzz::Format::Bytes);
