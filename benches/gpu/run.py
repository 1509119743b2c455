#!/usr/bin/env python3
"""Runs all device tests on a machine with a GPU, then compares the speed with PyTorch on the same GPU. Takes under 8 minutes.

  benches/gpu/run.py --to benches/results/gpu.json      # after benches/gpu/prepare.py, in the root of the repository

Requires Python with torch and transformers, and .gpu/glue-tui-gpu.tar.xz. Each row compares both sides on the same
workload, glue-tui first: random weights of a model shape, AdamW without weight decay and clipping. Throughput counts the
tokens of the text, without padding. PyTorch uses fused AdamW and SDPA, with random batches padded to the longest input or
batches of inputs of similar length. The results are written after each measurement, so that they are kept if time runs
out. The exit status is 1 if a test failed or was skipped, or if a row could not be measured.

--device cpu and --small are for testing this script.
"""
import argparse, datetime, json, os, re, shlex, subprocess, sys, tarfile, tempfile, time

p = argparse.ArgumentParser()
p.add_argument("--pack", help="the archive of benches/gpu/prepare.py")
p.add_argument("--to", help="a JSON file for the results")
p.add_argument("--device", default="cuda:0")
p.add_argument("--minutes", type=float, default=7.5, help="time limit: nothing starts or runs after it")
p.add_argument("--small", action="store_true", help="a small model and few steps")
a = p.parse_args()
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
started = time.time()
on_gpu = a.device != "cpu"
results = {"date": datetime.date.today().isoformat(), "tests": [], "speed": []}

# model shape, batch size, input lengths for glue-tui, options of the reference, engines of glue-tui, variants of PyTorch
DEFAULT, LENGTH = "--batching random", "--batching length"
ROWS = [
    ("distilbert", 32, "sst", "--task sst --data SST", ["fast", "plain"], [DEFAULT, LENGTH, LENGTH + " --compile"]),
    ("bert-large", 32, "sst", "--task sst --data SST", ["fast"], [DEFAULT, LENGTH, LENGTH + " --compile"]),
    ("bert-large", 64, "128", "--synthetic 128", ["fast"], [DEFAULT, DEFAULT + " --compile"]),
]
if a.small:
    ROWS = [("minilm", 8, "sst", "--task sst --data SST", ["fast", "plain"], [DEFAULT, LENGTH])]
STEPS, SECONDS = (12, 1) if a.small else (60, 3)
# Hidden size, layers and intermediate size of a shape.
SIZES = {"minilm": (384, 6, 1536), "distilbert": (768, 6, 3072), "bert-large": (1024, 24, 4096)}


def remaining():
    """Seconds until the time limit."""
    return a.minutes * 60 - (time.time() - started)


def record(**more):
    """Prints a result and writes all results so far."""
    print(json.dumps(more), flush=True)
    if a.to:
        os.makedirs(os.path.dirname(os.path.abspath(a.to)), exist_ok=True)
        with open(a.to, "w") as file:
            json.dump(results | {"seconds": round(time.time() - started)}, file, indent=1)
            file.write("\n")


def run(command, seconds, folder):
    """Returns exit status, stdout and stderr; the status is 124 after a timeout."""
    seconds = min(seconds, remaining())
    if seconds < 5:
        return 124, "", "the time limit was reached"
    try:
        done = subprocess.run(command, cwd=folder, env=environment, timeout=seconds, text=True, capture_output=True)
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as timeout:
        stderr = timeout.stderr or b""
        return 124, "", f"timed out after {seconds:.0f} s\n" + (stderr.decode() if isinstance(stderr, bytes) else stderr)[-500:]


def libraries():
    """Folders of cuBLAS and cuRAND, which are installed with PyTorch."""
    try:
        import nvidia
    except ImportError:
        return []
    return [path for base in nvidia.__path__ for path in (f"{base}/cu13/lib", f"{base}/cublas/lib", f"{base}/curand/lib") if os.path.isdir(path)]


environment = os.environ | {"LD_LIBRARY_PATH": ":".join(libraries() + [os.environ.get("LD_LIBRARY_PATH", "")]), "HF_HUB_OFFLINE": "1"}


def tests(folder, names):
    """Runs test programs, given as {name: arguments}."""
    for name, arguments in names.items():
        path = os.path.join(folder, f"test-{name}")
        status, out, err = run([path, *arguments, "--nocapture"], 150, folder)
        counts = [tuple(map(int, found)) for found in re.findall(r"(\d+) passed; (\d+) failed", out)]
        test = {"name": name, "status": status, "passed": sum(c[0] for c in counts), "failed": sum(c[1] for c in counts),
                "skipped": sorted(set(re.findall(r"SKIPPED: .*", out + err)))}
        if status:
            test["output_tail"] = (out + err)[-3000:]
        results["tests"].append(test)
        record(**test)


