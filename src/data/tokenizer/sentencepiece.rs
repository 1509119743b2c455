//! Reads the models of SentencePiece: files of protocol buffers with the pieces of a vocabulary
//! (`sentencepiece_model.proto`, <https://github.com/google/sentencepiece>).

use super::protobuf::{Field, for_each_field};
use crate::text::plural;
use serde_json::{Value, json};

/// The longest piece in bytes. SentencePiece makes pieces of 16 characters; symbols that a person defines are longer.
const MAX_PIECE: usize = 1000;
/// The largest number of pieces, ten times that of the largest vocabulary in use.
const MAX_PIECES: usize = 3_000_000;
/// The largest size of all pieces in bytes, four times that of the largest vocabulary in use. The tree of the pieces takes some
/// hundred bytes for each.
const MAX_TEXT: usize = 8 << 20;

/// A model of SentencePiece.
#[derive(Debug, PartialEq)]
pub(super) struct SentencePieceModel {
    pub(super) pieces: Vec<Piece>,
    /// The compiled map of characters of the normalizer, or empty.
    pub(super) charsmap: Vec<u8>,
    pub(super) model_type: ModelType,
    /// Whether a character without a piece becomes the pieces of its bytes.
    pub(super) byte_fallback: bool,
    pub(super) unk: SpecialPiece,
    pub(super) bos: SpecialPiece,
    pub(super) eos: SpecialPiece,
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

/// How a text is split into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModelType {
    Unigram,
    Bpe,
    Word,
    Char,
}

/// A piece with a role that the trainer was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpecialPiece {
    /// `None` for a role without a piece.
    pub(super) id: Option<usize>,
    pub(super) text: String,
}

impl SentencePieceModel {
    /// Parses a model. The error is a clause.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let special = |id, text: &str| SpecialPiece { id: Some(id), text: text.into() };
        let mut model = SentencePieceModel {
            pieces: Vec::new(),
            charsmap: Vec::new(),
            model_type: ModelType::Unigram,
            byte_fallback: false,
            unk: special(0, "<unk>"),
            bos: special(1, "<s>"),
            eos: special(2, "</s>"),
        };
        for_each_field(bytes, |number, field| {
            match (number, field) {
                (1, Field::Bytes(piece)) => model.add(Piece::parse(piece)?)?,
                (2, Field::Bytes(trainer)) => model.read_trainer(trainer)?,
                (3, Field::Bytes(normalizer)) => model.charsmap = charsmap(normalizer)?,
                _ => {}
            }
            Ok(())
        })?;
        match model.pieces.iter().map(|piece| piece.text.len()).sum::<usize>() {
            _ if model.pieces.is_empty() => Err("has no pieces".into()),
            size if size > MAX_TEXT => Err(format!("has pieces of {size} bytes, more than {MAX_TEXT}")),
            _ => Ok(model),
        }
    }

    fn add(&mut self, piece: Piece) -> Result<(), String> {
        if self.pieces.len() == MAX_PIECES {
            return Err(format!("has more than {MAX_PIECES} pieces"));
        }
        self.pieces.push(piece);
        Ok(())
    }

    /// Reads a `TrainerSpec`.
    fn read_trainer(&mut self, trainer: &[u8]) -> Result<(), String> {
        // An id is a 32-bit number; a negative one stands for none.
        let id = |value: u64| usize::try_from(value).ok().filter(|id| i32::try_from(*id).is_ok());
        for_each_field(trainer, |number, field| {
            match (number, field) {
                (3, Field::Varint(1)) => self.model_type = ModelType::Unigram,
                (3, Field::Varint(2)) => self.model_type = ModelType::Bpe,
                (3, Field::Varint(3)) => self.model_type = ModelType::Word,
                (3, Field::Varint(4)) => self.model_type = ModelType::Char,
                (3, Field::Varint(other)) => return Err(format!("has the unknown model_type {other}")),
                (35, Field::Varint(flag)) => self.byte_fallback = flag != 0,
                (40, Field::Varint(value)) => self.unk.id = id(value),
                (41, Field::Varint(value)) => self.bos.id = id(value),
                (42, Field::Varint(value)) => self.eos.id = id(value),
                (45, Field::Bytes(piece)) => self.unk.text = text(piece)?,
                (46, Field::Bytes(piece)) => self.bos.text = text(piece)?,
                (47, Field::Bytes(piece)) => self.eos.text = text(piece)?,
                _ => {}
            }
            Ok(())
        })
    }

    /// The pieces as the vocabulary of a Unigram tokenizer.json.
    pub(super) fn vocab(&self) -> impl Iterator<Item = Value> {
        self.pieces.iter().map(|piece| json!([piece.text, piece.score]))
    }
}

