#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::parquet, glue_tui_fuzz::Format::Parquet);
