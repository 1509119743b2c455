#!/usr/bin/env python3
"""Runs the tests of the engines on a machine with a GPU, and compares the speed with PyTorch on the same GPU, in two calls:

  benches/gpu/run.py tests --to benches/results/gpu.json      # after benches/gpu/prepare.py, in the root of the repository
  benches/gpu/run.py speed --to benches/results/gpu.json

Each call takes under eight minutes. --plan prints its steps with their time limits. The calls need Python with PyTorch, the second
also Transformers, and .gpu/glue-tui-gpu.tar.xz. Both write to the same file, after every step, so that results are kept if time
runs out. The exit status is 1 if a test failed, was skipped without being in KNOWN_SKIPS, or a side failed. A variant of PyTorch that does not fit in the time
is skipped.

Both sides train on the same workload: random weights of a model shape, AdamW without weight decay and clipping, bf16, batches that
are prepared beforehand in host memory, and a loss that is read every 20 steps. benches/gpu/pytorch.py lists PyTorch's variants.

--device cpu with --small runs the whole sequence on a small model, to test this script.
"""
import argparse, datetime, json, os, re, subprocess, sys, tarfile, tempfile, time

p = argparse.ArgumentParser()
p.add_argument("part", choices=["tests", "speed"])
p.add_argument("--pack", help="the archive of benches/gpu/prepare.py")
p.add_argument("--to", help="a JSON file for the results, shared by both parts")
p.add_argument("--device", default="cuda:0")
p.add_argument("--small", action="store_true", help="a small model, and few tests and steps")
p.add_argument("--plan", action="store_true", help="print the steps and their time limits, and run nothing")
a = p.parse_args()
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
started = time.time()
on_gpu = a.device != "cpu"
LIMIT = 470  # seconds of a call

# What may be skipped on a machine with a GPU: checks of the CPU, and of kernels compiled for it.
KNOWN_SKIPS = ["packed products:", "GLUE_TUI_MINILM names no folder", "AMX products:", "bf16: this CPU", "the GPU kernels cannot run on the CPU",
               "the GPU kernels were not checked by AddressSanitizer"]
# Without a GPU, also all that needs one.
if not on_gpu:
    KNOWN_SKIPS += ["no GPU:", "engines on a GPU:"]

# Model shape, batch size, input lengths, engines of glue-tui.
WORKLOADS = [("distilbert", 32, "sst", ["fast", "plain"]), ("bert-large", 32, "sst", ["fast"]), ("bert-large", 64, "128", ["fast"])]
EAGER = "random,length,packed,packed-varlen"
SECONDS = 3
if a.small:
    WORKLOADS, SECONDS = [("minilm", 4, "sst", ["fast", "plain"])], 0.5
# Hidden size, layers and intermediate size of a shape.
SIZES = {"minilm": (384, 6, 1536), "distilbert": (768, 6, 3072), "bert-large": (1024, 24, 4096)}


def remaining():
    """Seconds until the time limit."""
    return LIMIT - (time.time() - started)


def run(command, seconds, folder):
    """Returns exit status, stdout and stderr; the status is 124 after a timeout, and output so far is kept."""
    seconds = min(seconds, remaining())
    if seconds < 5:
        return 124, "", "no time was left"
    text = lambda x: x.decode(errors="replace") if isinstance(x, bytes) else x or ""
    try:
        done = subprocess.run(command, cwd=folder, env=environment, timeout=seconds, text=True, capture_output=True)
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as timeout:
        return 124, text(timeout.stdout), text(timeout.stderr) + f"\ntimed out after {seconds:.0f} s"


def libraries():
    """Folders of the CUDA libraries that are installed with PyTorch."""
    try:
        import nvidia
    except ImportError:
        return []
    parts = ["cu13", "cublas", "curand", "cuda_nvrtc", "cuda_runtime"]
    folders = [os.path.join(base, part, "lib") for base in nvidia.__path__ for part in parts]
    return [folder for folder in folders if os.path.isdir(folder)]


environment = os.environ | {"LD_LIBRARY_PATH": ":".join(libraries() + [os.environ.get("LD_LIBRARY_PATH", "")]), "HF_HUB_OFFLINE": "1"}


def step_tests(name, filters):
    """A step that runs a test program with the given filters."""
    def work(folder, seconds):
        status, out, err = run([os.path.join(folder, f"test-{name}"), *filters, "--nocapture"], seconds, folder)
        counts = [tuple(map(int, found)) for found in re.findall(r"(\d+) passed; (\d+) failed", out)]
        skips = sorted(set(re.findall(r"SKIPPED: .*", out + err)))
        unknown = [skip for skip in skips if not any(known in skip for known in KNOWN_SKIPS)]
        test = {"name": name, "filters": filters, "status": status, "passed": sum(c[0] for c in counts),
                "failed": sum(c[1] for c in counts), "skipped": skips, "unexpectedly_skipped": unknown}
        if status:
            test["output_tail"] = (out + err)[-3000:]
        results["tests"] = [old for old in results["tests"] if (old["name"], old["filters"]) != (name, filters)] + [test]
        return test, [name] * bool(status or unknown or not test["passed"])
    return work


