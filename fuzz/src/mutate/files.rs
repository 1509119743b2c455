//! Several files in one input, as `head FILE...` prints them:
//!
//! ```text
//! ==> tokenizer.json <==
//! {"version": "1.0"}
//! ==> vocab.txt <==
//! [PAD]
//! ```
//!
//! The line end before a header belongs to the header.

use std::path::Path;

const START: &[u8] = b"==> ";
const END: &[u8] = b" <==";

/// A file of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File<'a> {
    /// Its relative path.
    pub name: &'a str,
    /// Its content.
    pub content: &'a [u8],
}

/// The files of an input. What precedes the first header is left out, and so are names that lead out of the folder.
pub fn split(input: &[u8]) -> impl Iterator<Item = File<'_>> {
    let mut files: Vec<(&str, usize, usize)> = Vec::new();
    let mut offset = 0usize;
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        if let Some(name) = header(line) {
            if let Some(last) = files.last_mut() {
                last.2 = offset.saturating_sub(1).max(last.1);
            }
            files.push((name, offset + line.len(), input.len()));
        }
        offset += line.len();
    }
    files.into_iter().filter_map(|(name, start, end)| Some(File { name, content: input.get(start..end)? }))
}

/// The reverse of [`split`].
pub fn join<'a>(files: impl Iterator<Item = File<'a>>) -> Vec<u8> {
    let mut input = Vec::new();
    for File { name, content } in files {
        if !input.is_empty() {
            input.push(b'\n');
        }
        input.extend_from_slice(START);
        input.extend_from_slice(name.as_bytes());
        input.extend_from_slice(END);
        input.push(b'\n');
        input.extend_from_slice(content);
    }
    input
}

/// Writes the files of an input into `folder`, which is emptied before. Returns their names.
pub fn write<'a>(folder: &Path, input: &'a [u8]) -> Vec<&'a str> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).expect("the folder can be created");
    let mut names = Vec::new();
    for File { name, content } in split(input) {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        // A name may be that of a folder, or a file may be where a folder is to be.
        if std::fs::create_dir_all(parent).is_ok() && std::fs::write(&path, content).is_ok() {
            names.push(name);
        }
    }
    names
}

/// The name in a header line.
fn header(line: &[u8]) -> Option<&str> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let name = std::str::from_utf8(line.strip_prefix(START)?.strip_suffix(END)?).ok()?;
    let is_valid = |part: &str| {
        (1..=64).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            && part.bytes().any(|byte| byte != b'.')
    };
    (name.split('/').count() <= 4 && name.split('/').all(is_valid)).then_some(name)
}
