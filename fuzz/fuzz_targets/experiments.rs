#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::experiments, glue_tui_fuzz::Format::Toml);
