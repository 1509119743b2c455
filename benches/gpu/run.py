#!/usr/bin/env python3
"""On a machine with a GPU: all device tests, then speed beside PyTorch on the same GPU. Under eight minutes.

  benches/gpu/run.py --to benches/results/gpu.json      # after benches/gpu/prepare.py, in the project's folder

Needs Python with torch and transformers, and .gpu/glue-tui-gpu.tar.xz. Each row is both sides on the same work, ours
first: random weights of a shape, AdamW without decay and clipping, tokens of real text only counted. PyTorch has its
fused AdamW and sdpa; `default` is random batches padded to the longest, `length` batches of similar length. The file is
written after each step, so that what was measured stays when time runs out; the exit status is 1 if a test failed,
was left out, or a row could not be measured.

--device cpu and --small are for a look at the script itself.
"""
import argparse, datetime, json, os, re, shlex, subprocess, sys, tarfile, tempfile, time

p = argparse.ArgumentParser()
p.add_argument("--pack", help="what benches/gpu/prepare.py made")
p.add_argument("--to", help="a JSON file for the results")
p.add_argument("--device", default="cuda:0")
p.add_argument("--minutes", type=float, default=7.5, help="no step is begun later, and each ends by then")
p.add_argument("--small", action="store_true", help="a small model and few steps")
a = p.parse_args()
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
begun = time.time()
on_gpu = a.device != "cpu"
results = {"date": datetime.date.today().isoformat(), "tests": [], "speed": []}

# shape, batch, lengths of glue-tui, words of the reference; engines of glue-tui; ways of PyTorch
DEFAULT, LENGTH = "--batching random", "--batching length"
ROWS = [
    ("distilbert", 32, "sst", "--task sst --data SST", ["fast", "plain"], [DEFAULT, LENGTH, LENGTH + " --compile"]),
    ("bert-large", 32, "sst", "--task sst --data SST", ["fast"], [DEFAULT, LENGTH, LENGTH + " --compile"]),
    ("bert-large", 64, "128", "--synthetic 128", ["fast"], [DEFAULT, DEFAULT + " --compile"]),
]
if a.small:
    ROWS = [("minilm", 8, "sst", "--task sst --data SST", ["fast", "plain"], [DEFAULT, LENGTH])]
STEPS, SECONDS = (12, 1) if a.small else (60, 3)
# hidden, layers, intermediate of a shape: the matrices that products read.
SIZES = {"minilm": (384, 6, 1536), "distilbert": (768, 6, 3072), "bert-large": (1024, 24, 4096)}


def left():
    return a.minutes * 60 - (time.time() - begun)


def say(**more):
    print(json.dumps(more), flush=True)
    if a.to:
        os.makedirs(os.path.dirname(os.path.abspath(a.to)), exist_ok=True)
        with open(a.to, "w") as file:
            json.dump(results | {"seconds": round(time.time() - begun)}, file, indent=1)
            file.write("\n")


def run(command, seconds, folder):
    """Exit status and output of both kinds; 124 when it took too long."""
    seconds = min(seconds, left())
    if seconds < 5:
        return 124, "", "no time was left for it"
    try:
        done = subprocess.run(command, cwd=folder, env=environment, timeout=seconds, text=True, capture_output=True)
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as timeout:
        stderr = timeout.stderr or b""
        return 124, "", f"timed out after {seconds:.0f} s\n" + (stderr.decode() if isinstance(stderr, bytes) else stderr)[-500:]


def libraries():
    """cuBLAS and its like come with PyTorch."""
    try:
        import nvidia
    except ImportError:
        return []
    return [path for base in nvidia.__path__ for path in (f"{base}/cu13/lib", f"{base}/cublas/lib", f"{base}/curand/lib") if os.path.isdir(path)]


environment = os.environ | {"LD_LIBRARY_PATH": ":".join(libraries() + [os.environ.get("LD_LIBRARY_PATH", "")]), "HF_HUB_OFFLINE": "1"}


def tests(folder, names):
    for name, words in names.items():
        path = os.path.join(folder, f"test-{name}")
        status, out, err = run([path, *words, "--nocapture"], 150, folder)
        counts = [tuple(map(int, found)) for found in re.findall(r"(\d+) passed; (\d+) failed", out)]
        test = {"name": name, "status": status, "passed": sum(c[0] for c in counts), "failed": sum(c[1] for c in counts),
                "left_out": sorted(set(re.findall(r"SKIPPED: .*", out + err)))}
        if status:
            test["end"] = (out + err)[-3000:]
        results["tests"].append(test)
        say(**test)


