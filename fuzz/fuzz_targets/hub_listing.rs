#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::hub_listing, glue_tui_fuzz::Format::Json);
