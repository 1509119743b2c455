#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::input_table, glue_tui_fuzz::Format::Files);
