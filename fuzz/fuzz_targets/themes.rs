#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::themes, glue_tui_fuzz::Format::Toml);
