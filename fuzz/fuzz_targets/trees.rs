#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::trees, glue_tui_fuzz::Format::Bytes);
