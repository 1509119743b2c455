//! Allocation of large arrays in huge pages. A step reads and writes whole arenas, and with 4 KiB pages the address
//! translation takes longer than the arithmetic.

/// `length` zeros. The first `dense` elements are allocated in huge pages where the system supports them; the rest
/// stays in small pages, which take no memory until they are written.
pub fn zeros(length: usize, dense: usize) -> Vec<f32> {
    let array = vec![0.0; length];
    advise_huge_pages(&array[..dense]);
    array
}

/// Asks the system for huge pages. Failure affects only speed and is ignored.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn advise_huge_pages(array: &[f32]) {
    const PAGE_BYTES: usize = 2 << 20;
    let bytes = array.as_ptr_range();
    let from = bytes.start.addr().next_multiple_of(PAGE_BYTES);
    let to = bytes.end.addr() / PAGE_BYTES * PAGE_BYTES;
    if from < to {
        let first = array.as_ptr().with_addr(from).cast_mut();
        #[expect(unsafe_code, reason = "system call")]
        // SAFETY: the range lies inside the array, and the advice does not change its contents.
        unsafe {
            libc::madvise(first.cast(), to - from, libc::MADV_HUGEPAGE);
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn advise_huge_pages(_: &[f32]) {}
