//! The verbs of the engine: plain loops over rows, compiled for each instruction set and chosen at
//! start.
//!
//! A kernel is an `#[inline(always)]` function, generic in how a product is added ([`Fma`]).
//! [`dispatch!`] inlines it into a function that may use the instructions of this machine (AVX-512, AVX2
//! or NEON by `pulp`), where its loops over [`LANES`] numbers become vector instructions. Elsewhere the
//! same loops run as they are.

pub(crate) mod activation;
pub(crate) mod adamw;
pub(crate) mod attention;
pub(crate) mod embedding;
pub(crate) mod huge_pages;
pub(crate) mod math;
pub(crate) mod norm;
#[cfg_attr(not(target_arch = "x86_64"), path = "packed/none.rs")]
pub(crate) mod packed;
pub(crate) mod product;
#[cfg(test)]
mod tests;

use pulp::Arch;
use std::time::Instant;

/// Numbers of the widest vector: sums are kept in so many parts, on every machine.
pub(crate) const LANES: usize = 16;

/// What a kind of work has cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) seconds: f64,
    /// Additions and multiplications of its products.
    pub(crate) operations: f64,
}

impl Spent {
    /// Does the work and adds its cost.
    pub(crate) fn on(&mut self, operations: usize, work: impl FnOnce()) {
        let begun = Instant::now();
        work();
        self.since(begun);
        self.operations += operations as f64;
    }

    /// Adds the time since `begun`.
    pub(crate) fn since(&mut self, begun: Instant) {
        self.seconds += begun.elapsed().as_secs_f64();
    }
}

/// The instruction set that kernels run on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    pub(super) arch: Arch,
}

impl Cpu {
    /// The best that this machine has.
    pub(crate) fn detect() -> Self {
        Cpu { arch: Arch::new() }
    }

    /// No vector instructions beyond those that every machine of the architecture has.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Cpu { arch: Arch::Scalar }
    }

    /// Whether a product is added in one instruction.
    pub(super) fn is_fused(self) -> bool {
        !matches!(self.arch, Arch::Scalar)
    }

    /// For people: `AVX-512`, `AVX2`, `NEON` or `plain`.
    pub(crate) fn name(self) -> &'static str {
        match self.arch {
            Arch::Scalar => "plain",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V3(_) => "AVX2",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V4(_) => "AVX-512",
            #[cfg(target_arch = "aarch64")]
            Arch::Neon(_) => "NEON",
            #[allow(unreachable_patterns, reason = "the list is open on some architectures")]
            _ => "vector",
        }
    }
}

/// a b + c, rounded once where the machine has an instruction for it.
pub(crate) trait Fma: Copy {
    fn fma(a: f32, b: f32, c: f32) -> f32;
}

/// One instruction, one rounding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fused;

/// Two instructions: without hardware for it a fused one is a slow function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Separate;

impl Fma for Fused {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

impl Fma for Separate {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

/// What a closure that may be called once only gives away. Any other closure is called once through a
/// function of the compiler's making, which is not inlined: its kernel would run without the
/// instructions that were chosen.
pub(crate) struct Once;

impl Once {
    #[inline(always)]
    pub(crate) fn spend(self) {
        let Once = self;
    }
}

/// Calls a kernel with the instructions of `cpu`.
macro_rules! dispatch {
    ($cpu:expr, $kernel:ident($($argument:expr),* $(,)?)) => {{
        let cpu: $crate::nn::fast::kernels::Cpu = $cpu;
        if cpu.is_fused() {
            let once = $crate::nn::fast::kernels::Once;
            cpu.arch.dispatch(
                #[inline(always)]
                || {
                    once.spend();
                    $kernel::<$crate::nn::fast::kernels::Fused>($($argument),*)
                },
            )
        } else {
            $kernel::<$crate::nn::fast::kernels::Separate>($($argument),*)
        }
    }};
}
pub(crate) use dispatch;

/// Sum over pairs of numbers, in [`LANES`] parts that are added in a fixed order.
#[inline(always)]
pub(crate) fn sum(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut parts = [0.0; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            parts[lane] += term(a[lane], b[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| term(*a, *b)).sum();
    fold(parts) + rest
}

#[inline(always)]
fn fold(mut parts: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            parts[lane] += parts[lane + half];
        }
        half /= 2;
    }
    parts[0]
}