def step_doctor(folder, seconds):
    """What the program says about the machine."""
    status, out, err = run([os.path.join(folder, "glue-tui"), "doctor", "--json"], seconds, folder)
    found = json.loads(out) if status == 0 else {"error": err[-1500:]}
    results["doctor"] = {key: found.get(key) for key in ("cpu", "devices", "cuda", "error") if key in found}
    usable = any(device["name"] == a.device and device["usable"] for device in found.get("devices", []))
    return results["doctor"], [] if usable else ["doctor: the device is not usable"]


def step_peak(folder, seconds):
    """Throughput of a large bf16 GEMM on this GPU, in TFLOP/s."""
    code = """
import time, torch
a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16); b = torch.randn_like(a)
for _ in range(5): a @ b
torch.cuda.synchronize(); started = time.perf_counter()
for _ in range(50): a @ b
torch.cuda.synchronize(); print(50 * 2 * 8192 ** 3 / (time.perf_counter() - started) / 1e12)
"""
    status, out, err = run([sys.executable, "-c", code], seconds, root)
    results["gemm_teraflops"] = round(float(out), 1) if status == 0 else None
    return {"gemm_teraflops": results["gemm_teraflops"]}, [] if status == 0 else ["GEMM"]


def name_of(workload):
    shape, batch, lengths = workload[:3]
    return f"{shape}, batch {batch}, {lengths} tokens, bf16"


def add_side(workload, side):
    """Adds a measurement to the results, in place of an earlier one."""
    row = next((row for row in results["speed"] if row["row"] == name_of(workload)), None)
    if row is None:
        results["speed"].append(row := {"row": name_of(workload), "sides": []})
    row["sides"] = [old for old in row["sides"] if old["side"] != side["side"]] + [side]
    first = next((side for side in row["sides"] if side["side"] == "glue-tui fast"), {})
    for side in row["sides"]:
        if "tokens_per_second" in side and "tokens_per_second" in first:
            # How many times as fast as this side glue-tui's fast engine is.
            side["ratio"] = round(first["tokens_per_second"] / side["tokens_per_second"], 3)
    if results.get("gemm_teraflops") and "tokens_per_second" in first:
        h, layers, i = SIZES[workload[0]]
        flops = 6 * layers * (4 * h * h + 2 * h * i) * first["tokens_per_second"]
        row["fraction_of_gemm_peak"] = round(flops / 1e12 / results["gemm_teraflops"], 3)


def step_glue_tui(workload, engine):
    """A step that measures an engine of glue-tui."""
    def work(folder, seconds):
        shape, batch, lengths = workload[:3]
        values = [f"engine={engine}", "precision=bf16", f"logging_steps={1 if a.small else 20}", "max_grad_norm=0", "weight_decay=0"]
        command = [os.path.join(folder, "glue-tui"), "--json", "--device", a.device, "bench", "--shape", shape, "--batch", str(batch),
                   "--lengths", lengths, "--seconds", str(SECONDS)]
        status, out, err = run(command + [argument for value in values for argument in ("--set", value)], seconds, folder)
        side = {"side": f"glue-tui {engine}"}
        if status:
            side["error"] = err[-1500:]
        else:
            report = json.loads(out)
            training = report["training"]
            side |= {key: report[key] for key in ("device", "precision", "notes")}
            side |= {key: training[key] for key in ("tokens_per_second", "examples_per_second", "rounds")}
            side |= {"ms_per_step": training["median_ms"], "one_input_ms": report["one_input"]["median_ms"],
                     "inference_tokens_per_second": report["inference"]["tokens_per_second"]}
        add_side(workload, side)
        return {"row": name_of(workload)} | side, [f"{name_of(workload)}: {side['side']}"] * ("error" in side)
    return work


def step_pytorch(workloads, variants):
    """A step that measures variants of PyTorch in one process."""
    def work(folder, seconds):
        command = [sys.executable, os.path.join(root, "benches", "gpu", "pytorch.py"), "--workloads", json.dumps([w[:3] for w in workloads]),
                   "--variants", variants, "--device", a.device, "--seconds", str(SECONDS), "--deadline", str(max(seconds - 25, 1))]
        status, out, err = run(command, seconds, root)
        found = [json.loads(line) for line in out.splitlines() if line.startswith("{") and line.endswith("}")]
        failures = []
        for workload in workloads:
            for variant in variants.split(","):
                side = next((line for line in found if line["workload"] == list(workload[:3]) and line["side"] == f"PyTorch {variant}"), None)
                missing = {"skipped": "the time limit was reached"} if status == 124 else {"error": err[-1500:]}
                side = side or {"side": f"PyTorch {variant}"} | missing
                side = {key: value for key, value in side.items() if key != "workload"}
                add_side(workload, side)
                failures += [f"{name_of(workload)}: {side['side']}"] * ("error" in side)
        return {"pytorch": variants, "status": status, "measured": len(found)}, failures
    return work


