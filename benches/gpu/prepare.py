#!/usr/bin/env python3
"""Makes .gpu/glue-tui-gpu.tar.xz: all that benches/gpu/run.py needs on a machine with a GPU, and neither network nor cargo.

  source .../env.sh   # a CUDA toolkit; see README.md
  benches/gpu/prepare.py --reference ../shared/scripts/reference_train.py --tokenizer DIR --data ../shared/data/SST

In it: the program and the tests of its engines, built with --features cuda; the other side of the comparison; a
tokenizer; and sentences for it. No weights: both sides make random ones. On the machine: benches/gpu/run.py.
"""
import argparse, json, os, shutil, subprocess, tarfile, tempfile, time

p = argparse.ArgumentParser()
p.add_argument("--reference", required=True, help="reference_train.py")
p.add_argument("--tokenizer", required=True, help="a model folder; of it, the tokenizer and the configuration")
p.add_argument("--data", required=True, help="the treebank")
p.add_argument("--features", default="cuda", help="empty: a dry run on a machine without a toolkit")
a = p.parse_args()
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTS = ["--lib", "--test", "golden", "--test", "gradients", "--test", "engines"]


def cargo(*words):
    features = ["--features", a.features] if a.features else []
    command = ["cargo", *words, "--release", "--locked", *features, "--message-format=json-render-diagnostics"]
    out = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    made = (json.loads(line) for line in out.splitlines())
    return {m["target"]["name"]: m["executable"] for m in made if m.get("executable") and (m["profile"]["test"] or words[0] == "build")}


begun = time.time()
programs = {"glue-tui": cargo("build")["glue-tui"]}
programs |= {f"test-{name}": path for name, path in cargo("test", "--no-run", *TESTS).items()}
git = lambda *words: subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()
about = {"commit": git("rev-parse", "--short", "HEAD"), "is_clean": not git("status", "--porcelain"), "root": root,
         "features": a.features, "compute_cap": os.environ.get("CUDA_COMPUTE_CAP", "")}

os.makedirs(os.path.join(root, ".gpu"), exist_ok=True)
packed = os.path.join(root, ".gpu", "glue-tui-gpu.tar.xz")
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
    with tarfile.open(packed, "w:xz", preset=6) as tar:
        for name in sorted(os.listdir(folder)):
            tar.add(os.path.join(folder, name), name)
print(f"{packed}: {os.path.getsize(packed) / 1e6:.1f} MB, {', '.join(sorted(programs))}, {time.time() - begun:.0f} s")
