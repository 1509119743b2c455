//! `doctor`: shows the environment: devices, precision, threads, hub, cache, terminal.

use super::args::GlobalArgs;
use super::output;
use crate::error::Result;
use crate::format;
use crate::machine::CudaInstallation;
use crate::spec::Experiments;
use crate::terminal_caps::{Background, Charset, TerminalCaps};
use crate::text::plural;
use crate::{hub, machine, nn, run};
use serde::Serialize;
use std::fs::DirEntry;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The environment.
#[derive(Debug, Serialize)]
struct Environment {
    version: &'static str,
    system: String,
    cpu: CpuInfo,
    devices: Vec<DeviceInfo>,
    cuda: CudaInfo,
    precision: &'static [&'static str],
    engines: &'static [&'static str],
    hub: HubInfo,
    cache: CacheInfo,
    experiments: ExperimentsInfo,
    runs: RunsInfo,
    terminal: TerminalInfo,
}

#[derive(Debug, Serialize)]
struct CpuInfo {
    model: String,
    /// Instruction set of the fast engine's kernels.
    instructions: &'static str,
    cores: Option<usize>,
    /// Default number of threads.
    threads: usize,
    /// Bytes.
    memory: u64,
    /// Bytes.
    memory_available: u64,
}

#[derive(Debug, Serialize)]
struct DeviceInfo {
    name: String,
    usable: bool,
    /// Its description, or why it cannot be used.
    about: String,
}

#[derive(Debug, Serialize)]
struct HubInfo {
    endpoint: String,
    offline: bool,
    /// `None` with `HF_HUB_OFFLINE`, which skips the request.
    reachable: Option<bool>,
    seconds: Option<f64>,
    problem: Option<String>,
    token: bool,
}

/// The CUDA build of this program, and what the machine has of CUDA.
#[derive(Debug, Serialize)]
struct CudaInfo {
    /// The version of the toolkit that this program is built with; `None` without CUDA.
    toolkit: Option<&'static str>,
    /// `None` on systems for which there is no CUDA build.
    #[serde(flatten)]
    installation: Option<CudaInstallation>,
}

#[derive(Debug, Serialize)]
struct CacheInfo {
    dir: PathBuf,
    repositories: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct ExperimentsInfo {
    /// The first file; `None` for the built-in copy.
    path: Option<PathBuf>,
    /// All files.
    paths: Vec<PathBuf>,
    count: usize,
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct RunsInfo {
    dir: PathBuf,
    count: usize,
    /// Why the directory cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct TerminalInfo {
    interactive: bool,
    name: Option<String>,
    /// Number of colors. Scripts know it by its British spelling.
    #[serde(rename = "colours")]
    colors: u32,
    unicode: bool,
    /// `None` when unknown.
    background: Option<&'static str>,
    columns: Option<u16>,
    rows: Option<u16>,
}

pub(super) fn doctor(global: &GlobalArgs) -> Result<()> {
    let environment = Environment {
        version: env!("CARGO_PKG_VERSION"),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        cpu: cpu(),
        devices: devices(),
        cuda: cuda(),
        precision: nn::precisions(),
        engines: nn::ENGINES,
        hub: hub_state(),
        cache: cache(),
        experiments: experiments(global),
        runs: runs(global),
        terminal: terminal(),
    };
    if global.json { output::json(&environment) } else { output::stdout_line(environment.text()) }
}

fn cpu() -> CpuInfo {
    let memory = machine::memory();
    CpuInfo {
        model: machine::cpu_model().unwrap_or_else(|| "unknown".into()),
        instructions: nn::instruction_set(),
        cores: machine::physical_cores(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        memory: memory.map_or(0, |memory| memory.total),
        memory_available: memory.map_or(0, |memory| memory.available),
    }
}

fn devices() -> Vec<DeviceInfo> {
    let device = |(name, opened): (String, std::result::Result<String, String>)| DeviceInfo {
        name,
        usable: opened.is_ok(),
        about: opened.unwrap_or_else(|why| why),
    };
    nn::devices().into_iter().map(device).collect()
}

/// CUDA builds are for Linux only.
fn cuda() -> CudaInfo {
    let toolkit = nn::cuda_toolkit();
    let installation = cfg!(target_os = "linux").then(|| CudaInstallation::find(toolkit));
    CudaInfo { toolkit, installation }
}

fn hub_state() -> HubInfo {
    let hub = hub::Hub::from_env();
    let settings = hub.config();
    let start = Instant::now();
    let response = (!settings.offline).then(|| hub.check_reachable());
    let seconds = start.elapsed().as_secs_f64();
    HubInfo {
        endpoint: settings.endpoint.clone(),
        offline: settings.offline,
        token: settings.token.is_some(),
        reachable: response.as_ref().map(std::result::Result::is_ok),
        seconds: response.as_ref().and_then(|response| response.is_ok().then_some(seconds)),
        problem: response.and_then(std::result::Result::err),
    }
}

fn cache() -> CacheInfo {
    let dir = hub::HubConfig::from_env().cache_dir;
    let repositories = entries(&dir).filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("models--") || name.starts_with("datasets--")
    });
    let (repositories, bytes) =
        repositories.fold((0, 0), |(count, bytes), entry| (count + 1, bytes + size(&entry.path())));
    CacheInfo { dir, repositories, bytes }
}

/// Total size of the files below a folder in bytes. Symbolic links, such as those of snapshots, are not counted.
fn size(folder: &Path) -> u64 {
    let entry_size = |entry: DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) if metadata.is_file() => metadata.len(),
        _ => 0,
    };
    entries(folder).map(entry_size).sum()
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    std::fs::read_dir(folder).into_iter().flatten().flatten()
}