# Name, time limit in seconds, work. The limits of a part add up to at most LIMIT; what a step leaves is given to the later ones.
if a.part == "tests":
    # The tests of kernels and engines take longest in an unoptimized build; on a GPU, kernels are compiled at first use.
    STEPS = [("doctor", 30, step_doctor), ("kernels", 120, step_tests("glue_tui", ["nn::cuda"])),
             ("golden", 60, step_tests("golden", [])), ("gradients", 60, step_tests("gradients", [])),
             ("unit tests", 60, step_tests("glue_tui", ["nn::plain", "nn::self_check", "nn::device", "nn::cuda_requirements"])),
             ("engines", 120, step_tests("engines", []))]
    if a.small:
        kernels = step_tests("glue_tui", ["nn::cuda::tests::kernels::", "nn::cuda::tests::head::", "nn::cuda::tests::plain::"])
        STEPS = [(name, seconds, kernels if name == "kernels" else work) for name, seconds, work in STEPS if name != "engines"]
else:
    STEPS = [("GEMM", 40, step_peak)] if on_gpu else []
    STEPS += [(f"glue-tui {engine}, {name_of(w)}", 40, step_glue_tui(w, engine)) for w in WORKLOADS for engine in w[3]]
    STEPS += [("PyTorch eager", 110, step_pytorch(WORKLOADS, EAGER))]
    # Inputs of one length first: a graph for all shapes takes longest to compile.
    for w in reversed(WORKLOADS):
        variant = "random-compile" if w[2].isdigit() else "length-compile"
        STEPS.append((f"PyTorch compiled, {name_of(w)}", 50, step_pytorch([w], variant)))

total = sum(seconds for _, seconds, _ in STEPS)
assert total <= LIMIT, f"{total} s planned, {LIMIT} s allowed"
if a.plan:
    for name, seconds, _ in STEPS:
        print(f"{seconds:4} s  {name}")
    print(f"{total:4} s  at most, of {LIMIT} s")
    sys.exit()

results = {"tests": [], "speed": [], "steps": {}}
if a.to and os.path.exists(a.to):
    with open(a.to) as file:
        results |= json.load(file)


def save():
    if a.to:
        os.makedirs(os.path.dirname(os.path.abspath(a.to)), exist_ok=True)
        with open(a.to, "w") as file:
            json.dump(results, file, indent=1)
            file.write("\n")


failures = []
with tempfile.TemporaryDirectory() as folder:
    with tarfile.open(a.pack or os.path.join(root, ".gpu", "glue-tui-gpu.tar.xz")) as tar:
        tar.extractall(folder, filter="data")
    with open(os.path.join(folder, "about.json")) as file:
        about = json.load(file)
    if results.setdefault("about", about) != about:
        sys.exit(f"{a.to} has results of another build; delete it or name another file")
    # The tests contain the absolute path of the repository that they were built in.
    if not os.path.exists(about["root"]):
        os.makedirs(os.path.dirname(about["root"]), exist_ok=True)
        os.symlink(root, about["root"])
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    results |= {"date": datetime.date.today().isoformat(), "device": a.device, "is_small": a.small,
                "gpu": run(query, 20, folder)[1].strip() if on_gpu else "none: a dry run"}
    if a.part == "speed":
        versions = "import json, torch, transformers; print(json.dumps({'torch': torch.__version__, 'transformers': transformers.__version__}))"
        status, out, err = run([sys.executable, "-c", versions], 60, folder)
        results |= json.loads(out) if status == 0 else {"torch": None}
    steps = results["steps"][a.part] = []
    for index, (name, seconds, work) in enumerate(STEPS):
        begin = time.time()
        spare = remaining() - sum(later for _, later, _ in STEPS[index:])
        output, failed = work(folder, seconds + max(0, spare))
        failures += failed
        steps.append({"step": name, "limit": seconds, "seconds": round(time.time() - begin, 1)})
        print(json.dumps(steps[-1] | {"result": output}), flush=True)
        save()
results["seconds_of_" + a.part] = round(time.time() - started, 1)
save()
print(f"{results['seconds_of_' + a.part]} s of {LIMIT} s")
sys.exit("failed: " + "; ".join(failures) if failures else 0)
