//! `doctor`: what is there, and what to do about what is not.

use super::args::Global;
use super::output;
use crate::error::Result;
use crate::format;
use crate::spec::Experiments;
use crate::terminal_caps::{Background, Charset, TerminalCaps};
use crate::{hub, machine, nn, run};
use serde::Serialize;
use std::fs::DirEntry;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// All that is looked at.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    system: String,
    cpu: Cpu,
    devices: Vec<Device>,
    precision: &'static [&'static str],
    engines: &'static [&'static str],
    hub: Hub,
    cache: Cache,
    experiments: File,
    runs: Runs,
    terminal: Terminal,
}

#[derive(Debug, Serialize)]
struct Cpu {
    model: String,
    /// The instruction set that the fast engine's kernels run on.
    instructions: &'static str,
    cores: Option<usize>,
    /// Threads that training uses unless told otherwise.
    threads: usize,
    memory: u64,
    memory_available: u64,
}

#[derive(Debug, Serialize)]
struct Device {
    name: String,
    usable: bool,
    /// What it is, or why it cannot be used.
    about: String,
}

#[derive(Debug, Serialize)]
struct Hub {
    endpoint: String,
    offline: bool,
    /// Absent when nothing was asked because of `HF_HUB_OFFLINE`.
    reachable: Option<bool>,
    seconds: Option<f64>,
    problem: Option<String>,
    token: bool,
}

#[derive(Debug, Serialize)]
struct Cache {
    dir: PathBuf,
    repositories: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct File {
    /// Absent for the shipped copy.
    path: Option<PathBuf>,
    count: usize,
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct Runs {
    dir: PathBuf,
    count: usize,
}

#[derive(Debug, Serialize)]
struct Terminal {
    interactive: bool,
    name: Option<String>,
    /// Number of colours.
    colours: u32,
    unicode: bool,
    /// Absent when nothing tells.
    background: Option<&'static str>,
    columns: Option<u16>,
    rows: Option<u16>,
}

pub(super) fn doctor(global: &Global) -> Result<()> {
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        cpu: cpu(),
        devices: devices(),
        precision: nn::precisions(),
        engines: nn::ENGINES,
        hub: hub_state(),
        cache: cache(),
        experiments: experiments(global),
        runs: Runs { dir: global.runs_dir.clone(), count: run::list(&global.runs_dir).len() },
        terminal: terminal(),
    };
    if global.json { output::json(&report) } else { output::line(report.lines().trim_end()) }
}

fn cpu() -> Cpu {
    let memory = machine::memory();
    Cpu {
        model: machine::processor().unwrap_or_else(|| "unknown".into()),
        instructions: nn::instruction_set(),
        cores: machine::cores(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        memory: memory.map_or(0, |memory| memory.total),
        memory_available: memory.map_or(0, |memory| memory.available),
    }
}

fn devices() -> Vec<Device> {
    let device = |(name, place): (String, std::result::Result<String, String>)| Device {
        name,
        usable: place.is_ok(),
        about: place.unwrap_or_else(|why| why),
    };
    nn::devices().into_iter().map(device).collect()
}

fn hub_state() -> Hub {
    let hub = hub::Hub::from_env();
    let settings = hub.settings();
    let start = Instant::now();
    let asked = (!settings.offline).then(|| hub.reachable());
    let seconds = start.elapsed().as_secs_f64();
    Hub {
        endpoint: settings.endpoint.clone(),
        offline: settings.offline,
        token: settings.token.is_some(),
        reachable: asked.as_ref().map(std::result::Result::is_ok),
        seconds: asked.as_ref().and_then(|asked| asked.is_ok().then_some(seconds)),
        problem: asked.and_then(std::result::Result::err),
    }
}

fn cache() -> Cache {
    let dir = hub::Settings::from_env().cache_dir;
    let repositories = entries(&dir).filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("models--") || name.starts_with("datasets--")
    });
    let (repositories, bytes) =
        repositories.fold((0, 0), |(count, bytes), entry| (count + 1, bytes + size(&entry.path())));
    Cache { dir, repositories, bytes }
}

/// Bytes of the files below a folder. Snapshots are links to files that are counted where they are.
fn size(folder: &Path) -> u64 {
    let of = |entry: DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => size(&entry.path()),
        Ok(about) if about.is_file() => about.len(),
        _ => 0,
    };
    entries(folder).map(of).sum()
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    std::fs::read_dir(folder).into_iter().flatten().flatten()
}

fn experiments(global: &Global) -> File {
    match Experiments::open(global.experiments.as_deref()) {
        Ok(file) => File { path: file.path().map(PathBuf::from), count: file.names().len(), problem: None },
        Err(error) => File { path: global.experiments.clone(), count: 0, problem: Some(error.to_string()) },
    }
}

