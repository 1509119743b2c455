//! Mutations of JSON and TOML documents as trees.

use super::bytes;
use super::rng::Rng;
use serde_json::{Map, Value, json};

/// Numbers at the limits of the types that readers use.
const INTEGERS: [i64; 16] = [
    0,
    1,
    -1,
    2,
    7,
    255,
    256,
    65_535,
    65_536,
    i32::MAX as i64,
    i32::MAX as i64 + 1,
    u32::MAX as i64,
    1 << 40,
    1 << 53,
    i64::MAX,
    i64::MIN,
];
const REALS: [f64; 8] = [0.5, -0.5, 1.5, 1e-320, 1e-30, 1e30, f64::MAX, -f64::MAX];
const TEXTS: [&str; 14] =
    ["", " ", "a", "1", "1.0", "-0", "true", "null", "\0", "\n", "é", "\u{202e}", "😀", "../x"];
/// The nesting of a value that is wrapped, at most.
const MAX_DEPTH: usize = 200;

pub(super) fn json(input: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(input).ok()?;
    edit(&mut value, rng);
    if rng.one_in(2) { serde_json::to_vec(&value) } else { serde_json::to_vec_pretty(&value) }.ok()
}

/// Mutates one line, or removes, repeats or moves one.
pub(super) fn json_lines(input: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let at = rng.below(lines.len());
    let to = rng.below(lines.len());
    match rng.below(8) {
        0 if lines.len() > 1 => {
            lines.remove(at);
        }
        1 if !lines.is_empty() => lines.insert(to, lines[at].clone()),
        2 if !lines.is_empty() => lines.swap(at, to),
        _ => {
            if let Some(line) = lines.get_mut(at) {
                let text = line.strip_suffix(b"\n").unwrap_or(line);
                let mut mutated = if let Ok(mut value) = serde_json::from_slice(text) {
                    edit(&mut value, rng);
                    value.to_string().into_bytes()
                } else {
                    bytes(text, rng)
                };
                mutated.push(b'\n');
                *line = mutated;
            }
        }
    }
    lines.concat()
}

pub(super) fn toml(input: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut value: Value = toml::from_str(std::str::from_utf8(input).ok()?).ok()?;
    edit(&mut value, rng);
    remove_nulls(&mut value);
    toml::to_string(&value).ok().map(String::into_bytes)
}

/// TOML has no null.
fn remove_nulls(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(remove_nulls);
        }
        Value::Object(entries) => {
            entries.retain(|_, item| !item.is_null());
            entries.values_mut().for_each(remove_nulls);
        }
        _ => {}
    }
}

/// Changes one to three values of a document.
fn edit(root: &mut Value, rng: &mut Rng) {
    for _ in 0..=rng.below(3) {
        let count = count(root);
        let donor = nth(root, &mut rng.below(count)).map(|value| value.clone());
        if let Some(value) = nth(root, &mut rng.below(count)) {
            edit_value(value, donor.unwrap_or_default(), rng);
        }
    }
}

fn edit_value(value: &mut Value, donor: Value, rng: &mut Rng) {
    match rng.below(8) {
        0 => *value = interesting(rng),
        1 => *value = donor,
        2 => {
            for _ in 0..=if rng.one_in(8) { rng.below(MAX_DEPTH) } else { 0 } {
                let inner = value.take();
                *value = if rng.one_in(2) { json!([inner]) } else { json!({ "a": inner }) };
            }
        }
        _ => edit_content(value, donor, rng),
    }
}

fn edit_content(value: &mut Value, donor: Value, rng: &mut Rng) {
    match value {
        Value::Null => *value = interesting(rng),
        Value::Bool(is_set) => *is_set = !*is_set,
        Value::Number(number) => {
            let changed = number.as_i64().map(|number| match rng.below(6) {
                0 => json!(number.wrapping_add(1)),
                1 => json!(number.wrapping_sub(1)),
                2 => json!(number.wrapping_neg()),
                3 => json!(number.wrapping_mul(1 << rng.below(40))),
                4 => json!(number as f64),
                _ => json!(number / 2),
            });
            *value = changed.unwrap_or_else(|| interesting(rng));
        }
        Value::String(text) => {
            *text = match rng.below(4) {
                0 => text.repeat(1 + rng.below(20)),
                1 => (*rng.pick(&TEXTS).unwrap_or(&"")).to_owned(),
                _ => String::from_utf8_lossy(&bytes(text.as_bytes(), rng)).into_owned(),
            };
        }
        Value::Array(items) => edit_array(items, donor, rng),
        Value::Object(entries) => edit_object(entries, donor, rng),
    }
}

fn edit_array(items: &mut Vec<Value>, donor: Value, rng: &mut Rng) {
    let (at, to) = (rng.below(items.len()), rng.below(items.len()));
    match rng.below(4) {
        0 if !items.is_empty() => drop(items.remove(at)),
        1 if !items.is_empty() => {
            for _ in 0..=rng.below(8) {
                items.insert(to, items[at].clone());
            }
        }
        2 if !items.is_empty() => items.swap(at, to),
        _ => items.insert(at, donor),
    }
}

fn edit_object(entries: &mut Map<String, Value>, donor: Value, rng: &mut Rng) {
    let keys: Vec<String> = entries.keys().cloned().collect();
    let key = rng.pick(&keys).cloned().unwrap_or_default();
    match rng.below(3) {
        0 => drop(entries.shift_remove(&key)),
        1 => {
            let name = String::from_utf8_lossy(&bytes(key.as_bytes(), rng)).into_owned();
            let value = if rng.one_in(2) { donor } else { entries.get(&key).cloned().unwrap_or(donor) };
            entries.insert(name, value);
        }
        _ => {
            let other = rng.pick(&keys).and_then(|key| entries.get(key)).cloned().unwrap_or(donor);
            entries.insert(key, other);
        }
    }
}

fn interesting(rng: &mut Rng) -> Value {
    match rng.below(8) {
        0 => Value::Null,
        1 => json!(rng.one_in(2)),
        2 => json!([]),
        3 => json!({}),
        4 => json!(rng.pick(&TEXTS)),
        5 => json!(rng.pick(&REALS)),
        6 if rng.one_in(4) => json!(u64::MAX),
        _ => json!(rng.pick(&INTEGERS)),
    }
}

/// The number of values in a document.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(entries) => entries.values().map(count).sum(),
        _ => 0,
    }
}

/// The value with the number `index` in the order of the document.
fn nth<'a>(value: &'a mut Value, index: &mut usize) -> Option<&'a mut Value> {
    if *index == 0 {
        return Some(value);
    }
    *index -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, index)),
        Value::Object(entries) => entries.values_mut().find_map(|item| nth(item, index)),
        _ => None,
    }
}
