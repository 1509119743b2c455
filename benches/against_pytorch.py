#!/usr/bin/env python3
"""Compares speed, latency and memory of glue-tui with PyTorch, measured alternately on the same machine.

  against_pytorch.py --glue-tui target/release/glue-tui --reference reference_train.py \
      --model MINILM --data ../shared/data --to benches/results/cpu.json [--rows minilm --rows latency ...]

`--reference` is a script that runs the same training in PyTorch and prints, as its last line, a JSON object
with `examples_per_second` and `tokens_per_second`. Both sides read the same files and tokenize them before
the measurement. Shapes other than MiniLM have random weights, created by this script, and MiniLM's tokenizer.

Each round runs glue-tui and then every variant of PyTorch once. A row reports the median, the minimum and the
maximum over its rounds of the ratio within a round, and replaces the row of the same name in the results file.
Ratios compare tokens per second, not steps: with batches sorted by length, the measured steps of PyTorch may not
have the mean length.

Requires torch, transformers and safetensors.
"""
import argparse, json, os, shlex, shutil, sys, tempfile
from measurement import environment, median, run, save_rows, spread, train

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--glue-tui", required=True)
p.add_argument("--reference", required=True)
p.add_argument("--model", required=True, help="folder of MiniLM, with weights and tokenizer")
p.add_argument("--data", required=True, help="folder with SST and SST-2")
p.add_argument("--threads", type=int, default=os.cpu_count())
p.add_argument("--rounds", type=int, help="number of rounds of every row, instead of its default")
p.add_argument("--rows", action="append", help="only rows whose name contains this; may be repeated")
p.add_argument("--commit", help="commit of the binary; default: the one that is checked out")
p.add_argument("--to", help="a JSON file for the results")
a = p.parse_args()
DEFAULT, LENGTH = "--batching random", "--batching length"

# name, model shape, task, data, batch size, steps of glue-tui, steps of each variant of PyTorch, rounds, goals for each variant by precision
SPEED = [
    ("minilm", "minilm", "sst2", "SST-2", 32, 120, {DEFAULT: 60, LENGTH: 150}, 3, {"f32": (4.5, 1.7), "bf16": (4.5, 1.8)}),
    ("distilbert", "distilbert", "sst", "SST", 32, 30, {LENGTH: 50}, 2, {"f32": (1.4,), "bf16": (1.4,)}),
    ("bert-base", "bert-base", "sst", "SST", 32, 24, {LENGTH: 50}, 1, {"f32": (1.4,), "bf16": (1.4,)}),
    ("deberta-v3-small", "deberta-v3-small", "sst", "SST", 32, 30, {LENGTH: 30}, 2, {"f32": (1.3,), "bf16": (1.3,)}),
    ("deberta-v3-base", "deberta-v3-base", "sst", "SST", 32, 24, {LENGTH: 24}, 1, {"f32": (1.3,), "bf16": (1.3,)}),
    ("bert-large, 8 x 128 tokens", "bert-large", "sst2", "long", 8, 6, {DEFAULT: 6}, 2, {"f32": (1.15,), "bf16": (1.15,)}),
]

# model shape, batch size, tokens per example, steps of PyTorch, rounds
PROFILES = [("minilm", 32, 14, 20, 5), ("distilbert", 32, 25, 6, 3), ("bert-base", 32, 25, 4, 2), ("bert-large", 8, 128, 2, 1)]


