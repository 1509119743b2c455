#![no_main]

glue_tui_fuzz::target!(glue_tui_fuzz::targets::predictions, glue_tui_fuzz::Format::Safetensors);
