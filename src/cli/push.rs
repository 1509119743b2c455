//! `push`: uploads a run to the hub.

use super::args::{GlobalArgs, PushArgs};
use super::output;
use super::progress::ProgressDisplay;
use super::signals::cancelled_by_signals;
use crate::error::Result;
use crate::hub::{Hub, PushOptions, Pushed};
use crate::text::plural;
use crate::{export, run};
use serde_json::json;
use std::path::PathBuf;

pub(super) fn push(global: &GlobalArgs, args: &PushArgs) -> Result<()> {
    let (run, title) = target(global, &args.run)?;
    let defaults = PushOptions::of(&title);
    let options = PushOptions {
        private: args.private,
        revision: args.revision.clone(),
        message: args.message.clone().unwrap_or(defaults.message),
    };
    let cancelled = cancelled_by_signals()?;
    let mut display = ProgressDisplay::new(false);
    let pushed = export::push(
        &Hub::from_env(),
        &run,
        (&args.repo, &options),
        &mut |progress| display.show(&progress),
        &cancelled,
    );
    display.clear();
    let Pushed { url, commit, files } = pushed?;
    if global.json {
        return output::json(&json!({ "repo": args.repo, "url": url, "commit": commit, "files": files }));
    }
    output::stderr_line(match commit {
        Some(commit) => format!("uploaded {} as commit {commit}", plural(files, "file")),
        None => "nothing to upload: the hub has these files".into(),
    });
    output::stdout_line(url)
}

/// The run, or a folder that was exported before, and its name.
fn target(global: &GlobalArgs, name: &str) -> Result<(PathBuf, String)> {
    let folder = PathBuf::from(name);
    let is_exported = folder.join("config.json").is_file() && !folder.join("spec.toml").is_file();
    let path = if is_exported { folder } else { run::find(&global.runs_dir, name)? };
    let title = path.file_name().map_or_else(|| name.to_string(), |name| name.to_string_lossy().into_owned());
    Ok((path, title))
}