def model_folder(shape, home):
    """The folder of a model: MiniLM, or random weights of another shape with MiniLM's tokenizer."""
    folder = os.path.join(home, shape)
    if shape == "minilm" or os.path.exists(folder):
        return a.model if shape == "minilm" else folder
    from transformers import AutoModelForSequenceClassification, BertConfig, DebertaV2Config, DistilBertConfig
    bert = lambda h, n, heads: BertConfig(hidden_size=h, num_hidden_layers=n, num_attention_heads=heads, intermediate_size=4 * h)
    # Of the published vocabulary, MiniLM's tokenizer uses the first quarter.
    deberta = lambda n: DebertaV2Config(vocab_size=128100, hidden_size=768, num_hidden_layers=n, num_attention_heads=12, intermediate_size=3072,
                                        relative_attention=True, position_buckets=256, norm_rel_ebd="layer_norm", share_att_key=True,
                                        pos_att_type="p2c|c2p", position_biased_input=False)
    config = {"distilbert": DistilBertConfig, "bert-base": lambda: bert(768, 12, 12), "bert-large": lambda: bert(1024, 24, 16),
              "deberta-v3-small": lambda: deberta(6), "deberta-v3-base": lambda: deberta(12)}[shape]()
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copy(os.path.join(a.model, name), folder)
    return folder


def data_folder(name, home):
    """The folder of a dataset; `long` is synthetic and has only inputs that are truncated to 128 tokens."""
    if name != "long":
        return os.path.join(a.data, name)
    folder = os.path.join(home, name)
    os.makedirs(folder, exist_ok=True)
    for split in ("train", "dev"):
        with open(os.path.join(folder, f"{split}.tsv"), "w") as file:
            file.write("sentence\tlabel\n")
            file.writelines(" ".join(["good", "bad", "film"][(i * 7 + j * j) % 3] for j in range(140)) + f"\t{i % 2}\n" for i in range(512))
    return folder


def glue_tui(row, precision, home):
    name, shape, task, data, batch, steps, *_ = row
    values = {"model": model_folder(shape, home), "task": task, "data_dir": data_folder(data, home), "max_steps": steps,
              "per_device_train_batch_size": batch, "threads": a.threads, "max_eval_samples": 16, "precision": precision,
              "lr_scheduler_type": "constant", "weight_decay": 0, "max_grad_norm": 0, "logging_steps": 1}
    finished, folder, summary, events = train(a.glue_tui, home, values)
    shutil.rmtree(folder)
    # The reference does not count the first steps either.
    counted = [event for event in events if event.get("kind") == "step" and (event["step"] > 10 or steps <= 20)]
    total = lambda key: sum(event[key] for event in counted)
    return {"examples_per_second": total("examples") / total("seconds"), "tokens_per_second": total("tokens") / total("seconds"),
            "peak_memory": finished.peak_memory, "device": summary["device"], "precision": summary["precision"]}


def pytorch(row, variant, precision, home):
    name, shape, task, data, batch, _, steps_by_variant, *_ = row
    out, memory, _ = run([sys.executable, a.reference, "--model", model_folder(shape, home), "--task", task, "--data", data_folder(data, home),
                       "--skip-eval", "--fused", "--batch", str(batch), "--max-steps", str(steps_by_variant[variant]), "--threads", str(a.threads),
                       "--precision", precision, *shlex.split(variant)])
    result = json.loads(out.splitlines()[-1])
    return {"examples_per_second": result["examples_per_second"], "tokens_per_second": result["tokens_per_second"], "peak_memory": memory}


def speed(row, precision, goals, home):
    rounds = []
    for _ in range(a.rounds or row[7]):
        rounds.append({"glue-tui": glue_tui(row, precision, home)} | {variant: pytorch(row, variant, precision, home) for variant in row[6]})
    lines = []
    for variant, goal in zip(row[6], goals):
        ratios = lambda key: [r["glue-tui"][key] / r[variant][key] for r in rounds]
        both = lambda key: [median([r[side][key] for r in rounds], 1) for side in ("glue-tui", variant)]
        lines.append({"row": f"{row[0]}, {precision}, against {variant.split()[-1]} batches", "goal": goal}
                     | spread(ratios("tokens_per_second")) | {key: both(key) for key in ("tokens_per_second", "examples_per_second", "peak_memory")}
                     | {"memory_ratio": median(ratios("peak_memory"))})
    return lines


