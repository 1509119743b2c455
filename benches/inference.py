#!/usr/bin/env python3
"""Compares the speed of predictions of glue-tui with ONNX Runtime, in f32 and with dynamic int8 quantization.

  inference.py --glue-tui target/release/glue-tui --model MODEL --data ../shared/data --to benches/results/inference.json

MODEL is a classifier in the Hugging Face layout, such as the `best` folder of a run, or an encoder, which gets a random head.
Both sides use all threads of the machine, the same weights and the same tokenizer, and print the same JSON objects.

  lines             `glue-tui predict` on many lines of standard input: the whole command, from start to exit. Its
                    `without_start` compares the time without that of a command for one line.
  one sentence      a process that is running answers one line at a time; the median time from writing a line to reading the answer
  model only        the same sentence without tokenizer and JSON: `glue-tui bench`, random weights of MiniLM's shape, and the
                    session of ONNX Runtime

ONNX Runtime runs at its best: all graph optimizations, the graph as exported or with fused attention, whichever is faster on
this machine, inputs sorted by length, and the fastest batch size. Predictions are compared line by line; for f32, a difference of
the logits of the two classes above 1e-3 is an error.

Each round runs every side once, each round with another side first. Requires torch, transformers, onnx and onnxruntime; the
last two and tokenizers are all that the measured side uses.
"""
import argparse, json, math, os, random, re, statistics, subprocess, sys, tempfile, time
from measurement import environment, median, run, save_rows, spread

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--glue-tui", required=True)
p.add_argument("--model", required=True, help="folder of a classifier or of MiniLM")
p.add_argument("--name", help="name of the model in the rows; default: that of the folder")
p.add_argument("--data", required=True, help="folder with SST, whose sentences are the lines")
p.add_argument("--lines", type=int, default=100_000)
p.add_argument("--rounds", type=int, default=5)
p.add_argument("--rows", action="append", choices=["lines", "one sentence", "model only"], help="default: all; may be repeated")
p.add_argument("--format", action="append", choices=["f32", "int8"], help="of ONNX Runtime; default: both; may be repeated")
p.add_argument("--commit", help="commit of the binary; default: the one that is checked out")
p.add_argument("--to", help="a JSON file for the results")
a = p.parse_args()
GLUE_TUI, FORMATS, GOAL = "glue-tui", a.format or ["f32", "int8"], {"f32": 1.3}
# glue-tui starts as many threads; `taskset` restricts both sides.
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
SENTENCE = "the plot is thin , but nobody will be bored"
TOLERANCE = 1e-3


def onnx(command, folder, *options):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inference_onnx.py")
    return [sys.executable, script, command, folder, *map(str, options), "--threads", str(THREADS)]


def write_lines(path, count):
    """Writes sentences of the treebank in random order, repeated until there are enough."""
    sentences = []
    for name in ("train.txt", "dev.txt"):
        with open(os.path.join(a.data, "SST", name), encoding="utf-8") as file:
            sentences += [" ".join(re.findall(r"([^()\s]+)\)", line)) for line in file if line.strip()]
    random.Random(0).shuffle(sentences)
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(sentences[i % len(sentences)] + "\n" for i in range(count))
    return path


def rounds_of(measure):
    """What `measure` returns for each side in each round."""
    sides, rounds = [GLUE_TUI, *FORMATS], []
    for i in range(a.rounds):
        first = i % len(sides)
        rounds.append({side: measure(side) for side in sides[first:] + sides[:first]})
    return rounds


def both(rounds, side, value, digits=3):
    """The medians of a value, of glue-tui and then of the other side."""
    return [median([value(r[name]) for r in rounds], digits) for name in (GLUE_TUI, side)]


def named(row, side):
    goal = {"goal": GOAL[side]} if side in GOAL else {}
    return {"row": f"{row}, {a.name or os.path.basename(os.path.abspath(a.model))}, against ONNX Runtime {side}"} | goal


def log_odds(line):
    """The difference of the two logits, the tokens and the label of a printed object. The softmax keeps the difference."""
    answer = json.loads(line)
    first, second = answer["probabilities"].values()
    return math.log(second / first), answer["tokens"], answer["label"]


