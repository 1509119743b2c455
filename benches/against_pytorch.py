#!/usr/bin/env python3
"""Compares speed, latency and memory of glue-tui with PyTorch, measured alternately on the same machine.

  against_pytorch.py --glue-tui target/release/glue-tui --reference reference_train.py \
      --model MINILM --data ../shared/data --to benches/results/cpu.json [--rows minilm --rows latency ...]

`--reference` is a script that runs the same training in PyTorch and prints, as its last line, a JSON object
with `examples_per_second` and `tokens_per_second`. Both sides read the same files and tokenize them before
the measurement. Shapes other than MiniLM have random weights, created by this script, and MiniLM's tokenizer.

Each round runs, for every selected row, glue-tui and then every variant of PyTorch once. A row reports the median, the minimum and the
maximum over its rounds of the ratio within a round, and replaces the row of the same name in the results file.
Ratios compare tokens per second, not steps: with batches sorted by length, the measured steps of PyTorch may not
have the mean length.

Requires torch, transformers and safetensors.
"""
import argparse, collections, json, os, re, shlex, shutil, sys, tempfile, typing
from measurement import environment, median, run, save_rows, spread, train

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--glue-tui", required=True)
p.add_argument("--reference", required=True)
p.add_argument("--model", required=True, help="folder of MiniLM, with weights and tokenizer")
p.add_argument("--data", required=True, help="folder with SST and SST-2")
p.add_argument("--threads", type=int, default=os.cpu_count())
p.add_argument("--rounds", type=int, help="number of rounds of every row, instead of its default")
p.add_argument("--rows", action="append", help="only rows whose name matches this regular expression; may be repeated")
p.add_argument("--commit", help="commit of the binary; default: the one that is checked out")
p.add_argument("--to", help="a JSON file for the results")
a = p.parse_args()
DEFAULT, LENGTH = "--batching random", "--batching length"


class Row(typing.NamedTuple):
    """A training that both sides run."""
    name: str
    shape: str
    task: str
    data: str
    batch_size: int
    steps: int
    """Steps of glue-tui."""
    variants: dict
    """Options of each variant of PyTorch, and its steps."""
    rounds: int
    goals: dict
    """For each precision, the goals of the variants."""
    max_length: int = 128


def base(name, shape, goal, steps=24, variant=LENGTH, **rest):
    """A model on the treebank, whose goals are the same in both precisions."""
    row = Row(name, shape, "sst", "SST", 32, steps, {variant: steps}, 1, {"f32": (goal,), "bf16": (goal,)})
    return row._replace(**rest)


# Transformers has no sdpa for DeBERTa.
EAGER = f"{LENGTH} --attn eager"
SPEED = [
    Row("minilm", "minilm", "sst2", "SST-2", 32, 120, {DEFAULT: 60, LENGTH: 150}, 3, {"f32": (4.5, 1.7), "bf16": (4.5, 1.8)}),
    base("distilbert", "distilbert", 1.4, steps=30, rounds=2),
    base("bert-base", "bert-base", 1.4),
    base("roberta-base", "roberta-base", 1.4),
    base("electra-base", "electra-base", 1.4),
    base("albert-base", "albert-base", 1.4),
    base("deberta-v3-small", "deberta-v3-small", 1.3, steps=30, variant=EAGER),
    base("deberta-v3-base", "deberta-v3-base", 1.3, variant=EAGER),
    base("modernbert-base", "modernbert-base", 1.3),
    base("modernbert-base, 4 x 512 tokens", "modernbert-base", 1.3, task="sst2", data="long", batch_size=4, steps=8, variants={DEFAULT: 8}, max_length=512),
    base("modernbert-base, 1 x 2048 tokens", "modernbert-base", 1.3, task="sst2", data="long", batch_size=1, steps=8, variants={DEFAULT: 8}, max_length=2048),
    base("bert-large, 8 x 128 tokens", "bert-large", 1.15, task="sst2", data="long", batch_size=8, steps=6, variants={DEFAULT: 6}, rounds=2),
]

# model shape, batch size, tokens per example, steps of PyTorch, rounds
PROFILES = [("minilm", 32, 14, 20, 5), ("distilbert", 32, 25, 6, 3), ("bert-base", 32, 25, 4, 2), ("bert-large", 8, 128, 2, 1)]


def config_of(shape):
    """The configuration of Transformers for a shape."""
    import transformers as t
    bert = lambda h, n, heads: t.BertConfig(hidden_size=h, num_hidden_layers=n, num_attention_heads=heads, intermediate_size=4 * h)
    base = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
    # Of a larger vocabulary, MiniLM's tokenizer uses the first part.
    deberta = lambda layers: t.DebertaV2Config(**(base | {"num_hidden_layers": layers}), vocab_size=128100, relative_attention=True, position_buckets=256,
                                               norm_rel_ebd="layer_norm", share_att_key=True, pos_att_type="p2c|c2p", position_biased_input=False)
    return {
        "distilbert": t.DistilBertConfig, "bert-base": lambda: bert(768, 12, 12), "bert-large": lambda: bert(1024, 24, 16),
        "roberta-base": lambda: t.RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1),
        "electra-base": lambda: t.ElectraConfig(**base, embedding_size=768),
        "albert-base": lambda: t.AlbertConfig(**base, embedding_size=128, vocab_size=30522),
        "deberta-v3-small": lambda: deberta(6), "deberta-v3-base": lambda: deberta(12), "modernbert-base": t.ModernBertConfig,
    }[shape]()


