//! The wire format of protocol buffers (<https://protobuf.dev/programming-guides/encoding>).

/// A field of a message.
pub(super) enum Field<'b> {
    Varint(u64),
    Fixed32([u8; 4]),
    Bytes(&'b [u8]),
    /// Of eight bytes, which no field here has.
    Other,
}

/// Calls `field` with the number and the value of each field of a message, in their order. The error is a clause.
pub(super) fn for_each_field<'b>(
    message: &'b [u8],
    mut field: impl FnMut(u64, Field<'b>) -> Result<(), String>,
) -> Result<(), String> {
    let mut rest = message;
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let value = match tag & 7 {
            0 => Field::Varint(varint(&mut rest)?),
            1 => {
                take(&mut rest, 8)?;
                Field::Other
            }
            2 => {
                let length = usize::try_from(varint(&mut rest)?).unwrap_or(usize::MAX);
                Field::Bytes(take(&mut rest, length)?)
            }
            5 => take(&mut rest, 4)?.try_into().map_or(Field::Other, Field::Fixed32),
            _ => return Err(damaged()),
        };
        field(tag >> 3, value)?;
    }
    Ok(())
}

/// A number of seven bits in each byte, the lowest first; the highest bit says that another byte follows.
fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first().ok_or_else(damaged)?;
        *rest = left;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
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
