#!/usr/bin/env python3
"""Builds .gpu/glue-tui-gpu.tar.xz, the archive that benches/gpu/run.py runs on a machine with a GPU, without network or Cargo.

  benches/gpu/prepare.py                    # with a CUDA toolkit; docs/devices.md says what the build needs
  benches/gpu/prepare.py --features '' --profile dev    # for a dry run without CUDA

The archive contains the program and the tests of its engines. It contains neither weights nor data: both sides use random ones.
"""
import argparse, json, os, shutil, subprocess, tarfile, tempfile, time

p = argparse.ArgumentParser()
p.add_argument("--features", default="cuda", help="Cargo features; empty for a dry run on a machine without a CUDA toolkit")
p.add_argument("--profile", default="release", help="Cargo profile")
a = p.parse_args()
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTS = ["--lib", "--test", "golden", "--test", "gradients", "--test", "engines"]


def build():
    """Builds the program and the tests; returns the executables by their name in the archive."""
    features = ["--features", a.features] if a.features else []
    command = ["cargo", "test", "--no-run", "--locked", "--profile", a.profile, *features, *TESTS,
               "--message-format=json-render-diagnostics"]
    out = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    artifacts = [m for m in map(json.loads, out.splitlines()) if m.get("executable")]
    is_program = lambda m: m["target"]["kind"] == ["bin"]
    return {"glue-tui" if is_program(m) else f"test-{m['target']['name']}": m["executable"] for m in artifacts}


started = time.time()
programs = build()
git = lambda *arguments: subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()
about = {"commit": git("rev-parse", "--short", "HEAD"), "is_clean": not git("status", "--porcelain"), "root": root,
         "features": a.features, "profile": a.profile, "compute_cap": os.environ.get("CUDA_COMPUTE_CAP", "")}

os.makedirs(os.path.join(root, ".gpu"), exist_ok=True)
archive = os.path.join(root, ".gpu", "glue-tui-gpu.tar.xz")
with tempfile.TemporaryDirectory() as folder:
    for name, path in programs.items():
        shutil.copy(path, os.path.join(folder, name))
        subprocess.run(["strip", os.path.join(folder, name)], check=True)
    with open(os.path.join(folder, "about.json"), "w") as file:
        json.dump(about, file)
    with tarfile.open(archive, "w:xz", preset=6) as tar:
        for name in sorted(os.listdir(folder)):
            tar.add(os.path.join(folder, name), name)
print(f"{archive}: {os.path.getsize(archive) / 1e6:.1f} MB, {', '.join(sorted(programs))}, {time.time() - started:.0f} s")