fn experiments(global: &GlobalArgs) -> ExperimentsInfo {
    match Experiments::open(global.experiments.as_deref()) {
        Ok(file) => {
            let problems = file.errors();
            let problem = problems.first().map(|first| match problems.len() {
                1 => first.clone(),
                count => format!("{first} ({} more; see glue-tui check)", plural(count - 1, "error")),
            });
            let paths: Vec<PathBuf> = file.paths().map(PathBuf::from).collect();
            ExperimentsInfo { path: paths.first().cloned(), paths, count: file.names().len(), problem }
        }
        Err(error) => {
            let path = global.experiments.clone();
            let paths = path.iter().cloned().collect();
            ExperimentsInfo { path, paths, count: 0, problem: Some(error.to_string()) }
        }
    }
}

fn runs(global: &GlobalArgs) -> RunsInfo {
    let dir = global.runs_dir.clone();
    match run::list(&dir) {
        Ok(runs) => RunsInfo { dir, count: runs.len(), problem: None },
        Err(error) => RunsInfo { dir, count: 0, problem: Some(error.to_string()) },
    }
}

fn terminal() -> TerminalInfo {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let size = terminal_size::terminal_size();
    let caps = TerminalCaps::detect();
    TerminalInfo {
        interactive: std::io::stdin().is_terminal() && std::io::stdout().is_terminal(),
        colors: caps.color_depth.colors(),
        name: variable("TERM"),
        unicode: caps.charset == Charset::Unicode,
        background: caps.background.map(|background| match background {
            Background::Dark => "dark",
            Background::Light => "light",
        }),
        columns: size.map(|(width, _)| width.0),
        rows: size.map(|(_, height)| height.0),
    }
}

impl Environment {
    /// A table of one line per item.
    fn text(&self) -> String {
        let mut rows = vec![
            vec!["glue-tui".into(), format!("{} on {}", self.version, self.system)],
            vec!["cpu".into(), self.cpu.line()],
        ];
        for device in &self.devices {
            rows.push(vec![format!("device {}", device.name), device.about.clone()]);
        }
        rows.extend(self.cuda.line().map(|line| vec!["cuda".into(), line]));
        rows.push(vec!["precision".into(), self.precision.join(", ")]);
        rows.push(vec!["engine".into(), self.engines.join(", ")]);
        rows.push(vec!["hub".into(), self.hub.line()]);
        rows.push(vec![
            "cache".into(),
            format!(
                "{}, {}, {}",
                self.cache.dir.display(),
                counted(self.cache.repositories, "repository", "repositories"),
                format::bytes(self.cache.bytes)
            ),
        ]);
        rows.push(vec!["experiments".into(), self.experiments.line()]);
        rows.push(vec!["runs".into(), self.runs.line()]);
        rows.push(vec!["terminal".into(), self.terminal.line()]);
        output::table(&rows)
    }
}

impl CpuInfo {
    fn line(&self) -> String {
        let cores = self.cores.map_or(String::new(), |cores| counted(cores as u64, "core", "cores") + ", ");
        format!(
            "{}, {}, {cores}{}, {} of {} memory free",
            self.model,
            self.instructions,
            counted(self.threads as u64, "thread", "threads"),
            format::bytes(self.memory_available),
            format::bytes(self.memory)
        )
    }
}

