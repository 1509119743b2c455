//! The compiled maps of characters in normalizers (`precompiled_charsmap` of SentencePiece): the number of bytes of a trie,
//! the trie, and the replacements, each with a zero byte at its end.

use serde_json::Value;
use tokenizers::NormalizerWrapper;
use tokenizers::normalizers::Precompiled;

/// The longest text in bytes that a normalizer may make of one character.
const MAX_GROWTH: usize = 1000;

/// The normalizer with the map of a model of SentencePiece, as tokenizer.json has it; null for an empty map. The error is
/// a sentence.
pub(super) fn normalizer(map: &[u8]) -> Result<Value, String> {
    if map.is_empty() {
        return Ok(Value::Null);
    }
    let invalid = |e: &dyn std::fmt::Display| format!("the map of characters cannot be used: {e}");
    longest_replacement(map).and_then(check_growth).map_err(|e| invalid(&e))?;
    let map = Precompiled::from(map).map_err(|e| invalid(&e))?;
    serde_json::to_value(NormalizerWrapper::from(map)).map_err(|e| invalid(&e))
}

/// Rejects a normalizer of tokenizer.json that could turn a short text into one that does not fit in memory. The error is
/// a sentence.
pub(super) fn check_normalizer(normalizer: &Value) -> Result<(), String> {
    let problem = |e: String| format!("the normalizer in tokenizer.json cannot be used: {e}");
    growth(normalizer).and_then(check_growth).map_err(problem)
}

/// The longest text that a normalizer makes of one character, or more.
fn growth(normalizer: &Value) -> Result<usize, String> {
    let parts = normalizer.get("normalizers").and_then(Value::as_array);
    let mut parts = parts.into_iter().flatten().map(growth);
    let of_parts =
        parts.try_fold(1, |product: usize, part| Ok::<_, String>(product.saturating_mul(part?)))?;
    let content = normalizer.get("content").and_then(Value::as_str).map_or(1, str::len);
    let map = match normalizer.get("precompiled_charsmap").and_then(Value::as_str) {
        Some(map) => longest_replacement(&decode_base64(map).ok_or("precompiled_charsmap is not base64")?)?,
        None => 1,
    };
    Ok(of_parts.saturating_mul(content.max(1)).saturating_mul(map.max(1)))
}

fn check_growth(growth: usize) -> Result<(), String> {
    if growth > MAX_GROWTH {
        return Err(format!(
            "its replacement rules can make a text {growth} times as long, and the limit is {MAX_GROWTH} times"
        ));
    }
    Ok(())
}

/// The number of bytes of the longest replacement. The crate that reads the map allocates memory for the size that the map
/// states, before it compares it with the map.
fn longest_replacement(map: &[u8]) -> Result<usize, String> {
    let damaged = || "precompiled_charsmap is damaged".to_owned();
    let (size, rest) = map.split_first_chunk().ok_or_else(damaged)?;
    let size = usize::try_from(u32::from_le_bytes(*size)).map_err(|_| damaged())?;
    let (trie, replacements) = rest.split_at_checked(size).ok_or_else(damaged)?;
    if trie.is_empty() || size % 4 != 0 {
        return Err(damaged());
    }
    Ok(replacements.split(|byte| *byte == 0).map(<[u8]>::len).max().unwrap_or_default())
}

/// Base64 with padding (RFC 4648). `None` for another text.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').bytes().map(|byte| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    });
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits {
        bits = bits << 6 | u32::from(digit?);
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push((bits >> count & 0xff) as u8);
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A map with a trie of one node and these replacements.
    fn map(replacements: &str) -> Vec<u8> {
        [&4_u32.to_le_bytes()[..], &[0; 4], replacements.as_bytes()].concat()
    }

    #[test]
    fn the_longest_replacement_limits_a_map() {
        assert_eq!(longest_replacement(&map("ab\0cde\0f\0")), Ok(3));
        assert!(normalizer(&map("ab\0")).unwrap()["precompiled_charsmap"].is_string());
        assert_eq!(normalizer(&[]), Ok(Value::Null));
        assert!(normalizer(&map(&"a".repeat(1001))).unwrap_err().contains("1001 times"));
    }

    #[test]
    fn a_size_that_is_not_that_of_the_map_is_damage() {
        for damaged in
            [&[1, 0][..], &u32::MAX.to_le_bytes(), &[0; 4], &[3, 0, 0, 0, 1, 2, 3], &[8, 0, 0, 0, 1, 2]]
        {
            assert!(normalizer(damaged).unwrap_err().contains("damaged"), "{damaged:?}");
        }
    }

    #[test]
    fn maps_in_tokenizer_json_are_checked_too() {
        let found = normalizer(&map("ab\0cde\0")).unwrap();
        assert_eq!(growth(&found), Ok(3));
        let twice =
            json!({"type": "Sequence", "normalizers": [found, {"type": "Replace", "content": "1234"}]});
        assert_eq!(growth(&twice), Ok(12));
        assert_eq!(check_normalizer(&Value::Null), Ok(()));
        for text in ["/////w==", "?"] {
            let damaged = json!({"type": "Precompiled", "precompiled_charsmap": text});
            assert!(check_normalizer(&damaged).unwrap_err().contains("precompiled_charsmap"), "{text}");
        }
    }

    #[test]
    fn base64_equals_that_of_the_crate() {
        for length in 0..20_u8 {
            let bytes: Vec<u8> = (0..length).map(|index| index.wrapping_mul(97).wrapping_add(200)).collect();
            let map = [map("").as_slice(), &bytes].concat();
            let Ok(found) = Precompiled::from(&map) else { continue };
            let found = serde_json::to_value(NormalizerWrapper::from(found)).unwrap();
            assert_eq!(decode_base64(found["precompiled_charsmap"].as_str().unwrap()), Some(map));
        }
        assert_eq!(decode_base64("YWJj"), Some(b"abc".to_vec()));
        assert_eq!(decode_base64("YWI="), Some(b"ab".to_vec()));
        assert_eq!(decode_base64("YQ=="), Some(b"a".to_vec()));
    }
}
