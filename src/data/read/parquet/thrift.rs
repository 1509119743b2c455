//! The compact protocol of Thrift, in which Parquet writes its headers.

/// The type of true, whose field has no bytes of its own.
pub(super) const TRUE: u8 = 1;
/// The type of false.
pub(super) const FALSE: u8 = 2;
/// The type of 8-bit integers.
pub(super) const BYTE: u8 = 3;
/// The type of 16-bit integers.
pub(super) const I16: u8 = 4;
/// The type of 32-bit integers.
pub(super) const I32: u8 = 5;
/// The type of 64-bit integers.
pub(super) const I64: u8 = 6;
/// The type of floating-point numbers.
pub(super) const DOUBLE: u8 = 7;
/// The type of bytes and texts.
pub(super) const BINARY: u8 = 8;
/// The type of lists.
pub(super) const LIST: u8 = 9;
/// The type of sets, which are written as lists.
const SET: u8 = 10;
/// The type of structs.
pub(super) const STRUCT: u8 = 12;

/// Maximum depth of nested values. Those of a footer have 8.
const MAX_DEPTH: u32 = 16;

/// The fields of a struct, each with its number.
pub(super) type Fields = [(i64, Type)];

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Type {
    Boolean,
    Byte,
    I16,
    I32,
    I64,
    Double,
    /// Bytes or a text.
    Binary,
    List(&'static Type),
    Struct(&'static Fields),
}

impl Type {
    /// Whether a value of this type has the type `kind` of the compact protocol.
    pub(super) fn is(self, kind: u8) -> bool {
        match self {
            Type::Boolean => matches!(kind, TRUE | FALSE),
            Type::Byte => kind == BYTE,
            Type::I16 => kind == I16,
            Type::I32 => kind == I32,
            Type::I64 => kind == I64,
            Type::Double => kind == DOUBLE,
            Type::Binary => kind == BINARY,
            Type::List(_) => kind == LIST,
            Type::Struct(_) => kind == STRUCT,
        }
    }
}

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
        // The library cuts off the other bits.
        i16::try_from(number).ok()?;
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
            BYTE => self.skip_bytes(1),
            I16 | I32 | I64 => self.unsigned().map(|_| ()),
            DOUBLE => self.skip_bytes(8),
            BINARY => {
                let length = self.unsigned()?;
                self.skip_bytes(length)
            }
            LIST | SET => {
                let (count, kind) = self.list()?;
                // The library takes no bytes for a boolean in a list, so it would read a few bytes as billions of them.
                // Footers and page headers have no such lists.
                if count > 0 && matches!(kind, TRUE | FALSE) {
                    return None;
                }
                (0..count).try_for_each(|_| self.skip(kind, depth + 1))
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

    /// Reads a struct with these fields, and checks that each has its type and occurs once. Other fields are skipped.
    pub(super) fn check(&mut self, fields: &Fields, depth: u32) -> Option<()> {
        let (mut number, mut seen) = (0, 0u64);
        while let Some((next, kind)) = self.field(number)? {
            number = next;
            let known = fields.iter().find(|(known, _)| *known == number);
            let Some((known, kind_of_format)) = known else {
                self.skip(kind, depth + 1)?;
                continue;
            };
            let bit = 1u64 << known;
            if seen & bit != 0 || !kind_of_format.is(kind) {
                return None;
            }
            seen |= bit;
            self.check_value(*kind_of_format, kind, depth)?;
        }
        Some(())
    }

    /// Reads a value of type `expected`, which the compact protocol calls `kind`.
    fn check_value(&mut self, expected: Type, kind: u8, depth: u32) -> Option<()> {
        match expected {
            Type::Struct(fields) => self.check(fields, depth + 1),
            Type::List(element) => {
                let (count, kind) = self.list()?;
                if count > 0 && !element.is(kind) {
                    return None;
                }
                (0..count).try_for_each(|_| self.check_value(*element, kind, depth + 1))
            }
            _ => self.skip(kind, depth + 1),
        }
    }
}
