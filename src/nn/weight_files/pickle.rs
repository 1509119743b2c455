//! A reader of the pickles that `torch.save` writes. It executes nothing: classes and calls are kept as names, as in
//! PyTorch's own `torch._weights_only_unpickler`. The module `torch` says why candle's reader is not used.
//!
//! Objects refer to each other by index, so that neither deep nesting nor repeated references cost more than the
//! bytes of the file.

use std::collections::HashMap;
use std::io::{BufRead, Read};

/// Largest number of operations. The state of a large model takes fewer than 100,000.
const MAX_OPERATIONS: usize = 1 << 20;
/// Longest string in bytes. Names of parameters are far shorter.
const MAX_STRING: u64 = 1 << 20;

/// The index of an object in [`Pickle`].
pub(super) type Id = usize;

/// An object of a pickle.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    /// None, a float, an integer of more than 64 bits, or bytes: not needed for tensors.
    Other,
    Bool(bool),
    Int(i64),
    Text(String),
    /// A class or a function by module and name.
    Global(String, String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A call of a global with a tuple of arguments.
    Call(Id, Id),
    /// A reference to something outside the pickle: a storage.
    Persistent(Id),
}

/// A value on the stack.
#[derive(Clone, Copy)]
enum Item {
    Mark,
    Value(Id),
}

/// A pickle that was read completely.
#[derive(Debug, Default)]
pub(super) struct Pickle {
    objects: Vec<Object>,
    root: Id,
}

impl Pickle {
    /// The object of the whole pickle.
    pub(super) fn root(&self) -> &Object {
        self.get(self.root)
    }

    pub(super) fn get(&self, id: Id) -> &Object {
        self.objects.get(id).unwrap_or(&Object::Other)
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Object::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// A whole number from 0.
    pub(super) fn size(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Object::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A tuple of whole numbers from 0.
    pub(super) fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        self.tuple(id)?.iter().map(|item| self.size(*item)).collect()
    }
}

/// Reads one pickle and leaves `reader` after it.
///
/// # Errors
/// A sentence about damaged data or an operation that `torch.save` does not write.
pub(super) fn read(reader: &mut impl BufRead) -> Result<Pickle, String> {
    let mut machine = Machine { reader, stack: Vec::new(), memo: HashMap::new(), pickle: Pickle::default() };
    for _ in 0..MAX_OPERATIONS {
        if machine.step()? {
            machine.pickle.root = machine.pop()?;
            return Ok(machine.pickle);
        }
    }
    Err(format!("the pickle has more than {MAX_OPERATIONS} operations"))
}

struct Machine<'r, R> {
    reader: &'r mut R,
    stack: Vec<Item>,
    memo: HashMap<u32, Id>,
    pickle: Pickle,
}