impl Piece {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut piece = Piece { text: String::new(), score: 0.0, kind: PieceKind::Normal };
        for_each_field(bytes, |number, field| {
            match (number, field) {
                (1, Field::Bytes(bytes)) => piece.text = text(bytes)?,
                (2, Field::Fixed32(score)) => piece.score = f32::from_le_bytes(score),
                (3, Field::Varint(3)) => piece.kind = PieceKind::Control,
                (3, Field::Varint(4)) => piece.kind = PieceKind::UserDefined,
                _ => {}
            }
            Ok(())
        })?;
        if !piece.score.is_finite() {
            return Err(format!("has a score of {} for {:?}", piece.score, piece.text));
        }
        Ok(piece)
    }
}

/// The text of a piece.
fn text(bytes: &[u8]) -> Result<String, String> {
    if bytes.len() > MAX_PIECE {
        return Err(format!("has a piece of {}, more than {MAX_PIECE}", plural(bytes.len(), "byte")));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| format!("has a piece that is not UTF-8 text: {e}"))?;
    Ok(text.to_owned())
}

/// `precompiled_charsmap` of a normalizer.
fn charsmap(normalizer: &[u8]) -> Result<Vec<u8>, String> {
    let mut map = Vec::new();
    for_each_field(normalizer, |number, field| {
        if let (2, Field::Bytes(found)) = (number, field) {
            map = found.to_vec();
        }
        Ok(())
    })?;
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces "a" (score −1.5), "<s>" (control) and "x y" (user defined), a trainer of BPE with byte fallback, the
    /// unknown piece "?" of id 7 and no first piece (id −1), and a map.
    const MODEL: &[u8] =
        b"\x0a\x08\x0a\x01a\x15\x00\x00\xc0\xbf\x0a\x0c\x0a\x03<s>\x15\x00\x00\x00\x00\x18\x03\
        \x0a\x07\x0a\x03x y\x18\x04\x12\x18\x18\x02\x98\x02\x01\xc0\x02\x07\xc8\x02\xff\xff\xff\xff\xff\xff\xff\
        \xff\xff\x01\xea\x02\x01?\x1a\x0a\x0a\x03abc\x12\x03\x01\x02\x03";

    #[test]
    fn pieces_trainer_and_map_are_read() {
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
        assert_eq!((model.model_type, model.byte_fallback), (ModelType::Bpe, true));
        assert_eq!(model.unk, SpecialPiece { id: Some(7), text: "?".into() });
        assert_eq!(model.bos, SpecialPiece { id: None, text: "<s>".into() });
        assert_eq!(model.eos, SpecialPiece { id: Some(2), text: "</s>".into() });
        assert_eq!(model.charsmap, [1, 2, 3]);
    }

    #[test]
    fn damage_is_an_error() {
        for end in 0..MODEL.len() {
            // A prefix is damaged, or a shorter model.
            if let Ok(model) = SentencePieceModel::parse(&MODEL[..end]) {
                assert!(model.pieces.len() <= 3);
            }
        }
        let piece = |text: &[u8]| {
            let mut bytes = vec![0x0a, 0xec, 0x07, 0x0a, 0xe9, 0x07];
            bytes.extend(text);
            bytes
        };
        for (bytes, word) in [
            (&b""[..], "no pieces"),
            (b"text", "damaged"),
            (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "damaged"),
            (b"\x0a\x03\x0a\x01\xff", "UTF-8"),
            (b"\x0a\x08\x0a\x01a\x15\x00\x00\xc0\x7f", "score of NaN"),
            (b"\x12\x02\x18\x09", "model_type 9"),
            (&piece(&[b'a'; 1001]), "1001 bytes"),
        ] {
            let error = SentencePieceModel::parse(bytes).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
