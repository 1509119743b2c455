//! What an upload is given, and what it returns.

/// How a folder is uploaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushOptions {
    /// Whether the repository is private if it is created.
    pub private: bool,
    /// The branch; `main` when absent. It is created unless it exists.
    pub revision: Option<String>,
    /// The title of the commit.
    pub message: String,
}

impl PushOptions {
    /// The upload of something of that name to the branch `main`, of a public repository if it is created.
    pub fn of(name: &str) -> PushOptions {
        PushOptions { private: false, revision: None, message: format!("Upload {name} with glue-tui") }
    }
}

/// A folder that is on the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The page of the repository, or of the branch.
    pub url: String,
    /// The new commit; `None` if the hub had all files already.
    pub commit: Option<String>,
    /// Files that were added or changed.
    pub files: usize,
}
