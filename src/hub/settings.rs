//! Where the hub is and how to deal with it, as the environment says.

use std::path::PathBuf;
use std::time::Duration;

/// Where the hub is and how to deal with it.
#[derive(Clone)]
pub struct Settings {
    /// Base URL, without a slash at the end.
    pub endpoint: String,
    /// Folder of the cache.
    pub cache_dir: PathBuf,
    /// Sent to the hub, never to where it redirects.
    pub token: Option<String>,
    /// Never touch the network.
    pub offline: bool,
    /// A download without a byte for so long is given up, and tried again.
    pub stall: Duration,
    /// The same for every other request.
    pub head_timeout: Duration,
    /// How often a request that may succeed a moment later is made again.
    pub retries: usize,
}

impl Settings {
    /// What the environment says, by the names that the ecosystem's own tools use: `HF_ENDPOINT`,
    /// `HF_HUB_CACHE`, `HF_HOME`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_DISABLE_IMPLICIT_TOKEN`,
    /// `HF_HUB_OFFLINE`.
    pub fn from_env() -> Self {
        Settings::from_lookup(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Self {
        let is_on = |name: &str| {
            get(name).is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str()))
        };
        let user_cache = || match get("XDG_CACHE_HOME") {
            Some(folder) => PathBuf::from(folder),
            None => {
                PathBuf::from(get("HOME").or_else(|| get("USERPROFILE")).unwrap_or_default()).join(".cache")
            }
        };
        let home = get("HF_HOME").map_or_else(|| user_cache().join("huggingface"), PathBuf::from);
        let cache_dir = get("HF_HUB_CACHE").or_else(|| get("HUGGINGFACE_HUB_CACHE"));
        let token = get("HF_TOKEN").or_else(|| {
            let path = get("HF_TOKEN_PATH").map_or_else(|| home.join("token"), PathBuf::from);
            std::fs::read_to_string(path).ok()
        });
        Settings {
            endpoint: get("HF_ENDPOINT")
                .map_or("https://huggingface.co".to_string(), |url| url.trim_end_matches('/').to_string()),
            cache_dir: cache_dir.map_or_else(|| home.join("hub"), PathBuf::from),
            token: token
                .map(|token| token.trim().to_string())
                .filter(|token| !token.is_empty() && !is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN")),
            offline: is_on("HF_HUB_OFFLINE"),
            stall: Duration::from_secs(30),
            head_timeout: Duration::from_secs(10),
            retries: 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_environment_is_read_as_the_ecosystem_does() {
        let with = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> =
                pairs.iter().map(|(a, b)| ((*a).to_string(), (*b).to_string())).collect();
            Settings::from_lookup(move |name| {
                pairs.iter().find(|(key, _)| key == name).map(|(_, v)| v.clone())
            })
        };
        let plain = with(&[("HOME", "/nowhere")]);
        assert_eq!(plain.endpoint, "https://huggingface.co");
        assert_eq!(plain.cache_dir, Path::new("/nowhere/.cache/huggingface/hub"));
        assert!(plain.token.is_none() && !plain.offline);
        let set = with(&[
            ("HF_HOME", "/a"),
            ("HF_ENDPOINT", "http://localhost:1/"),
            ("HF_TOKEN", " secret\n"),
            ("HF_HUB_OFFLINE", "True"),
        ]);
        assert_eq!(set.cache_dir, Path::new("/a/hub"));
        assert_eq!((set.endpoint.as_str(), set.token.as_deref()), ("http://localhost:1", Some("secret")));
        assert!(set.offline && !with(&[("HF_HUB_OFFLINE", "0")]).offline);
        assert_eq!(with(&[("HF_HOME", "/a"), ("HF_HUB_CACHE", "/b")]).cache_dir, Path::new("/b"));
        assert_eq!(with(&[("XDG_CACHE_HOME", "/c")]).cache_dir, Path::new("/c/huggingface/hub"));
        assert!(with(&[("HF_TOKEN", "x"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token.is_none());
    }
}