fn terminal() -> Terminal {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let size = terminal_size::terminal_size();
    let abilities = TerminalCaps::here();
    Terminal {
        interactive: std::io::stdin().is_terminal() && std::io::stdout().is_terminal(),
        colours: abilities.palette.colours(),
        name: variable("TERM"),
        unicode: abilities.letters == Charset::Unicode,
        background: abilities.background.map(|background| match background {
            Background::Dark => "dark",
            Background::Light => "light",
        }),
        columns: size.map(|(width, _)| width.0),
        rows: size.map(|(_, height)| height.0),
    }
}

impl Report {
    /// For people: a label and what there is to say, a line each.
    fn lines(&self) -> String {
        let mut rows = vec![
            vec!["glue-tui".into(), format!("{} on {}", self.version, self.system)],
            vec!["cpu".into(), self.cpu.line()],
        ];
        for device in &self.devices {
            rows.push(vec![format!("device {}", device.name), device.about.clone()]);
        }
        rows.push(vec!["precision".into(), self.precision.join(", ")]);
        rows.push(vec!["engine".into(), self.engines.join(", ")]);
        rows.push(vec!["hub".into(), self.hub.line()]);
        rows.push(vec![
            "cache".into(),
            format!(
                "{}, {} repositories, {}",
                self.cache.dir.display(),
                self.cache.repositories,
                format::bytes(self.cache.bytes)
            ),
        ]);
        rows.push(vec!["experiments".into(), self.experiments.line()]);
        rows.push(vec!["runs".into(), format!("{}, {} runs", self.runs.dir.display(), self.runs.count)]);
        rows.push(vec!["terminal".into(), self.terminal.line()]);
        output::table(&rows)
    }
}

impl Cpu {
    fn line(&self) -> String {
        let cores = self.cores.map_or(String::new(), |cores| format!("{cores} cores, "));
        format!(
            "{}, {}, {cores}{} threads, {} of {} memory free",
            self.model,
            self.instructions,
            self.threads,
            format::bytes(self.memory_available),
            format::bytes(self.memory)
        )
    }
}

impl Hub {
    fn line(&self) -> String {
        let token = if self.token { ", with a token" } else { "" };
        match (self.seconds, &self.problem) {
            _ if self.offline => format!("{} not asked: HF_HUB_OFFLINE is set{token}", self.endpoint),
            (Some(seconds), _) => format!("{} answered in {seconds:.2} s{token}", self.endpoint),
            (None, Some(problem)) => {
                format!(
                    "{} cannot be reached ({problem}); what is in the cache can be used{token}",
                    self.endpoint
                )
            }
            (None, None) => self.endpoint.clone(),
        }
    }
}

impl File {
    fn line(&self) -> String {
        let path = self.path.as_ref().map_or("the shipped copy".into(), |path| path.display().to_string());
        match &self.problem {
            Some(problem) => problem.replace('\n', "; "),
            None => format!("{path}, {} experiments", self.count),
        }
    }
}

impl Terminal {
    fn line(&self) -> String {
        let colours = match self.colours {
            0 => "no colours".to_owned(),
            16_777_216 => "true colour".to_owned(),
            n => format!("{n} colours"),
        };
        let size = match (self.columns, self.rows) {
            (Some(columns), Some(rows)) => format!("{columns}×{rows}"),
            _ => "no size".to_owned(),
        };
        let letters = if self.unicode { "Unicode (braille charts)" } else { "plain letters" };
        let name = self.name.as_deref().unwrap_or("no TERM");
        let background = self.background.map_or(String::new(), |which| format!(", {which} background"));
        let kind = if self.interactive { "" } else { ", not interactive" };
        format!("{name}, {size}, {colours}{background}, {letters}{kind}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn links_are_not_counted() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("blobs")).unwrap();
        std::fs::write(folder.path().join("blobs/1"), [0; 100]).unwrap();
        std::os::unix::fs::symlink("blobs/1", folder.path().join("link")).unwrap();
        assert_eq!(size(folder.path()), 100);
        assert_eq!(size(&folder.path().join("nothing")), 0);
    }

    #[test]
    fn an_unreachable_hub_says_what_still_works() {
        let hub = Hub {
            endpoint: "http://x".into(),
            offline: false,
            reachable: Some(false),
            seconds: None,
            problem: Some("connection refused".into()),
            token: true,
        };
        assert_eq!(
            hub.line(),
            "http://x cannot be reached (connection refused); what is in the cache can be used, with a token"
        );
    }
}