impl<R: BufRead> Machine<'_, R> {
    /// Executes one operation; returns whether it is the last one.
    fn step(&mut self) -> Result<bool, String> {
        let [operation] = self.bytes()?;
        match operation {
            b'.' => return Ok(true),
            // The protocol and, from protocol 4, the length of a frame.
            0x80 => drop(self.bytes::<1>()?),
            0x95 => drop(self.bytes::<8>()?),
            b'(' => self.stack.push(Item::Mark),
            // Removes a value, or the state of an object, such as the metadata of an ordered dictionary.
            b'0' | b'b' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'q' | b'r' | 0x94 => self.memoize(operation)?,
            b'h' | b'j' => self.recall(operation)?,
            b')' | b't' | 0x85..=0x87 => self.push_tuple(operation)?,
            b']' => self.push(Object::List(Vec::new())),
            b'}' => self.push(Object::Dict(Vec::new())),
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Object::List(items));
            }
            b'd' => {
                let pairs = pairs(&self.pop_to_mark()?)?;
                self.push(Object::Dict(pairs));
            }
            b'a' | b'e' => self.append(operation)?,
            b's' | b'u' => self.set_items(operation)?,
            b'c' | 0x93 => self.push_global(operation)?,
            b'R' | 0x81 => self.call()?,
            b'Q' => {
                let id = self.pop()?;
                self.push(Object::Persistent(id));
            }
            _ => self.push_scalar(operation)?,
        }
        Ok(false)
    }

    fn push_scalar(&mut self, operation: u8) -> Result<(), String> {
        let object = match operation {
            b'N' => Object::Other,
            0x88 => Object::Bool(true),
            0x89 => Object::Bool(false),
            b'K' => Object::Int(i64::from(u8::from_le_bytes(self.bytes()?))),
            b'M' => Object::Int(i64::from(u16::from_le_bytes(self.bytes()?))),
            b'J' => Object::Int(i64::from(i32::from_le_bytes(self.bytes()?))),
            0x8a => self.long()?,
            b'G' => {
                self.bytes::<8>()?;
                Object::Other
            }
            // Text with a length of 1, 4 or 8 bytes; `U` and `T` are the strings of Python 2.
            0x8c | b'U' => {
                let length = u8::from_le_bytes(self.bytes()?);
                self.string(u64::from(length))?
            }
            b'X' | b'T' => {
                let length = u32::from_le_bytes(self.bytes()?);
                self.string(u64::from(length))?
            }
            0x8d => {
                let length = u64::from_le_bytes(self.bytes()?);
                self.string(length)?
            }
            other => return Err(format!("the pickle has the unsupported operation {other:#04x}")),
        };
        self.push(object);
        Ok(())
    }

    fn memoize(&mut self, operation: u8) -> Result<(), String> {
        let key = match operation {
            b'q' => u32::from(u8::from_le_bytes(self.bytes()?)),
            b'r' => u32::from_le_bytes(self.bytes()?),
            _ => self.memo.len() as u32,
        };
        let Some(Item::Value(id)) = self.stack.last() else { return Err(empty_stack()) };
        self.memo.insert(key, *id);
        Ok(())
    }

    fn recall(&mut self, operation: u8) -> Result<(), String> {
        let key = match operation {
            b'h' => u32::from(u8::from_le_bytes(self.bytes()?)),
            _ => u32::from_le_bytes(self.bytes()?),
        };
        let id = self.memo.get(&key).ok_or_else(|| format!("the pickle has no object {key}"))?;
        self.stack.push(Item::Value(*id));
        Ok(())
    }

    fn push_tuple(&mut self, operation: u8) -> Result<(), String> {
        let items = match operation {
            b')' => Vec::new(),
            b't' => self.pop_to_mark()?,
            count => {
                let mut items = (0x85..=count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                items
            }
        };
        self.push(Object::Tuple(items));
        Ok(())
    }

    fn append(&mut self, operation: u8) -> Result<(), String> {
        let items = if operation == b'a' { vec![self.pop()?] } else { self.pop_to_mark()? };
        match self.last()? {
            Object::List(list) => list.extend(items),
            _ => return Err("the pickle appends to something that is not a list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, operation: u8) -> Result<(), String> {
        let items = if operation == b's' {
            let value = self.pop()?;
            vec![self.pop()?, value]
        } else {
            self.pop_to_mark()?
        };
        let new = pairs(&items)?;
        match self.last()? {
            Object::Dict(dict) => dict.extend(new),
            _ => return Err("the pickle sets keys of something that is not a dictionary".into()),
        }
        Ok(())
    }

    fn push_global(&mut self, operation: u8) -> Result<(), String> {
        let (module, name) = if operation == b'c' {
            (self.line()?, self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            let text =
                |id| self.pickle.text(id).map(str::to_owned).ok_or("the pickle has a class without a name");
            (text(module)?, text(name)?)
        };
        self.push(Object::Global(module, name));
        Ok(())
    }

    /// A call. Dictionaries of `collections` become empty dictionaries.
    fn call(&mut self) -> Result<(), String> {
        let arguments = self.pop()?;
        let callable = self.pop()?;
        let is_dict = matches!(
            self.pickle.get(callable),
            Object::Global(module, name)
                if module == "collections" && matches!(name.as_str(), "OrderedDict" | "defaultdict")
        );
        self.push(if is_dict { Object::Dict(Vec::new()) } else { Object::Call(callable, arguments) });
        Ok(())
    }

    fn push(&mut self, object: Object) {
        self.stack.push(Item::Value(self.pickle.objects.len()));
        self.pickle.objects.push(object);
    }

    fn pop(&mut self) -> Result<Id, String> {
        match self.stack.pop() {
            Some(Item::Value(id)) => Ok(id),
            _ => Err(empty_stack()),
        }
    }

    /// The values above the last mark, which is removed.
    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.stack.iter().rposition(|item| matches!(item, Item::Mark)).ok_or_else(empty_stack)?;
        let values = self.stack.drain(mark..).filter_map(|item| match item {
            Item::Value(id) => Some(id),
            Item::Mark => None,
        });
        Ok(values.collect())
    }

    /// The object on top of the stack.
    fn last(&mut self) -> Result<&mut Object, String> {
        match self.stack.last() {
            Some(Item::Value(id)) => self.pickle.objects.get_mut(*id).ok_or_else(empty_stack),
            _ => Err(empty_stack()),
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|e| format!("the pickle is incomplete: {e}"))?;
        Ok(bytes)
    }

    /// An integer in two's complement with its length in bytes.
    fn long(&mut self) -> Result<Object, String> {
        let [length] = self.bytes()?;
        let mut bytes = vec![0; usize::from(length)];
        self.reader.read_exact(&mut bytes).map_err(|e| format!("the pickle is incomplete: {e}"))?;
        let is_negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut number = [if is_negative { 0xff } else { 0 }; 8];
        let Some(low) = number.get_mut(..bytes.len()) else { return Ok(Object::Other) };
        low.copy_from_slice(&bytes);
        Ok(Object::Int(i64::from_le_bytes(number)))
    }

    fn string(&mut self, length: u64) -> Result<Object, String> {
        if length > MAX_STRING {
            return Err(format!("the pickle has a string of {length} bytes"));
        }
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(length).read_to_end(&mut bytes);
        if read.map_err(|e| e.to_string())? as u64 != length {
            return Err("the pickle is incomplete".into());
        }
        Ok(String::from_utf8(bytes).map_or(Object::Other, Object::Text))
    }

    fn line(&mut self) -> Result<String, String> {
        let mut bytes = Vec::new();
        self.reader.by_ref().take(MAX_STRING).read_until(b'\n', &mut bytes).map_err(|e| e.to_string())?;
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    }
}

fn empty_stack() -> String {
    "the pickle takes more values than it has".into()
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    let (pairs, rest) = items.as_chunks::<2>();
    if rest.is_empty() {
        Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
    } else {
        Err("the pickle has a key without a value".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<Pickle, String> {
        read(&mut &bytes[..])
    }

    #[test]
    fn values_of_the_protocols_2_and_4_are_read() {
        // pickle.dumps({"a": (1, -2, 70000, None), "b": [True, 2**40]}, 2) and (…, 4)
        let two = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01(K\x01J\xfe\xff\xff\xffJp\x11\x01\x00Ntq\x02\
            X\x01\x00\x00\x00bq\x03]q\x04(\x88\x8a\x06\x00\x00\x00\x00\x00\x01eu.";
        let four = b"\x80\x04\x95\x25\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01a\x94(K\x01J\xfe\xff\xff\xffJp\x11\x01\
            \x00Nt\x94\x8c\x01b\x94]\x94(\x88\x8a\x06\x00\x00\x00\x00\x00\x01eu.";
        for bytes in [&two[..], &four[..]] {
            let pickle = read_bytes(bytes).unwrap();
            let Object::Dict(pairs) = pickle.root() else { panic!("{pickle:?}") };
            assert_eq!(
                pairs.iter().map(|(key, _)| pickle.text(*key).unwrap()).collect::<Vec<_>>(),
                ["a", "b"]
            );
            let numbers = pickle.tuple(pairs[0].1).unwrap().iter().map(|id| pickle.get(*id).clone());
            assert_eq!(
                numbers.collect::<Vec<_>>(),
                [Object::Int(1), Object::Int(-2), Object::Int(70_000), Object::Other]
            );
            let Object::List(items) = pickle.get(pairs[1].1) else { panic!("{pickle:?}") };
            assert_eq!(
                (pickle.get(items[0]), pickle.get(items[1])),
                (&Object::Bool(true), &Object::Int(1 << 40))
            );
        }
    }

    #[test]
    fn damaged_pickles_are_errors() {
        for bytes in [
            &b""[..],
            b"\x80",
            b".",
            b"t.",
            b"(K\x01d.",
            b"X\xff\xff\xff\xff",
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffa",
            b"h\x05.",
            b"q\x00.",
            b"K\x01K\x02a.",
            b"(\x85.",
            b"\xfe.",
        ] {
            read_bytes(bytes).unwrap_err();
        }
    }

    #[test]
    fn nested_and_repeated_objects_take_no_more_than_their_bytes() {
        // Each step pairs the previous object with itself: 2 to the power of the depth in a tree.
        let doubling = [b"K\x01".to_vec(), b"q\x00h\x00\x86".repeat(200_000), b".".to_vec()].concat();
        assert!(read_bytes(&doubling).unwrap().objects.len() < 200_100);
        let too_long = [b"N".repeat(MAX_OPERATIONS), b".".to_vec()].concat();
        assert!(read_bytes(&too_long).unwrap_err().contains("operations"));
    }
}
