//! The footer of a file. The library reads a field whatever its type is. The schema states how many children each group
//! has, for which the library allocates memory at once, and which it reads recursively.
//!
//! A footer is a struct in the compact protocol of Thrift, followed by its length and `PAR1`; see `parquet.thrift` of the
//! Parquet format.

use super::file_error::damaged;
use super::format::FILE_META_DATA;
use super::thrift::{Compact, I32, LIST};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Maximum depth of the schema. A list of lists of texts has 7.
const MAX_DEPTH: usize = 64;
/// Length and magic number at the end of a file.
const END: u64 = 8;
const MAGIC: &[u8] = b"PAR1";

/// Checks that all fields have the types of the format, that the schema has the children that its groups state, and that it is
/// not too deep.
///
/// # Errors
/// [`Error::Data`] otherwise, and for a footer that is not valid. A file that ends in another way than with a footer is
/// left to the library.
pub(super) fn check_footer(path: &Path, file: &mut File) -> Result<()> {
    let Some(footer) = read_footer(file).map_err(Error::reading(path))? else { return Ok(()) };
    let children = children(&footer).ok_or_else(|| damaged(path, "its footer is invalid"))?;
    check_schema(&children).map_err(|problem| damaged(path, problem))
}

/// The bytes of the footer; `None` if the file does not end with one.
fn read_footer(file: &mut File) -> std::io::Result<Option<Vec<u8>>> {
    let Some(end) = file.metadata()?.len().checked_sub(END) else { return Ok(None) };
    let mut last = [0; END as usize];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut last)?;
    let [length @ .., _, _, _, _] = last;
    let Some(start) = end.checked_sub(u64::from(u32::from_le_bytes(length))) else { return Ok(None) };
    if &last[4..] != MAGIC {
        return Ok(None);
    }
    let mut footer = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    (&mut *file).take(end - start).read_to_end(&mut footer)?;
    Ok(Some(footer))
}

/// The number of children of each element of the schema, a tree in depth-first order; `None` if the footer is not valid.
fn children(footer: &[u8]) -> Option<Vec<i64>> {
    Compact { bytes: footer, position: 0 }.check(FILE_META_DATA, 0)?;
    let mut reader = Compact { bytes: footer, position: 0 };
    let (mut children, mut number) = (Vec::new(), 0);
    while let Some((next, kind)) = reader.field(number)? {
        number = next;
        match (number, kind) {
            (2, LIST) => {
                let (count, _) = reader.list()?;
                for _ in 0..count {
                    children.push(children_of_element(&mut reader)?);
                }
            }
            _ => reader.skip(kind, 0)?,
        }
    }
    Some(children)
}

fn children_of_element(reader: &mut Compact<'_>) -> Option<i64> {
    let (mut children, mut number) = (0, 0);
    while let Some((next, kind)) = reader.field(number)? {
        number = next;
        match (number, kind) {
            (5, I32) => children = reader.integer()?,
            _ => reader.skip(kind, 1)?,
        }
    }
    Some(children)
}

/// Checks a tree in depth-first order, given by the number of children of each element.
fn check_schema(children: &[i64]) -> std::result::Result<(), &'static str> {
    // The children of each open group that are still to come.
    let mut open: Vec<i64> = Vec::new();
    for (element, count) in children.iter().enumerate() {
        let rest = (children.len() - element - 1) as i64;
        if *count < 0 || *count > rest {
            return Err("a group of its schema has more children than the schema has elements");
        }
        if let Some(group) = open.last_mut() {
            *group -= 1;
        }
        if *count > 0 {
            open.push(*count);
        }
        if open.len() > MAX_DEPTH {
            return Err("its schema is nested too deep");
        }
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::thrift::STRUCT;
    use super::*;

    /// A footer with a version, a schema of elements with a name and these children, and a number of rows.
    fn footer(children: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x15, 4, 0x19, 0xf0 | STRUCT, u8::try_from(children.len()).unwrap()];
        for count in children {
            bytes.extend([0x48, 1, b'x']);
            if *count > 0 {
                // Below 64, so that the doubled number of the zigzag notation has one byte.
                bytes.extend([0x15, 2 * count]);
            }
            bytes.push(0);
        }
        bytes.extend([0x16, 2, 0]);
        bytes
    }

    fn check(counts: &[u8]) -> std::result::Result<(), &'static str> {
        check_schema(&children(&footer(counts)).expect("a valid footer"))
    }

    #[test]
    fn groups_have_their_children() {
        assert_eq!(children(&footer(&[2, 0, 1, 0])), Some(vec![2, 0, 1, 0]));
        assert_eq!(check(&[2, 0, 1, 0]), Ok(()));
        assert_eq!(check(&[0]), Ok(()));
        for counts in [&[1][..], &[2, 0], &[1, 1], &[63, 0, 0]] {
            assert!(check(counts).unwrap_err().contains("more children"), "{counts:?}");
        }
        assert!(check_schema(&[-1, 0]).is_err() && check_schema(&[i64::MAX, 0]).is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let chain = |groups: usize| [vec![1; groups], vec![0]].concat();
        assert_eq!(check(&chain(MAX_DEPTH)), Ok(()));
        assert_eq!(check(&chain(MAX_DEPTH + 1)), Err("its schema is nested too deep"));
        // Groups beside each other are not nested.
        let wide: Vec<i64> = std::iter::once(200).chain([1, 0].repeat(200)).collect();
        assert_eq!(check_schema(&wide), Ok(()));
    }

    #[test]
    fn incomplete_footers_are_invalid() {
        let footer = footer(&[2, 0, 0]);
        for length in 0..footer.len() {
            assert_eq!(children(&footer[..length]), None, "{length} bytes");
        }
    }

    /// The library takes the bytes of such fields for something else.
    #[test]
    fn fields_have_the_types_of_the_format() {
        assert_eq!(children(&[0x15, 4, 0]), Some(vec![]));
        assert_eq!(children(&[0x1c, 0, 0]), None, "a struct in place of the version");
        assert_eq!(children(&[0x15, 4, 0x05, 2, 4, 0]), None, "the version twice");
        assert_eq!(children(&[0x15, 4, 0x19, 0x15, 4, 0]), None, "a schema of numbers");
        assert_eq!(
            children(&[0x05, 0x82, 0x80, 0x08, 4, 0]),
            None,
            "field 65,537, which is 1 as a 16-bit number"
        );
        assert_eq!(
            children(&[0xe9, 0xf1, 0xff, 0xff, 0xff, 0xff, 7, 0]),
            None,
            "a list of booleans in field 14"
        );
    }
}
