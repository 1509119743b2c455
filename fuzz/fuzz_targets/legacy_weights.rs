#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::legacy_weights, glue_tui_fuzz::Format::Zip);
