//! `man`: prints a man page about all commands, or writes a page for each to a folder.

use super::args::{Args, ManArgs};
use super::output::{STDOUT, stdout_bytes};
use crate::error::{Error, Result};
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::io;

pub(super) fn man(args: &ManArgs) -> Result<()> {
    let Some(folder) = &args.to else { return stdout_bytes(&page().map_err(Error::writing(STDOUT))?) };
    std::fs::create_dir_all(folder).map_err(Error::writing(folder))?;
    clap_mangen::generate_to(Args::command(), folder).map_err(Error::writing(folder))
}

/// One page in roff: the options of every command, then a section for each command.
fn page() -> io::Result<Vec<u8>> {
    let mut root = Args::command();
    root.build();
    let page = Man::new(root.clone());
    let mut roff = Vec::new();
    page.render_title(&mut roff)?;
    page.render_name_section(&mut roff)?;
    page.render_synopsis_section(&mut roff)?;
    page.render_description_section(&mut roff)?;
    page.render_options_section(&mut roff)?;
    add_commands(&root, &mut roff)?;
    let mut notes = Vec::new();
    page.render_extra_section(&mut notes)?;
    roff.extend(String::from_utf8_lossy(&notes).replacen(".SH EXTRA", ".SH NOTES", 1).bytes());
    Ok(roff)
}

/// Adds a section for each command below `parent`, without the options of every command.
fn add_commands(parent: &Command, roff: &mut Vec<u8>) -> io::Result<()> {
    for command in parent.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_display_name().unwrap_or(command.get_name()).replace('-', " ");
        let name = name.replacen("glue tui", "glue-tui", 1);
        roff.extend(format!(".SH \"{}\"\n", name.to_uppercase()).bytes());
        let own = command.clone().mut_args(|arg| {
            let is_shared = arg.is_global_set() || arg.get_id() == "help";
            arg.hide(is_shared)
        });
        let page = Man::new(own);
        let mut parts = Vec::new();
        page.render_synopsis_section(&mut parts)?;
        page.render_description_section(&mut parts)?;
        page.render_options_section(&mut parts)?;
        roff.extend(String::from_utf8_lossy(&parts).replace(".SH ", ".SS ").bytes());
        add_commands(command, roff)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_has_every_command_once() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        for heading in
            ["NAME", "SYNOPSIS", "OPTIONS", "\"GLUE-TUI TRAIN\"", "\"GLUE-TUI CONTROL PAUSE\"", "NOTES"]
        {
            assert_eq!(page.matches(&format!(".SH {heading}\n")).count(), 1, "{heading}\n{page}");
        }
        assert_eq!(
            page.matches("Directory of the runs").count(),
            1,
            "options of every command are listed once"
        );
        assert!(!page.contains(".SH EXTRA"));
    }
}
