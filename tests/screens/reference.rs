//! The tables of commands and keys in `docs/interface.md`, which are written from the command line and the key bindings.
//! `INSTA_UPDATE=always` rewrites them.

use super::fixtures::*;

use clap::CommandFactory;
use glue_tui::cli::Args;
use glue_tui::tui::keymap::Keymap;
use glue_tui::tui::screen::Context;
use std::fmt::Write;
use std::path::Path;

#[test]
fn tables_of_commands_and_keys_are_complete() {
    check("commands", &commands());
    check("keys", &keys());
}

/// Compares a part of the page with `expected`, or rewrites it.
#[track_caller]
fn check(part: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/interface.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {part} -->\n"), format!("<!-- end of {part} -->"));
    let (before, rest) = page.split_once(&begin).expect("the page has the part");
    let (found, after) = rest.split_once(&end).expect("the part has an end");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).unwrap();
        return;
    }
    assert!(
        found == expected,
        "{part} in {} differ; INSTA_UPDATE=always rewrites them:\n{expected}",
        path.display()
    );
}

fn commands() -> String {
    let mut table = "| command | does |\n| --- | --- |\n".to_owned();
    table += "| `glue-tui [FILE]` | Open the interface, on the data of a file or folder if it is named |\n";
    let command = Args::command();
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let mut line = format!("glue-tui {}", command.get_name());
        for argument in command.get_positionals() {
            let name = argument.get_id().as_str().to_uppercase();
            let is_required = argument.is_required_set() && command.get_name() != "train";
            write!(line, " {}", if is_required { name } else { format!("[{name}]") }).unwrap();
        }
        let actions: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        if !actions.is_empty() {
            write!(line, " {}", actions.join("\\|")).unwrap();
        }
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        writeln!(table, "| `{line}` | {about} |").unwrap();
    }
    table
}

fn keys() -> String {
    let keymap = Keymap::default();
    let mut tables = String::new();
    for context in Context::ALL {
        write!(tables, "\n### {}\n\n| key | does |\n| --- | --- |\n", context.heading()).unwrap();
        let mut rows: Vec<(&str, String, Vec<&str>)> = Vec::new();
        for binding in keymap.of(context) {
            match rows.iter_mut().find(|(name, ..)| *name == binding.name) {
                Some((.., descriptions)) if descriptions.contains(&binding.description) => {}
                Some((.., descriptions)) => descriptions.push(binding.description),
                None => rows.push((binding.name, binding.keys(THEME), vec![binding.description])),
            }
        }
        for (_, keys, descriptions) in rows {
            let keys: Vec<String> =
                keys.split(' ').map(|key| format!("`{}`", key.replace('|', "\\|"))).collect();
            writeln!(tables, "| {} | {} |", keys.join(" "), descriptions.join("; ").replace('|', "\\|"))
                .unwrap();
        }
    }
    tables
}
