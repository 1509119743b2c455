#!/usr/bin/env python3
"""Builds .gpu/glue-tui-gpu.tar.xz, the archive that benches/gpu/run.py runs on a machine with a GPU, without network or Cargo.

  source .../env.sh   # a CUDA toolkit; see README.md
  benches/gpu/prepare.py --reference ../shared/scripts/reference_train.py --tokenizer DIR --data ../shared/data/SST

The archive contains the program and the tests of its engines, built with --features cuda; the PyTorch script to compare
with; a tokenizer; and a dataset. It contains no weights: both sides use random ones.
"""
import argparse, json, os, shutil, subprocess, tarfile, tempfile, time

p = argparse.ArgumentParser()
p.add_argument("--reference", required=True, help="reference_train.py")
p.add_argument("--tokenizer", required=True, help="a model folder, of which the tokenizer and the configuration are packed")
p.add_argument("--data", required=True, help="the folder of the SST dataset")
p.add_argument("--features", default="cuda", help="Cargo features; empty for a dry run on a machine without a CUDA toolkit")
a = p.parse_args()
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTS = ["--lib", "--test", "golden", "--test", "gradients", "--test", "engines"]


def cargo(*arguments):
    """Runs Cargo and returns the executables that it built, by target name."""
    features = ["--features", a.features] if a.features else []
    command = ["cargo", *arguments, "--release", "--locked", *features, "--message-format=json-render-diagnostics"]
    out = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = (json.loads(line) for line in out.splitlines())
    return {m["target"]["name"]: m["executable"] for m in messages if m.get("executable") and (m["profile"]["test"] or arguments[0] == "build")}


started = time.time()
programs = {"glue-tui": cargo("build")["glue-tui"]}
programs |= {f"test-{name}": path for name, path in cargo("test", "--no-run", *TESTS).items()}
git = lambda *arguments: subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()
about = {"commit": git("rev-parse", "--short", "HEAD"), "is_clean": not git("status", "--porcelain"), "root": root,
         "features": a.features, "compute_cap": os.environ.get("CUDA_COMPUTE_CAP", "")}

os.makedirs(os.path.join(root, ".gpu"), exist_ok=True)
archive = os.path.join(root, ".gpu", "glue-tui-gpu.tar.xz")
with tempfile.TemporaryDirectory() as folder:
    for name, path in programs.items():
        shutil.copy(path, os.path.join(folder, name))
        subprocess.run(["strip", os.path.join(folder, name)], check=True)
    shutil.copy(a.reference, os.path.join(folder, "reference_train.py"))
    os.mkdir(os.path.join(folder, "tokenizer"))
    for name in os.listdir(a.tokenizer):
        if name in ("config.json", "vocab.txt") or name.startswith(("tokenizer", "special_tokens")):
            shutil.copy(os.path.join(a.tokenizer, name), os.path.join(folder, "tokenizer"))
    os.mkdir(os.path.join(folder, "SST"))
    for name in ("train.txt", "dev.txt"):
        shutil.copy(os.path.join(a.data, name), os.path.join(folder, "SST"))
    with open(os.path.join(folder, "about.json"), "w") as file:
        json.dump(about, file)
    with tarfile.open(archive, "w:xz", preset=6) as tar:
        for name in sorted(os.listdir(folder)):
            tar.add(os.path.join(folder, name), name)
print(f"{archive}: {os.path.getsize(archive) / 1e6:.1f} MB, {', '.join(sorted(programs))}, {time.time() - started:.0f} s")
