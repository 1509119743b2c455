//! The tests of the kernels once more, with AddressSanitizer and shuffled threads. They run in a process of their own,
//! since AddressSanitizer must be loaded first.

use super::super::host;
use super::super::ops::weights_to_bf16;
use super::*;
use std::path::Path;
use std::process::{Command, Output};

/// The library of AddressSanitizer that the C++ compiler uses.
fn address_sanitizer() -> Result<String, String> {
    let output = host::compiler().arg("-print-file-name=libasan.so").output().map_err(|e| e.to_string())?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if Path::new(&path).is_absolute() { Ok(path) } else { Err("the C++ compiler has no libasan.so".into()) }
}

/// Runs tests of this program with the checked kernels in `library`.
fn run_tests(library: &Path, sanitizer: &str, arguments: &[&str]) -> Output {
    Command::new(std::env::current_exe().expect("this program"))
        .args(arguments)
        .args(["--test-threads=1", "--nocapture"])
        .env("LD_PRELOAD", sanitizer)
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .env(host::LIBRARY, library)
        .env(host::THREAD_ORDER, "7")
        .output()
        .expect("a process")
}

#[test]
fn kernels_pass_address_sanitizer() {
    // The tests that this one starts.
    if std::env::var_os(host::LIBRARY).is_some() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["-fsanitize=address", "-fno-omit-frame-pointer", "-g1", "-O1"];
    let prepared =
        address_sanitizer().and_then(|sanitizer| Ok((sanitizer, host::compile(folder.path(), &flags)?)));
    let (sanitizer, library) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => return eprintln!("SKIPPED: the GPU kernels were not checked by AddressSanitizer: {why}"),
    };
    let tests = ["ops", "pre_norm", "head", "attention", "plain"]
        .map(|file| format!("nn::cuda::tests::{file}::on_cpu"));
    let output = run_tests(&library, &sanitizer, &tests.each_ref().map(String::as_str));
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !text.contains("SKIPPED"), "{text}");
    for test in &tests {
        assert!(text.contains(&format!("test {test}")), "no test of {test} ran: {text}");
    }

    let control = "nn::cuda::tests::sanitizer::write_out_of_bounds";
    let output = run_tests(&library, &sanitizer, &[control, "--exact", "--ignored"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("heap-buffer-overflow"), "not detected: {text}");
}

/// Not a test, but the proof that AddressSanitizer is at work: it stops this function.
#[test]
#[ignore = "runs as a part of kernels_pass_address_sanitizer"]
fn write_out_of_bounds() {
    if std::env::var_os(host::LIBRARY).is_none() {
        return;
    }
    let mut fixture = Fixture::new(host::host_device().expect("kernels"));
    let weights = fixture.f32s(&[1.0; 1000]);
    let buffer: DeviceSlice<Bf16> = fixture.allocate(1000 - 256);
    let too_long = DeviceSlice::new(buffer.address(), 1000);
    weights_to_bf16(&mut fixture.device, weights, too_long).expect("a launch");
}
