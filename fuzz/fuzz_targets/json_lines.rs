#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::json_lines, glue_tui_fuzz::Format::Files);
