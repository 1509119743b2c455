//! Mutations that know the format of the input. A quarter of all mutations, and those of an input that is not of the
//! format, are libFuzzer's own.

mod binary;
pub mod files;
mod rng;
mod tree;

use files::File;
use rng::Rng;

/// The format of the input of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// No known structure.
    Bytes,
    /// A JSON value.
    Json,
    /// A JSON value on each line.
    JsonLines,
    /// A TOML document.
    Toml,
    /// A safetensors file.
    Safetensors,
    /// A zip archive.
    Zip,
    /// A Parquet file.
    Parquet,
    /// Several named files, see [`files`].
    Files,
}

impl Format {
    /// The format that the extension of a file name announces.
    fn of_name(name: &str) -> Format {
        match name.rsplit('.').next() {
            Some("json") => Format::Json,
            Some("jsonl" | "ndjson") => Format::JsonLines,
            Some("toml") => Format::Toml,
            Some("safetensors") => Format::Safetensors,
            Some("bin") => Format::Zip,
            Some("parquet") => Format::Parquet,
            _ => Format::Bytes,
        }
    }
}

/// Mutates the first `size` bytes of `data`, which has space for `max_size`. Returns the new size.
pub fn mutate(format: Format, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut rng = Rng::new(seed);
    if !rng.one_in(4)
        && let Some(mutated) = data.get(..size).and_then(|input| structured(format, input, &mut rng))
        && !mutated.is_empty()
        && mutated.len() <= max_size
        && let Some(target) = data.get_mut(..mutated.len())
    {
        target.copy_from_slice(&mutated);
        return mutated.len();
    }
    libfuzzer_sys::fuzzer_mutate(data, size, max_size)
}

fn structured(format: Format, input: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    match format {
        Format::Bytes => Some(bytes(input, rng)),
        Format::Json => tree::json(input, rng),
        Format::JsonLines => Some(tree::json_lines(input, rng)),
        Format::Toml => tree::toml(input, rng),
        Format::Safetensors => binary::safetensors(input, rng),
        Format::Zip => binary::zip(input, rng),
        Format::Parquet => binary::parquet(input, rng),
        Format::Files => named_files(input, rng),
    }
}

/// Mutates one of the files of an input.
fn named_files(input: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut all: Vec<(String, Vec<u8>)> =
        files::split(input).map(|File { name, content }| (name.to_owned(), content.to_vec())).collect();
    let at = rng.below(all.len());
    let (name, content) = all.get_mut(at)?;
    *content = structured(Format::of_name(name), content, rng).unwrap_or_else(|| bytes(content, rng));
    Some(files::join(all.iter().map(|(name, content)| File { name, content })))
}

/// libFuzzer's mutation of a part of an input.
fn bytes(input: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut buffer = input.to_vec();
    buffer.resize(input.len() + 1 + rng.below(64), 0);
    let max_size = buffer.len();
    let size = libfuzzer_sys::fuzzer_mutate(&mut buffer, input.len(), max_size);
    buffer.truncate(size);
    buffer
}
