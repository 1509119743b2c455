//! The instruction sets that compute the sums.

/// How the integer sums are computed. All give the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Int8Kernel {
    /// `vpdpbusd` on vectors of 512 bits.
    Avx512Vnni,
    /// `vpdpbusd` on vectors of 256 bits.
    AvxVnni,
    /// `vpmaddwd` on vectors of 256 bits.
    Avx2,
    /// Loops without instructions of a particular CPU.
    Portable,
}

impl Int8Kernel {
    /// Those that this CPU supports, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        use Int8Kernel::{Avx2, Avx512Vnni, AvxVnni, Portable};
        [Avx512Vnni, AvxVnni, Avx2, Portable].into_iter().filter(|kernel| kernel.is_supported())
    }

    /// The fastest that this CPU supports.
    pub fn fastest() -> Self {
        Self::available().next().unwrap_or(Int8Kernel::Portable)
    }

    /// Name to display of the instruction set.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Int8Kernel::Avx512Vnni => Some("AVX-512 VNNI"),
            Int8Kernel::AvxVnni => Some("AVX-VNNI"),
            Int8Kernel::Avx2 | Int8Kernel::Portable => None,
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn is_supported(self) -> bool {
        match self {
            Int8Kernel::Avx512Vnni => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
                    && has_fma()
            }
            Int8Kernel::AvxVnni => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni") && has_fma()
            }
            Int8Kernel::Avx2 => is_x86_feature_detected!("avx2") && has_fma(),
            Int8Kernel::Portable => true,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_supported(self) -> bool {
        self == Int8Kernel::Portable
    }
}

/// Whether the activation functions can use the instruction set of the kernels.
#[cfg(target_arch = "x86_64")]
fn has_fma() -> bool {
    is_x86_feature_detected!("fma")
}
