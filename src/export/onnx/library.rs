//! Where the library of ONNX Runtime can be: in a Python environment, which `pip install onnxruntime` adds it to, or in a
//! system folder.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The environment variable that names the library.
pub(super) const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

/// Folders of system libraries.
const SYSTEM_FOLDERS: [&str; 7] = [
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/opt/homebrew/lib",
    "/opt/onnxruntime/lib",
];

/// The libraries to try, the first of which that loads is used. With the environment variable it is the only one.
pub(super) fn candidates() -> Vec<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = set(LIBRARY_VARIABLE) {
        return vec![path];
    }
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(set);
    // The Python of the tests is not in PATH.
    let python = set("GLUE_TUI_PYTHON").filter(|_| cfg!(test));
    let tested = python.and_then(|python| Some(python.parent()?.parent()?.to_path_buf()));
    let environments = environments.chain(tested);
    let user = set("HOME").map(|home| home.join(".local"));
    let prefixes =
        environments.chain(python_prefixes()).chain(user).chain(["/usr/local", "/usr"].map(PathBuf::from));
    let packages = prefixes.flat_map(|prefix| packages(&prefix));
    let search_path = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        std::env::split_paths(&search_path).chain(SYSTEM_FOLDERS.map(PathBuf::from)).collect();
    let mut found: Vec<PathBuf> = packages.chain(folders).flat_map(|folder| libraries(&folder)).collect();
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|path| seen.insert(path.clone()));
    found
}

/// The prefixes of the Python programs in `PATH`: a program is in the folder `bin` of its prefix.
fn python_prefixes() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let has_python =
        |folder: &PathBuf| ["python3", "python", "python.exe"].iter().any(|name| folder.join(name).is_file());
    folders.into_iter().filter(has_python).filter_map(|folder| folder.parent().map(Path::to_path_buf))
}

/// The folders of the library in the Python packages below a prefix.
fn packages(prefix: &Path) -> Vec<PathBuf> {
    let library = Path::new("onnxruntime").join("capi");
    let mut sites = vec![prefix.join("Lib").join("site-packages")];
    for lib in ["lib", "lib64"] {
        for entry in entries(&prefix.join(lib)) {
            if name(&entry).starts_with("python3") {
                sites.push(entry.join("site-packages"));
                sites.push(entry.join("dist-packages"));
            }
        }
    }
    sites.into_iter().map(|site| site.join(&library)).collect()
}

/// The libraries of ONNX Runtime in a folder: `libonnxruntime.so`, `libonnxruntime.so.1.22.0`,
/// `libonnxruntime.1.22.0.dylib`, `onnxruntime.dll`.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let is_library = |path: &PathBuf| {
        let name = name(path);
        let is_unix = name.strip_prefix("libonnxruntime.").is_some_and(|rest| {
            rest == "so" || rest.starts_with("so.") || rest.rsplit('.').next() == Some("dylib")
        });
        is_unix || name == "onnxruntime.dll"
    };
    let mut found: Vec<PathBuf> = entries(folder).into_iter().filter(is_library).collect();
    found.sort();
    found
}

/// The paths in a folder; none if it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(OsStr::new("")).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_by_their_names() {
        let prefix = tempfile::tempdir().unwrap();
        let capi = prefix.path().join("lib/python3.12/site-packages/onnxruntime/capi");
        std::fs::create_dir_all(&capi).unwrap();
        for name in [
            "libonnxruntime.so.1.22.0",
            "libonnxruntime.1.22.0.dylib",
            "onnxruntime.dll",
            "libonnxruntime_providers_shared.so",
            "onnxruntime_pybind11_state.so",
        ] {
            std::fs::write(capi.join(name), "").unwrap();
        }
        let found: Vec<String> = packages(prefix.path())
            .iter()
            .flat_map(|folder| libraries(folder))
            .map(|path| name(&path))
            .collect();
        assert_eq!(found, ["libonnxruntime.1.22.0.dylib", "libonnxruntime.so.1.22.0", "onnxruntime.dll"]);
    }
}
