#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::queue, glue_tui_fuzz::Format::Toml);
