//! Paths that begin with `~`, the home directory of the user.

use std::path::{Path, PathBuf};

/// A path with `~` replaced by the home directory of the user.
pub fn expand_home(path: &str) -> PathBuf {
    expand(path, std::env::home_dir())
}

fn expand(path: &str, home: Option<PathBuf>) -> PathBuf {
    match (path.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home,
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(path),
    }
}

/// A path as text, with `~` in place of the home directory of the user.
pub fn collapse_home(path: &Path) -> String {
    collapse(path, std::env::home_dir())
}

fn collapse(path: &Path, home: Option<PathBuf>) -> String {
    let home = home.filter(|home| home.parent().is_some());
    match home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_path_buf)) {
        Some(rest) if rest.as_os_str().is_empty() => "~".into(),
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_leading_tilde_is_the_home_directory() {
        let home = || Some(PathBuf::from("/home/a"));
        for (typed, path) in [
            ("~", "/home/a"),
            ("~/", "/home/a/"),
            ("~/data/x.csv", "/home/a/data/x.csv"),
            ("~//x", "/home/a/x"),
            ("~b/x", "~b/x"),
            ("a/~/x", "a/~/x"),
            ("./~", "./~"),
            ("", ""),
        ] {
            assert_eq!(expand(typed, home()), PathBuf::from(path), "{typed}");
        }
        assert_eq!(expand("~/x", None), PathBuf::from("~/x"));
        assert_eq!(collapse(Path::new("/home/a/x"), home()), "~/x");
        assert_eq!(collapse(Path::new("/home/ab"), home()), "/home/ab");
        assert_eq!(collapse(Path::new("/x"), Some("/".into())), "/x");
    }
}
