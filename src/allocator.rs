//! The allocator of the system, with an orderly end of the program when there is no memory left.
//!
//! Rust's standard library would print a message over whatever is on the screen and abort, which a shell reports as a
//! crash. Checkpoints are written atomically, so that the program can end at any allocation without losing one.

use crate::terminal_reset::{exit_now, report_alone, restore_and_report};
use std::alloc::{GlobalAlloc, Layout, System};

/// The exit code of a device or a machine without memory.
const EXIT_CODE: i32 = 4;

/// The allocator of the system. A failed allocation restores the terminal, prints one sentence and ends the process with
/// exit code 4.
#[derive(Debug, Clone, Copy)]
pub struct Allocator;

#[expect(unsafe_code, reason = "the trait is unsafe")]
// SAFETY: passes on every call to the allocator of the system.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as promised by the caller.
        checked(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as promised by the caller.
        checked(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as promised by the caller.
        checked(unsafe { System.realloc(pointer, layout, new_size) }, new_size)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[inline]
fn checked(pointer: *mut u8, size: usize) -> *mut u8 {
    if pointer.is_null() {
        out_of_memory(size);
    }
    pointer
}

/// Ends the process because `size` bytes cannot be allocated. Allocates nothing.
#[cold]
#[inline(never)]
fn out_of_memory(size: usize) -> ! {
    report_alone();
    let mut message = Message { bytes: [0; Message::CAPACITY], length: 0 };
    message.push(b"glue-tui: out of memory: cannot allocate ");
    message.push_number(size);
    message.push(b" bytes; close other programs, or use a smaller model, batch size or max_seq_length");
    message.push(b" (saved checkpoints are intact: train --resume continues from the newest)\n");
    restore_and_report(message.text());
    exit_now(EXIT_CODE)
}

/// A text on the stack.
struct Message {
    bytes: [u8; Message::CAPACITY],
    length: usize,
}

impl Message {
    const CAPACITY: usize = 256;

    fn push(&mut self, text: &[u8]) {
        let rest = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (byte, new) in rest.iter_mut().zip(text) {
            *byte = *new;
            self.length += 1;
        }
    }

    fn push_number(&mut self, number: usize) {
        let mut digits = [0; 20];
        let (mut rest, mut first) = (number, digits.len());
        while first > 0 {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(&digits[first..]);
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_without_allocating() {
        for number in [0, 7, 1024, usize::MAX] {
            let mut message = Message { bytes: [0; Message::CAPACITY], length: 0 };
            message.push(b"a ");
            message.push_number(number);
            assert_eq!(message.text(), format!("a {number}").as_bytes());
        }
        let mut message = Message { bytes: [0; Message::CAPACITY], length: 0 };
        message.push(&[b'x'; 1000]);
        assert_eq!(message.text().len(), Message::CAPACITY);
    }
}
