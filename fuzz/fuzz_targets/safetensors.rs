#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::safetensors, glue_tui_fuzz::Format::Safetensors);