LATENCY = """
import json, statistics, sys, time, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
torch.set_num_threads(int(sys.argv[2]))
x = AutoTokenizer.from_pretrained(sys.argv[1])("the plot is thin , but nobody will be bored", return_tensors="pt")
model = torch.compile(AutoModelForSequenceClassification.from_pretrained(sys.argv[1], num_labels=2, attn_implementation="sdpa").eval())
times = []
with torch.inference_mode():
    for _ in range(220):
        started = time.perf_counter(); model(**x).logits.tolist(); times.append((time.perf_counter() - started) * 1e3)
print(json.dumps({"tokens": x["input_ids"].shape[1], "ms": statistics.median(times[20:])}))
"""


def bench(*arguments):
    """Runs `glue-tui bench` and returns its JSON report."""
    out = run([a.glue_tui, "--json", "bench", *arguments, "--set", f"threads={a.threads}", "--set", "max_grad_norm=0", "--set", "weight_decay=0"]).out
    return json.loads(out)


def latency():
    """The time of one prediction, against compiled PyTorch in f32."""
    rounds = []
    for _ in range(a.rounds or 3):
        reference = json.loads(run([sys.executable, "-c", LATENCY, a.model, str(a.threads)])[0])
        measured = {f: bench("--shape", "minilm", "--lengths", str(reference["tokens"]), "--seconds", "2", "--set", f"precision={f}") for f in ("f32", "bf16")}
        rounds.append({f: (report["one_input"]["median_ms"], reference["ms"]) for f, report in measured.items()})
    return [{"row": f"one sentence, minilm, {f} against compiled f32", "goal": 2.0} | spread([r[f][1] / r[f][0] for r in rounds])
            | {"ms": [median([r[f][side] for r in rounds], 2) for side in (0, 1)]} for f in ("f32", "bf16")]


PRODUCTS = """
import json, statistics, sys, time, torch
torch.set_num_threads(1)
t, h, i = 432, 384, 1536
x, w, d = torch.randn(t, h), torch.randn(i, h), torch.randn(t, i)
def rate(product):
    times = []
    for _ in range(100):
        started = time.perf_counter(); product(); times.append(time.perf_counter() - started)
    return 2 * t * h * i / statistics.median(times) / 1e9
print(json.dumps([rate(lambda: torch.nn.functional.linear(x, w)), rate(lambda: d @ w), rate(lambda: d.t() @ x)]))
"""


def products():
    """The three matrix products of MiniLM's widest layer on one thread."""
    names = ("product, forward", "product, input's gradient", "product, weight's gradient")
    rounds = []
    for _ in range(a.rounds or 5):
        report = bench("--shape", "minilm", "--lengths", "sst2", "--seconds", "0.5", "--kernels", "--set", "precision=f32")
        measured = {kernel["name"]: kernel["gflops"] for kernel in report["kernels"]}
        rounds.append(list(zip((measured[name] for name in names), json.loads(run([sys.executable, "-c", PRODUCTS])[0]))))
    return [{"row": f"{name}, minilm, f32, one thread"} | spread([r[i][0] / r[i][1] for r in rounds])
            | {"gflops": [median([r[i][side] for r in rounds], 1) for side in (0, 1)]}
            for i, name in enumerate(names)]


def share():
    """Arithmetic throughput of a whole step, as a fraction of that of gemm alone."""
    rounds = []
    for _ in range(a.rounds or 5):
        report = bench("--shape", "bert-base", "--lengths", "sst", "--seconds", "3", "--set", "precision=f32")
        rounds.append((report["gflops"], report["gemm_gflops"]))
    return [{"row": "bert-base, f32: arithmetic of the whole step in that of gemm's products alone", "goal": 0.9}
            | spread([step / alone for step, alone in rounds]) | {"gflops": [median([r[side] for r in rounds], 1) for side in (0, 1)]}]


