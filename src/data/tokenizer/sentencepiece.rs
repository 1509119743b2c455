//! Reads the models of SentencePiece: files of protocol buffers with the pieces of a vocabulary
//! (`sentencepiece_model.proto`, <https://github.com/google/sentencepiece>).

use serde_json::{Value, json};

/// A model of SentencePiece.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SentencePieceModel {
    pub(super) pieces: Vec<Piece>,
    /// The compiled map of characters of the normalizer, or empty.
    pub(super) charsmap: Vec<u8>,
}

/// A piece of the vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) kind: PieceKind,
}

/// What a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// Part of a text, the token for unknown words, or another piece that is not added to the text.
    Normal,
    /// A special token.
    Control,
    /// A text that is always one token.
    UserDefined,
}

/// A field of a message.
enum Field<'b> {
    Varint(u64),
    Fixed32([u8; 4]),
    Bytes(&'b [u8]),
    /// Of a type that no field here has.
    Other,
}

impl SentencePieceModel {
    /// Parses a model. The error is a clause.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut model = SentencePieceModel::default();
        let mut rest = bytes;
        while let Some((number, field)) = next_field(&mut rest)? {
            match (number, field) {
                (1, Field::Bytes(piece)) => model.pieces.push(Piece::parse(piece)?),
                (3, Field::Bytes(normalizer)) => model.charsmap = charsmap(normalizer)?,
                _ => {}
            }
        }
        if model.pieces.is_empty() { Err("has no pieces".into()) } else { Ok(model) }
    }

    /// The pieces as the vocabulary of a Unigram tokenizer.json.
    pub(super) fn vocab(&self) -> impl Iterator<Item = Value> {
        self.pieces.iter().map(|piece| json!([piece.text, piece.score]))
    }
}

impl Piece {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut piece = Piece { text: String::new(), score: 0.0, kind: PieceKind::Normal };
        let mut rest = bytes;
        while let Some((number, field)) = next_field(&mut rest)? {
            match (number, field) {
                (1, Field::Bytes(text)) => {
                    let text = std::str::from_utf8(text).map_err(|e| format!("has a piece that is {e}"))?;
                    text.clone_into(&mut piece.text);
                }
                (2, Field::Fixed32(score)) => piece.score = f32::from_le_bytes(score),
                (3, Field::Varint(3)) => piece.kind = PieceKind::Control,
                (3, Field::Varint(4)) => piece.kind = PieceKind::UserDefined,
                _ => {}
            }
        }
        if piece.score.is_finite() {
            Ok(piece)
        } else {
            Err(format!("has a score of {} for {:?}", piece.score, piece.text))
        }
    }
}

/// `precompiled_charsmap` of a normalizer.
fn charsmap(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (mut map, mut rest) = (Vec::new(), bytes);
    while let Some((number, field)) = next_field(&mut rest)? {
        if let (2, Field::Bytes(found)) = (number, field) {
            map = found.to_vec();
        }
    }
    Ok(map)
}

/// The next field and its number; `None` at the end.
fn next_field<'b>(rest: &mut &'b [u8]) -> Result<Option<(u64, Field<'b>)>, String> {
    if rest.is_empty() {
        return Ok(None);
    }
    let tag = varint(rest)?;
    let field = match tag & 7 {
        0 => Field::Varint(varint(rest)?),
        1 => {
            take(rest, 8)?;
            Field::Other
        }
        2 => {
            let length = usize::try_from(varint(rest)?).unwrap_or(usize::MAX);
            Field::Bytes(take(rest, length)?)
        }
        5 => {
            let bytes = take(rest, 4)?;
            bytes.try_into().map_or(Field::Other, Field::Fixed32)
        }
        _ => return Err(damaged()),
    };
    Ok(Some((tag >> 3, field)))
}

/// A number of seven bits in each byte, the lowest first; the highest bit says that another byte follows.
fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(damaged())
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Result<&'b [u8], String> {
    let (taken, left) = rest.split_at_checked(length).ok_or_else(damaged)?;
    *rest = left;
    Ok(taken)
}

fn damaged() -> String {
    "is damaged or no model of SentencePiece".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces "a" (score −1.5), "<s>" (control) and "x y" (user defined), a field that is skipped, and a map.
    const MODEL: &[u8] =
        b"\x0a\x08\x0a\x01a\x15\x00\x00\xc0\xbf\x0a\x0c\x0a\x03<s>\x15\x00\x00\x00\x00\x18\x03\
        \x0a\x07\x0a\x03x y\x18\x04\x12\x02\x18\x01\x1a\x0a\x0a\x03abc\x12\x03\x01\x02\x03";

    #[test]
    fn pieces_and_map_are_read_and_damage_is_an_error() {
        let model = SentencePieceModel::parse(MODEL).unwrap();
        let pieces: Vec<_> = model.pieces.iter().map(|p| (p.text.as_str(), p.score, p.kind)).collect();
        assert_eq!(
            pieces,
            [
                ("a", -1.5, PieceKind::Normal),
                ("<s>", 0.0, PieceKind::Control),
                ("x y", 0.0, PieceKind::UserDefined)
            ]
        );
        assert_eq!(model.charsmap, [1, 2, 3]);
        for end in 0..MODEL.len() {
            // A prefix is damaged, or a shorter model.
            if let Ok(model) = SentencePieceModel::parse(&MODEL[..end]) {
                assert!(model.pieces.len() <= 3);
            }
        }
        assert!(SentencePieceModel::parse(b"").is_err() && SentencePieceModel::parse(b"text").is_err());
        assert!(
            SentencePieceModel::parse(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])
                .is_err()
        );
    }
}