impl CudaInfo {
    fn line(&self) -> Option<String> {
        let installation = self.installation.as_ref()?;
        let CudaInstallation { driver, nvcc, .. } = installation;
        let build = match (self.toolkit, nvcc) {
            (Some(toolkit), _) => format!("this program is built with CUDA {toolkit}"),
            (None, Some(nvcc)) => format!("this program is built without CUDA; nvcc {nvcc} can build it"),
            (None, None) => {
                "this program is built without CUDA, and a build needs nvcc, which was not found".into()
            }
        };
        let driver = match driver {
            Some(version) => format!("the driver supports CUDA {version}"),
            None => "no driver".into(),
        };
        let libraries = match installation.missing().as_slice() {
            [] => "all libraries found".to_owned(),
            missing => format!("missing libraries: {}", missing.join(", ")),
        };
        Some(format!("{build}; {driver}; {libraries}"))
    }
}

impl HubInfo {
    fn line(&self) -> String {
        let token = if self.token { ", with a token" } else { "" };
        match (self.seconds, &self.problem) {
            _ if self.offline => format!("{}, offline: HF_HUB_OFFLINE is set{token}", self.endpoint),
            (Some(seconds), _) => format!("{}, reachable in {seconds:.2} s{token}", self.endpoint),
            (None, Some(problem)) => {
                format!("{}, not reachable ({problem}); only the cache is available{token}", self.endpoint)
            }
            (None, None) => self.endpoint.clone(),
        }
    }
}

impl ExperimentsInfo {
    fn line(&self) -> String {
        let paths: Vec<String> = self.paths.iter().map(|path| path.display().to_string()).collect();
        let paths = if paths.is_empty() { "built-in".into() } else { paths.join(" and ") };
        match &self.problem {
            Some(problem) => problem.replace('\n', "; "),
            None => format!("{paths}, {}", counted(self.count as u64, "experiment", "experiments")),
        }
    }
}

impl RunsInfo {
    fn line(&self) -> String {
        match &self.problem {
            Some(problem) => problem.clone(),
            None => format!("{}, {}", self.dir.display(), counted(self.count as u64, "run", "runs")),
        }
    }
}

impl TerminalInfo {
    fn line(&self) -> String {
        let colors = match self.colors {
            0 => "no colors".to_owned(),
            16_777_216 => "true color".to_owned(),
            n => format!("{n} colors"),
        };
        let size = match (self.columns, self.rows) {
            (Some(columns), Some(rows)) => format!("{columns}×{rows}"),
            _ => "unknown size".to_owned(),
        };
        let charset = if self.unicode { "Unicode (braille charts)" } else { "ASCII" };
        let name = self.name.as_deref().unwrap_or("TERM is not set");
        let background = self.background.map_or(String::new(), |which| format!(", {which} background"));
        let kind = if self.interactive { "" } else { ", not interactive" };
        format!("{name}, {size}, {colors}{background}, {charset}{kind}")
    }
}

/// `1 run`, `2 runs`.
fn counted(number: u64, singular: &str, plural: &str) -> String {
    format!("{number} {}", if number == 1 { singular } else { plural })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::CudaLibrary;

    #[cfg(unix)]
    #[test]
    fn size_does_not_count_symlinks() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("blobs")).unwrap();
        std::fs::write(folder.path().join("blobs/1"), [0; 100]).unwrap();
        std::os::unix::fs::symlink("blobs/1", folder.path().join("link")).unwrap();
        assert_eq!(size(folder.path()), 100);
        assert_eq!(size(&folder.path().join("nothing")), 0);
    }

    #[test]
    fn cuda_line_says_what_a_build_and_a_start_lack() {
        let library = |name: &str, found| CudaLibrary { name: name.into(), found };
        let installation = |nvcc: Option<&str>, driver: Option<&str>, found| CudaInstallation {
            driver: driver.map(str::to_owned),
            nvcc: nvcc.map(str::to_owned),
            libraries: vec![library("libcuda.so.1", found), library("libcublas.so.13", found)],
        };
        let line = |toolkit, installation| {
            CudaInfo { toolkit, installation: Some(installation) }.line().expect("a line")
        };
        assert_eq!(
            line(None, installation(None, None, false)),
            "this program is built without CUDA, and a build needs nvcc, which was not found; no driver; missing \
             libraries: libcuda.so.1, libcublas.so.13"
        );
        assert_eq!(
            line(Some("13.0"), installation(None, Some("12.8"), true)),
            "this program is built with CUDA 13.0; the driver supports CUDA 12.8; all libraries found"
        );
        assert!(line(None, installation(Some("13.0"), None, true)).contains("nvcc 13.0 can build it"));
    }

    #[test]
    fn unreachable_hub_has_its_problem() {
        let hub = HubInfo {
            endpoint: "http://x".into(),
            offline: false,
            reachable: Some(false),
            seconds: None,
            problem: Some("connection refused".into()),
            token: true,
        };
        assert_eq!(
            hub.line(),
            "http://x, not reachable (connection refused); only the cache is available, with a token"
        );
    }
}
