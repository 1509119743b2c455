//! An allocator that ends the process when more than [`LIMIT`] bytes are in use, also for a moment: libFuzzer itself
//! looks only once a second.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// 1 GiB.
const LIMIT: usize = 1 << 30;

struct LimitedAllocator;

#[global_allocator]
static ALLOCATOR: LimitedAllocator = LimitedAllocator;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

fn add(size: usize) {
    let before = IN_USE.fetch_add(size, Ordering::Relaxed);
    if before.saturating_add(size) > LIMIT {
        // The message needs memory too.
        IN_USE.store(0, Ordering::Relaxed);
        eprintln!("more than 1 GiB of memory: {before} bytes in use, {size} requested");
        std::process::abort();
    }
}

fn remove(size: usize) {
    IN_USE.fetch_sub(size, Ordering::Relaxed);
}

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for LimitedAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        remove(layout.size());
        // SAFETY: the caller's promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        add(new_size);
        remove(layout.size());
        // SAFETY: the caller's promises.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}
