#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::keys, glue_tui_fuzz::Format::Toml);