def lengths():
    """Time per token for inputs of several lengths."""
    rows = []
    for tokens in (16, 32, 64, 128, 256, 512):
        report = bench("--shape", "minilm", "--batch", str(max(1, 2048 // tokens)), "--lengths", str(tokens), "--seconds", "4", "--set", "precision=f32")
        step, attention = report["training"]["median_ms"], next(x["ms"] for x in report["phases"] if x["name"] == "attention")
        cost = 1e6 / report["training"]["tokens_per_second"]
        rows.append({"row": f"cost of inputs of {tokens} tokens, minilm, f32", "ms_per_1000_tokens": round(cost, 2),
                     "share_of_attention": round(attention / step, 3), "plot": "#" * round(cost / 10)})
    return rows


PROFILE = """
import json, statistics, sys, time, torch
from torch.profiler import profile, ProfilerActivity
from transformers import AutoModelForSequenceClassification
folder, threads, batch, tokens, steps = sys.argv[1], *map(int, sys.argv[2:])
torch.set_num_threads(threads), torch.manual_seed(0)
model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, attn_implementation="sdpa").train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
x = {"input_ids": torch.randint(1000, 30000, (batch, tokens)), "attention_mask": torch.ones(batch, tokens, dtype=torch.long)}
labels = torch.randint(0, 2, (batch,))
def step():
    started = time.perf_counter()
    loss = torch.nn.functional.cross_entropy(model(**x).logits, labels)
    optimizer.zero_grad(set_to_none=True), loss.backward(), optimizer.step()
    return (time.perf_counter() - started) * 1e3
step(), step()
times = [step() for _ in range(steps)]
with profile(activities=[ProfilerActivity.CPU]) as profiler:
    for _ in range(steps):
        step()
products = sum(event.self_cpu_time_total for event in profiler.key_averages() if event.key in ("aten::mm", "aten::addmm"))
print(json.dumps([statistics.median(times), products / steps / 1e3]))
"""


def profile(shape, batch, tokens, steps, count, home):
    """The time of a step on inputs of one length and of its matrix products, on both sides. `ratio_if_all_else_were_free` is
    the ratio that glue-tui would reach if only its matrix products took time."""
    rounds = []
    for _ in range(a.rounds or count):
        report = bench("--shape", shape, "--batch", str(batch), "--lengths", str(tokens), "--seconds", "5", "--set", "precision=f32")
        measured = report["training"]["median_ms"], next(phase["ms"] for phase in report["phases"] if phase["name"] == "matrix products")
        arguments = [model_folder(shape, home), *map(str, (a.threads, batch, tokens, steps))]
        rounds.append((measured, json.loads(run([sys.executable, "-c", PROFILE, *arguments])[0])))
    middle = lambda value: median([value(*r) for r in rounds])
    both_sides = lambda part: [middle(lambda ours, theirs: ours[part]), middle(lambda ours, theirs: theirs[part])]
    return [{"row": f"profile of {shape}, {batch} x {tokens} tokens"} | spread([theirs[0] / ours[0] for ours, theirs in rounds])
            | {"step_ms": both_sides(0), "products_ms": both_sides(1), "ratio_of_products": middle(lambda ours, theirs: theirs[1] / ours[1]),
               "ratio_if_all_else_were_free": middle(lambda ours, theirs: theirs[0] / ours[1]),
               "and_products_as_fast_as_pytorch": middle(lambda ours, theirs: theirs[0] / theirs[1])}]


def save(rows):
    save_rows(rows, a.to, environment(a.threads, a.commit, ["torch", "transformers"]))


is_selected = lambda name: not a.rows or any(word in name for word in a.rows)
with tempfile.TemporaryDirectory() as home:
    for row in SPEED:
        for precision, goals in row[8].items():
            if is_selected(f"{row[0]}, {precision}"):
                save(speed(row, precision, goals, home))
    for row in PROFILES:
        if is_selected(f"profile of {row[0]}"):
            save(profile(*row, home))
    for name, measure in (("latency", latency), ("products", products), ("share", share), ("lengths", lengths)):
        if is_selected(name):
            save(measure())