def gemm_teraflops():
    """Throughput of a large bf16 GEMM on this GPU, in TFLOP/s."""
    code = """
import time, torch
a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16); b = torch.randn_like(a)
for _ in range(5): a @ b
torch.cuda.synchronize(); started = time.perf_counter()
for _ in range(50): a @ b
torch.cuda.synchronize(); print(50 * 2 * 8192 ** 3 / (time.perf_counter() - started) / 1e12)
"""
    status, out, err = run([sys.executable, "-c", code], 60, root)
    return round(float(out), 1) if status == 0 else None


def glue_tui(row, engine, folder):
    shape, batch, lengths = row[:3]
    values = [f"engine={engine}", "precision=bf16", "logging_steps=20", "max_grad_norm=0", "weight_decay=0"]
    command = [os.path.join(folder, "glue-tui"), "--json", "--device", a.device, "bench", "--shape", shape, "--batch", str(batch),
               "--lengths", lengths, "--seconds", str(SECONDS)]
    status, out, err = run(command + [argument for value in values for argument in ("--set", value)], 90, folder)
    if status:
        return {"side": f"glue-tui {engine}", "error": err[-1500:]}
    report = json.loads(out)
    return {"side": f"glue-tui {engine}", "device": report["device"], "precision": report["precision"],
            "tokens_per_second": report["training"]["tokens_per_second"], "examples_per_second": report["training"]["examples_per_second"],
            "ms_per_step": report["training"]["median_ms"], "one_input_ms": report["one_input"]["median_ms"]}


def pytorch(row, variant, folder):
    shape, batch, _, workload, *_ = row
    command = [sys.executable, "reference_train.py", "--model", "tokenizer", "--shape", shape, *shlex.split(workload), "--skip-eval", "--fused",
               "--precision", "bf16", "--batch", str(batch), "--max-steps", str(STEPS), *shlex.split(variant)]
    seconds = 100 if "--compile" in variant else 45
    status, out, err = run(command + (["--device", "cpu"] if not on_gpu else []), seconds, folder)
    if status:
        return {"side": f"PyTorch {variant}", "error": err[-1500:]}
    report = json.loads(out.splitlines()[-1])
    return {"side": f"PyTorch {variant}", "tokens_per_second": report["tokens_per_second"], "examples_per_second": report["examples_per_second"]}


def teraflops(row, side):
    """TFLOP/s of the layers' GEMMs in forward and backward pass, without padding."""
    h, layers, i = SIZES[row[0]]
    return 6 * layers * (4 * h * h + 2 * h * i) * side["tokens_per_second"] / 1e12


def speed(row, folder, peak):
    """Measures one row on both sides."""
    sides = [glue_tui(row, engine, folder) for engine in row[4]] + [pytorch(row, variant, folder) for variant in row[5]]
    first = sides[0]
    for side in sides:
        if "error" not in side and "error" not in first:
            side["ratio"] = round(first["tokens_per_second"] / side["tokens_per_second"], 3)
    line = {"row": f"{row[0]}, batch {row[1]}, {row[2]} tokens, bf16", "sides": sides}
    if peak and "error" not in first:
        line["fraction_of_gemm_peak"] = round(teraflops(row, first) / peak, 3)
    results["speed"].append(line)
    record(**line)


pack = a.pack or os.path.join(root, ".gpu", "glue-tui-gpu.tar.xz")
with tempfile.TemporaryDirectory() as folder:
    with tarfile.open(pack) as tar:
        tar.extractall(folder, filter="data")
    with open(os.path.join(folder, "about.json")) as file:
        results["about"] = json.load(file)
    # The tests contain the absolute path of the repository that they were built in.
    if not os.path.exists(results["about"]["root"]):
        os.makedirs(os.path.dirname(results["about"]["root"]), exist_ok=True)
        os.symlink(root, results["about"]["root"])
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    results["gpu"] = run(query, 20, folder)[1].strip() if on_gpu else "none: test of the script"
    import torch, transformers
    results |= {"torch": torch.__version__, "transformers": transformers.__version__}
    del torch
    tests(folder, {"glue_tui": ["nn::"], "golden": [], "gradients": []})
    peak = gemm_teraflops() if on_gpu else None
    results["gemm_teraflops"] = peak
    for row in ROWS:
        speed(row, folder, peak)
    # The longest tests run last, in the remaining time.
    if not a.small:
        tests(folder, {"engines": []})
    record(done=True)
failures = [test["name"] for test in results["tests"] if test["status"] or (on_gpu and test["skipped"])]
failures += [f"{line['row']}: {side['side']}" for line in results["speed"] for side in line["sides"] if "error" in side]
sys.exit("failed: " + "; ".join(failures) if failures else 0)
