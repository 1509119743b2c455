#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::delimited, glue_tui_fuzz::Format::Files);