def product_rate():
    """bf16 products of this GPU alone, in 10^12 operations a second."""
    code = """
import time, torch
a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16); b = torch.randn_like(a)
for _ in range(5): a @ b
torch.cuda.synchronize(); begun = time.perf_counter()
for _ in range(50): a @ b
torch.cuda.synchronize(); print(50 * 2 * 8192 ** 3 / (time.perf_counter() - begun) / 1e12)
"""
    status, out, err = run([sys.executable, "-c", code], 60, root)
    return round(float(out), 1) if status == 0 else None


def ours(row, engine, folder):
    shape, batch, lengths = row[:3]
    values = [f"engine={engine}", "precision=bf16", "logging_steps=20", "max_grad_norm=0", "weight_decay=0"]
    command = [os.path.join(folder, "glue-tui"), "--json", "--device", a.device, "bench", "--shape", shape, "--batch", str(batch),
               "--lengths", lengths, "--seconds", str(SECONDS)]
    status, out, err = run(command + [word for value in values for word in ("--set", value)], 90, folder)
    if status:
        return {"side": f"glue-tui {engine}", "problem": err[-1500:]}
    report = json.loads(out)
    return {"side": f"glue-tui {engine}", "device": report["device"], "precision": report["precision"],
            "tokens_per_second": report["training"]["tokens_per_second"], "examples_per_second": report["training"]["examples_per_second"],
            "ms_per_step": report["training"]["median_ms"], "one_input_ms": report["one_input"]["median_ms"]}


def theirs(row, way, folder):
    shape, batch, _, work, *_ = row
    command = [sys.executable, "reference_train.py", "--model", "tokenizer", "--shape", shape, *shlex.split(work), "--skip-eval", "--fused",
               "--precision", "bf16", "--batch", str(batch), "--max-steps", str(STEPS), *shlex.split(way)]
    seconds = 100 if "--compile" in way else 45
    status, out, err = run(command + (["--device", "cpu"] if not on_gpu else []), seconds, folder)
    if status:
        return {"side": f"PyTorch {way}", "problem": err[-1500:]}
    report = json.loads(out.splitlines()[-1])
    return {"side": f"PyTorch {way}", "tokens_per_second": report["tokens_per_second"], "examples_per_second": report["examples_per_second"]}


def teraflops(row, side):
    """Products of the layers, forward and backward, for the tokens that there are."""
    h, layers, i = SIZES[row[0]]
    return 6 * layers * (4 * h * h + 2 * h * i) * side["tokens_per_second"] / 1e12


def speed(row, folder, rate):
    sides = [ours(row, engine, folder) for engine in row[4]] + [theirs(row, way, folder) for way in row[5]]
    first = sides[0]
    for side in sides:
        if "problem" not in side and "problem" not in first:
            side["ratio"] = round(first["tokens_per_second"] / side["tokens_per_second"], 3)
    line = {"row": f"{row[0]}, batch {row[1]}, {row[2]} tokens, bf16", "sides": sides}
    if rate and "problem" not in first:
        line["share_of_products"] = round(teraflops(row, first) / rate, 3)
    results["speed"].append(line)
    say(**line)


pack = a.pack or os.path.join(root, ".gpu", "glue-tui-gpu.tar.xz")
with tempfile.TemporaryDirectory() as folder:
    with tarfile.open(pack) as tar:
        tar.extractall(folder, filter="data")
    with open(os.path.join(folder, "about.json")) as file:
        results["about"] = json.load(file)
    # The tests know their files by the place that they were built at.
    if not os.path.exists(results["about"]["root"]):
        os.makedirs(os.path.dirname(results["about"]["root"]), exist_ok=True)
        os.symlink(root, results["about"]["root"])
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    results["gpu"] = run(query, 20, folder)[1].strip() if on_gpu else "none: a look at the script"
    import torch, transformers
    results |= {"torch": torch.__version__, "transformers": transformers.__version__}
    del torch
    tests(folder, {"glue_tui": ["nn::"], "golden": [], "gradients": []})
    rate = product_rate() if on_gpu else None
    results["product_teraflops"] = rate
    for row in ROWS:
        speed(row, folder, rate)
    # Models of every shape on every engine: the longest, so it takes what time is left.
    if not a.small:
        tests(folder, {"engines": []})
    say(done=True)
wrong = [test["name"] for test in results["tests"] if test["status"] or (on_gpu and test["left_out"])]
wrong += [f"{line['row']}: {side['side']}" for line in results["speed"] for side in line["sides"] if "problem" in side]
sys.exit("not as it should be: " + "; ".join(wrong) if wrong else 0)
