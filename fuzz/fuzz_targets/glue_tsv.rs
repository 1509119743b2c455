#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::glue_tsv, glue_tui_fuzz::Format::Bytes);
