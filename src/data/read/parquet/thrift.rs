//! The compact protocol of Thrift, in which Parquet writes its headers.

/// The type of true, whose field has no bytes of its own.
pub(super) const TRUE: u8 = 1;
/// The type of false.
pub(super) const FALSE: u8 = 2;
/// The type of 32-bit integers.
pub(super) const I32: u8 = 5;
/// The type of lists.
pub(super) const LIST: u8 = 9;
/// The type of structs.
pub(super) const STRUCT: u8 = 12;

/// Maximum depth of nested values. Those of a footer have 8.
const MAX_DEPTH: u32 = 16;

/// A reader of the compact protocol.
pub(super) struct Compact<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) position: usize,
}

impl Compact<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.position).copied();
        self.position += 1;
        byte
    }

    /// The number and the type of the next field of a struct, after a field with the number `previous`, or 0 at the
    /// start. `Some(None)` at the end of the struct.
    #[expect(clippy::option_option, reason = "the outer option is a syntax error")]
    pub(super) fn field(&mut self, previous: i64) -> Option<Option<(i64, u8)>> {
        let byte = self.byte()?;
        let kind = byte & 0x0F;
        if kind == 0 {
            return Some(None);
        }
        let number = match byte >> 4 {
            0 => self.integer()?,
            difference => previous.checked_add(i64::from(difference))?,
        };
        Some(Some((number, kind)))
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number in zigzag notation.
    pub(super) fn integer(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// The number and the type of the elements of a list.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let count = if byte >> 4 == 15 { self.unsigned()? } else { u64::from(byte >> 4) };
        Some((count, byte & 0x0F))
    }

    fn skip_bytes(&mut self, count: u64) -> Option<()> {
        let end = self.position.checked_add(usize::try_from(count).ok()?)?;
        self.position = end;
        (end <= self.bytes.len()).then_some(())
    }

    /// Skips a value of type `kind` that is nested `depth` deep.
    pub(super) fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            // Booleans are in the type of their field.
            TRUE | FALSE => Some(()),
            3 => self.skip_bytes(1),
            4..=6 => self.unsigned().map(|_| ()),
            7 => self.skip_bytes(8),
            8 => {
                let length = self.unsigned()?;
                self.skip_bytes(length)
            }
            LIST | 10 => {
                let (count, kind) = self.list()?;
                for _ in 0..count {
                    // Booleans in a list have a byte each.
                    if matches!(kind, TRUE | FALSE) {
                        self.skip_bytes(1)?;
                    } else {
                        self.skip(kind, depth + 1)?;
                    }
                }
                Some(())
            }
            STRUCT => {
                let mut number = 0;
                while let Some((next, kind)) = self.field(number)? {
                    number = next;
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }
}