def compare(ours, theirs, side):
    """The largest difference of the logits, and the share of lines with the same label."""
    pairs = [(log_odds(x), log_odds(y)) for x, y in zip(ours.splitlines(), theirs.splitlines(), strict=True)]
    if any(x[1] != y[1] for x, y in pairs):
        sys.exit(f"glue-tui and ONNX Runtime {side} disagree on the number of tokens of a line")
    largest = max(abs(x[0] - y[0]) for x, y in pairs)
    if side == "f32" and largest > TOLERANCE:
        sys.exit(f"the logits of glue-tui and ONNX Runtime f32 differ by up to {largest:.2g}, more than {TOLERANCE}")
    return {"largest_logit_difference": float(f"{largest:.2g}"), "same_label": round(sum(x[2] == y[2] for x, y in pairs) / len(pairs), 5)}


def predict_lines(folder, home):
    path, one, sample = (write_lines(os.path.join(home, name), count) for name, count in (("lines", a.lines), ("one", 1), ("sample", 256)))
    best = {side: json.loads(run(onnx("choose", folder, "--format", side), sample).out) for side in FORMATS}
    options = {side: ("--graph", best[side]["graph"], "--batch", best[side]["batch"]) for side in FORMATS}
    command = {side: onnx("predict", folder, *options[side]) for side in FORMATS} | {GLUE_TUI: [a.glue_tui, "predict", folder]}
    printed = {}

    def measure(side):
        finished, start = run(command[side], path), run(command[side], one)
        printed[side] = finished.out
        print(f"{side}: {finished.seconds:.1f} s, of which start-up {start.seconds:.2f} s", file=sys.stderr, flush=True)
        return {"seconds": finished.seconds, "start": start.seconds, "peak_memory": finished.peak_memory}
    rounds = rounds_of(measure)
    after_start = lambda side: side["seconds"] - side["start"]
    without_start = lambda side: spread([after_start(r[side]) / after_start(r[GLUE_TUI]) for r in rounds])
    return [named(f"predict {a.lines} lines", side) | spread([r[side]["seconds"] / r[GLUE_TUI]["seconds"] for r in rounds])
            | {"seconds": both(rounds, side, lambda s: s["seconds"], 2), "start_seconds": both(rounds, side, lambda s: s["start"]),
               "lines_per_second": both(rounds, side, lambda s: a.lines / s["seconds"], 1), "without_start": without_start(side),
               "peak_memory": both(rounds, side, lambda s: s["peak_memory"], 0)} | best[side] | compare(printed[GLUE_TUI], printed[side], side)
            for side in FORMATS]


def answer_time(command):
    """The median milliseconds until a running process answers a line."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        times = []
        for _ in range(320):
            started = time.perf_counter()
            child.stdin.write(SENTENCE.encode() + b"\n"), child.stdin.flush()
            if not child.stdout.readline():
                sys.exit(f"{command} ended before it answered")
            times.append((time.perf_counter() - started) * 1e3)
        child.stdin.close()
    return statistics.median(times[20:])


def one_sentence(folder, home, model_only):
    path = os.path.join(home, "sentence")
    with open(path, "w") as file:
        file.write(SENTENCE + "\n")
    graphs = {side: json.loads(run(onnx("choose", folder, "--format", side), path).out)["graph"] for side in FORMATS}
    session = lambda side: json.loads(run(onnx("latency", folder, "--graph", graphs[side]), path).out)
    tokens = str(session(FORMATS[0])["tokens"])
    bench = [a.glue_tui, "--json", "bench", "--shape", "minilm", "--lengths", tokens, "--seconds", "2", "--set", "precision=f32"]

    def measure(side):
        if not model_only:
            return answer_time([a.glue_tui, "predict", folder] if side == GLUE_TUI else onnx("answer", folder, "--graph", graphs[side]))
        return json.loads(run(bench).out)["one_input"]["median_ms"] if side == GLUE_TUI else session(side)["ms"]
    rounds = rounds_of(measure)
    return [named("one sentence, model only" if model_only else "one sentence", side) | spread([r[side] / r[GLUE_TUI] for r in rounds])
            | {"ms": both(rounds, side, lambda ms: ms), "graph": graphs[side]} for side in FORMATS]


with tempfile.TemporaryDirectory() as home:
    folder = os.path.join(home, "classifier")
    run(onnx("export", a.model, folder))
    versions = environment(THREADS, a.commit, ["onnxruntime", "tokenizers", "numpy", "onnx", "torch", "transformers"])
    is_selected = lambda name: not a.rows or name in a.rows
    if is_selected("lines"):
        save_rows(predict_lines(folder, home), a.to, versions)
    for name in ("one sentence", "model only"):
        if is_selected(name):
            save_rows(one_sentence(folder, home, name == "model only"), a.to, versions)
