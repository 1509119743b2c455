#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::tokenizer, glue_tui_fuzz::Format::Files);
