//! Room for long arrays, in large pages where the system has them: a step reads and writes them from end to end,
//! and to find each 4 KiB anew takes longer than to compute with them.

/// `length` zeros, of which those before `dense` are all going to be used. The system makes the rest in small
/// pages, so that what is never written takes no memory.
pub(crate) fn zeros(length: usize, dense: usize) -> Vec<f32> {
    let numbers = vec![0.0; length];
    large(&numbers[..dense]);
    numbers
}

/// Asks for large pages. What comes of it is a matter of speed alone.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn large(numbers: &[f32]) {
    const PAGE: usize = 2 << 20;
    let bytes = numbers.as_ptr_range();
    let (from, to) = (bytes.start.addr().next_multiple_of(PAGE), bytes.end.addr() / PAGE * PAGE);
    if from < to {
        let first = numbers.as_ptr().with_addr(from).cast_mut();
        #[expect(unsafe_code, reason = "a call of the system")]
        // SAFETY: the range lies inside of the array, and the advice changes nothing that is in it.
        unsafe {
            libc::madvise(first.cast(), to - from, libc::MADV_HUGEPAGE);
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn large(_: &[f32]) {}
