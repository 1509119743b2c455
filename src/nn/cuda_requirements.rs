//! What a GPU and its driver must support, and explanations of the driver's error codes.

/// Lowest compute capability of the fast engine's kernels: the Ampere generation.
pub(crate) const MIN_KERNEL_CAPABILITY: (u32, u32) = (8, 0);

/// Checks the driver: PTX of a CUDA toolkit needs a driver for the same or a later version of CUDA.
///
/// `driver` is the number that `cuDriverGetVersion` returns, 1000 · major + 10 · minor. `toolkit` is the version of the
/// toolkit that compiled this program: `13.0`.
///
/// # Errors
/// What is wrong and what to do.
pub(crate) fn check_driver(driver: u32, toolkit: &str) -> Result<(), String> {
    let mut numbers = toolkit.split('.').map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else { return Ok(()) };
    if driver >= 1000 * major + 10 * minor {
        return Ok(());
    }
    let supported = format!("{}.{}", driver / 1000, driver % 1000 / 10);
    Err(format!(
        "the NVIDIA driver supports CUDA {supported}, but this program is built with CUDA {toolkit}: update the driver, \
         or build with a CUDA toolkit of version {supported} or earlier"
    ))
}

/// Checks that a GPU can load the kernels of candle. They are compiled for the capability `built_for`: `80` runs on
/// every later GPU, `90a` only on those of capability 9.0, and `121f` on those of the same major version.
///
/// # Errors
/// What is wrong and what to do.
pub(crate) fn check_capability(found: (u32, u32), built_for: &str) -> Result<(), String> {
    let digits = built_for.trim_end_matches(|c: char| !c.is_ascii_digit());
    let Ok(number) = digits.parse::<u32>() else { return Ok(()) };
    let (built, suffix) = ((number / 10, number % 10), &built_for[digits.len()..]);
    let is_supported = match suffix {
        "a" => found == built,
        "f" => found.0 == built.0 && found >= built,
        _ => found >= built,
    };
    if is_supported {
        return Ok(());
    }
    Err(format!(
        "it has compute capability {}.{}, but this program is built for {built_for}: build it with \
         CUDA_COMPUTE_CAP={}",
        found.0,
        found.1,
        if found >= MIN_KERNEL_CAPABILITY { 80 } else { 10 * found.0 + found.1 }
    ))
}

/// Checks that a GPU can load the kernels of the fast engine.
///
/// # Errors
/// What is wrong and what to do.
pub(crate) fn check_kernel_capability(found: (u32, u32)) -> Result<(), String> {
    if found >= MIN_KERNEL_CAPABILITY {
        return Ok(());
    }
    Err(format!(
        "engine = \"fast\" needs a GPU of compute capability {}.{} (Ampere) or later, but this one has {}.{}; set \
         engine to \"plain\", or device to \"cpu\"",
        MIN_KERNEL_CAPABILITY.0, MIN_KERNEL_CAPABILITY.1, found.0, found.1
    ))
}

/// Explains the error codes of the driver that users are likely to see; other errors stay as they are.
pub(crate) fn explain(problem: &str) -> String {
    const KNOWN: &[(&str, &str)] = &[
        ("CUDA_ERROR_STUB_LIBRARY", "no NVIDIA driver found"),
        ("CUDA_ERROR_NO_DEVICE", "no NVIDIA GPU found"),
        ("CUDA_ERROR_INVALID_DEVICE", "no GPU with this number"),
        (
            "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
            "the NVIDIA driver is older than the CUDA toolkit of this program: update the driver, or build with an \
             older toolkit",
        ),
        (
            "CUDA_ERROR_NO_BINARY_FOR_GPU",
            "this program has no kernels for this GPU: build it with CUDA_COMPUTE_CAP=80",
        ),
        (
            "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
            "the NVIDIA driver was updated and its libraries no longer match: restart the machine",
        ),
    ];
    let known = KNOWN.iter().find(|(code, _)| problem.contains(code));
    known.map_or(problem, |(_, text)| *text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn driver_must_be_as_new_as_the_toolkit() {
        for (driver, toolkit) in
            [(13000, "13.0"), (13010, "13.0"), (13000, "12.9"), (12040, "12.4"), (12040, "?")]
        {
            assert_eq!(check_driver(driver, toolkit), Ok(()), "{driver}, {toolkit}");
        }
        for (driver, toolkit, supported) in
            [(12080, "13.0", "12.8"), (12040, "12.9", "12.4"), (11080, "12.0", "11.8")]
        {
            let problem = check_driver(driver, toolkit).expect_err("too old");
            assert!(
                problem.contains(&format!("CUDA {supported},")) && problem.contains(toolkit),
                "{problem}"
            );
        }
    }

    #[test]
    fn capability_must_match_what_candle_is_built_for() {
        for (found, built_for) in [
            ((8, 0), "80"),
            ((9, 0), "80"),
            ((12, 0), "80"),
            ((9, 0), "90a"),
            ((12, 1), "121f"),
            ((7, 5), "75"),
        ] {
            assert_eq!(check_capability(found, built_for), Ok(()), "{found:?}, {built_for}");
        }
        for (found, built_for, advice) in [
            ((8, 0), "90a", "CUDA_COMPUTE_CAP=80"),
            ((10, 0), "90a", "CUDA_COMPUTE_CAP=80"),
            ((7, 5), "80", "CUDA_COMPUTE_CAP=75"),
            ((12, 0), "121f", "CUDA_COMPUTE_CAP=80"),
            ((13, 0), "121f", "CUDA_COMPUTE_CAP=80"),
        ] {
            let problem = check_capability(found, built_for).expect_err("not supported");
            assert!(problem.contains(advice) && problem.contains(built_for), "{problem}");
        }
    }

    #[test]
    fn kernels_need_ampere() {
        for found in [(8, 0), (8, 6), (9, 0), (10, 0)] {
            assert_eq!(check_kernel_capability(found), Ok(()));
        }
        let problem = check_kernel_capability((7, 5)).expect_err("not supported");
        assert!(problem.contains("this one has 7.5") && problem.contains("\"plain\""), "{problem}");
    }

    #[test]
    fn error_codes_are_explained() {
        let problem =
            "DriverError(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, \"the provided PTX was compiled with …\")";
        assert!(explain(problem).contains("update the driver"));
        assert_eq!(explain("CUDA_ERROR_LAUNCH_FAILED"), "CUDA_ERROR_LAUNCH_FAILED");
    }
}