def model_folder(shape, home):
    """The folder of a model: MiniLM, or random weights of another shape with MiniLM's tokenizer."""
    folder = os.path.join(home, shape)
    if shape == "minilm" or os.path.exists(folder):
        return a.model if shape == "minilm" else folder
    from transformers import AutoModelForSequenceClassification
    config = config_of(shape)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copy(os.path.join(a.model, name), folder)
    path = os.path.join(folder, "tokenizer_config.json")
    with open(path) as file:
        tokenizer = json.load(file)
    tokenizer["model_max_length"] = 8192
    if not getattr(config, "type_vocab_size", None):
        tokenizer["model_input_names"] = ["input_ids", "attention_mask"]
    with open(path, "w") as file:
        json.dump(tokenizer, file)
    return folder


def data_folder(name, home):
    """The folder of a dataset; `long` is synthetic and has only inputs that are truncated."""
    if name != "long":
        return os.path.join(a.data, name)
    folder = os.path.join(home, name)
    os.makedirs(folder, exist_ok=True)
    for split in ("train", "dev"):
        with open(os.path.join(folder, f"{split}.tsv"), "w") as file:
            file.write("sentence\tlabel\n")
            file.writelines(" ".join(["good", "bad", "film"][(i * 7 + j * j) % 3] for j in range(2100)) + f"\t{i % 2}\n" for i in range(256))
    return folder


def glue_tui(row, precision, home):
    values = {"model": model_folder(row.shape, home), "task": row.task, "data_dir": data_folder(row.data, home), "max_steps": row.steps,
              "per_device_train_batch_size": row.batch_size, "threads": a.threads, "max_eval_samples": 16, "precision": precision,
              "max_seq_length": row.max_length, "lr_scheduler_type": "constant", "weight_decay": 0, "max_grad_norm": 0, "logging_steps": 1}
    finished, folder, summary, events = train(a.glue_tui, home, values)
    shutil.rmtree(folder)
    # The reference does not count the first steps either.
    counted = [event for event in events if event.get("kind") == "step" and (event["step"] > 10 or row.steps <= 20)]
    total = lambda key: sum(event[key] for event in counted)
    return {"examples_per_second": total("examples") / total("seconds"), "tokens_per_second": total("tokens") / total("seconds"),
            "peak_memory": finished.peak_memory, "device": summary["device"], "precision": summary["precision"]}


def pytorch(row, variant, precision, home):
    out, memory, _ = run([sys.executable, a.reference, "--model", model_folder(row.shape, home), "--task", row.task, "--data", data_folder(row.data, home),
                       "--skip-eval", "--fused", "--batch", str(row.batch_size), "--max-steps", str(row.variants[variant]), "--threads", str(a.threads),
                       "--max-len", str(row.max_length), "--precision", precision, *shlex.split(variant)])
    result = json.loads(out.splitlines()[-1])
    return {"examples_per_second": result["examples_per_second"], "tokens_per_second": result["tokens_per_second"], "peak_memory": memory}


def speed_lines(row, precision, rounds):
    """The rows of the results file for a training, from its rounds."""
    lines = []
    for variant, goal in zip(row.variants, row.goals[precision]):
        ratios = lambda key: [r["glue-tui"][key] / r[variant][key] for r in rounds]
        both = lambda key: [median([r[side][key] for r in rounds], 1) for side in ("glue-tui", variant)]
        lines.append({"row": f"{row.name}, {precision}, against {variant.split()[1]} batches", "goal": goal}
                     | spread(ratios("tokens_per_second")) | {key: both(key) for key in ("tokens_per_second", "examples_per_second", "peak_memory")}
                     | {"memory_ratio": median(ratios("peak_memory"))})
    return lines


def speed(rows, home):
    """Trains all rows in turn, round by round, so that their ratios can be compared."""
    rounds = collections.defaultdict(list)
    for number in range(a.rounds or max((row.rounds for row, _ in rows), default=0)):
        for row, precision in rows:
            if number < (a.rounds or row.rounds):
                sides = {"glue-tui": glue_tui(row, precision, home)} | {variant: pytorch(row, variant, precision, home) for variant in row.variants}
                rounds[row.name, precision].append(sides)
                save(speed_lines(row, precision, rounds[row.name, precision]))


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


is_selected = lambda name: not a.rows or any(re.search(word, name) for word in a.rows)
with tempfile.TemporaryDirectory() as home:
    speed([(row, precision) for row in SPEED for precision in row.goals if is_selected(f"{row.name}, {precision}")], home)
    for row in PROFILES:
        if is_selected(f"profile of {row[0]}"):
            save(profile(*row, home))
    for name, measure in (("latency", latency), ("products", products), ("share", share), ("lengths", lengths)):
        if is_selected(name):
            save(measure())
