//! The configuration of the hub, from the environment.

use crate::files::read_regular_to_string;
use std::path::PathBuf;
use std::time::Duration;

/// The configuration of the hub.
#[derive(Clone)]
pub struct HubConfig {
    /// Base URL without a trailing slash.
    pub endpoint: String,
    /// The folder of the cache.
    pub cache_dir: PathBuf,
    /// The access token. Sent to the hub, but not to hosts it redirects to.
    pub token: Option<String>,
    /// Whether the network is not used.
    pub offline: bool,
    /// A download that receives no data for this long is aborted and retried.
    pub read_timeout: Duration,
    /// The timeout of every other request.
    pub request_timeout: Duration,
    /// The maximum number of retries of a request after a temporary error.
    pub max_retries: usize,
    /// Bytes that a download leaves free on the disk of the cache.
    pub reserved_space: u64,
}

impl HubConfig {
    /// The configuration from the environment variables of the Hugging Face libraries: `HF_ENDPOINT`, `HF_HUB_CACHE`,
    /// `HF_HOME`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_DISABLE_IMPLICIT_TOKEN` and `HF_HUB_OFFLINE`.
    pub fn from_env() -> Self {
        HubConfig::from_lookup(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
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
            read_regular_to_string(&path).ok()
        });
        HubConfig {
            endpoint: get("HF_ENDPOINT")
                .map_or("https://huggingface.co".to_string(), |url| url.trim_end_matches('/').to_string()),
            cache_dir: cache_dir.map_or_else(|| home.join("hub"), PathBuf::from),
            token: token
                .map(|token| token.trim().to_string())
                .filter(|token| !token.is_empty() && !is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN")),
            offline: is_on("HF_HUB_OFFLINE"),
            read_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            max_retries: 3,
            reserved_space: 256 << 20,
        }
    }
}

impl HubConfig {
    /// `text` without the token, which a hub may repeat in a message.
    pub(super) fn redacted(&self, text: String) -> String {
        match &self.token {
            Some(token) => text.replace(token, "[token]"),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn environment_variables_are_those_of_hugging_face() {
        let with = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> =
                pairs.iter().map(|(a, b)| ((*a).to_string(), (*b).to_string())).collect();
            HubConfig::from_lookup(move |name| {
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
