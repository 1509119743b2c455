#!/usr/bin/env python3
"""Compares the speed of predictions of glue-tui with ONNX Runtime: both in f32, and both with dynamic int8 quantization.

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
the logits of the two classes above 1e-3 is an error. For int8, `of_f32` compares each side with its own predictions in f32.

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
p.add_argument("--format", action="append", choices=["f32", "int8"], help="of both sides; default: both; may be repeated")
p.add_argument("--commit", help="commit of the binary; default: the one that is checked out")
p.add_argument("--to", help="a JSON file for the results")
a = p.parse_args()
FORMATS, GOAL = a.format or ["f32", "int8"], {"f32": 1.3, "int8": 1.0}
# A side is a program and a format.
GLUE_TUI, ONNX = "glue-tui", "ONNX Runtime"
SIDES = [(program, format) for format in FORMATS for program in (GLUE_TUI, ONNX)]
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
    rounds = []
    for i in range(a.rounds):
        first = i % len(SIDES)
        rounds.append({side: measure(*side) for side in SIDES[first:] + SIDES[:first]})
    return rounds


def both(rounds, format, value, digits=3):
    """The medians of a value, of glue-tui and then of ONNX Runtime."""
    return [median([value(r[program, format]) for r in rounds], digits) for program in (GLUE_TUI, ONNX)]


def ratios(rounds, format, value):
    """The value of ONNX Runtime as a multiple of that of glue-tui."""
    return spread([value(r[ONNX, format]) / value(r[GLUE_TUI, format]) for r in rounds])


def named(row, format):
    return {"row": f"{row}, {a.name or os.path.basename(os.path.abspath(a.model))}, against ONNX Runtime {format}", "goal": GOAL[format]}


def log_odds(line):
    """The difference of the two logits, the tokens and the label of a printed object. The softmax keeps the difference."""
    answer = json.loads(line)
    first, second = answer["probabilities"].values()
    return math.log(second / first), answer["tokens"], answer["label"]


def compare(xs, ys):
    """The largest difference of the logits, and the share of lines with the same label."""
    pairs = [(log_odds(x), log_odds(y)) for x, y in zip(xs.splitlines(), ys.splitlines(), strict=True)]
    if any(x[1] != y[1] for x, y in pairs):
        sys.exit("glue-tui and ONNX Runtime disagree on the number of tokens of a line")
    largest = max(abs(x[0] - y[0]) for x, y in pairs)
    return {"largest_logit_difference": float(f"{largest:.2g}"), "same_label": round(sum(x[2] == y[2] for x, y in pairs) / len(pairs), 5)}


def agreement(printed, format):
    """How far the sides agree in a format, and for int8 each side with its own f32."""
    found = compare(printed[GLUE_TUI, format], printed[ONNX, format])
    if format == "f32" and found["largest_logit_difference"] > TOLERANCE:
        sys.exit(f"the logits of glue-tui and ONNX Runtime f32 differ by up to {found['largest_logit_difference']}, more than {TOLERANCE}")
    if format == "f32" or "f32" not in FORMATS:
        return found
    return found | {"of_f32": {program: compare(printed[program, format], printed[program, "f32"]) for program in (GLUE_TUI, ONNX)}}


def predict_lines(folder, home):
    path, one, sample = (write_lines(os.path.join(home, name), count) for name, count in (("lines", a.lines), ("one", 1), ("sample", 256)))
    best = {format: json.loads(run(onnx("choose", folder, "--format", format), sample).out) for format in FORMATS}
    command = {(ONNX, format): onnx("predict", folder, "--graph", best[format]["graph"], "--batch", best[format]["batch"]) for format in FORMATS}
    command |= {(GLUE_TUI, format): [a.glue_tui, "predict", folder, "--precision", format] for format in FORMATS}
    printed = {}

    def measure(*side):
        finished, start = run(command[side], path), run(command[side], one)
        printed[side] = finished.out
        print(f"{' '.join(side)}: {finished.seconds:.1f} s, of which start-up {start.seconds:.2f} s", file=sys.stderr, flush=True)
        return {"seconds": finished.seconds, "start": start.seconds, "peak_memory": finished.peak_memory}
    rounds = rounds_of(measure)
    return [named(f"predict {a.lines} lines", format) | ratios(rounds, format, lambda s: s["seconds"])
            | {"seconds": both(rounds, format, lambda s: s["seconds"], 2), "start_seconds": both(rounds, format, lambda s: s["start"]),
               "lines_per_second": both(rounds, format, lambda s: a.lines / s["seconds"], 1),
               "without_start": ratios(rounds, format, lambda s: s["seconds"] - s["start"]),
               "peak_memory": both(rounds, format, lambda s: s["peak_memory"], 0)} | best[format] | agreement(printed, format)
            for format in FORMATS]


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
    graphs = {format: json.loads(run(onnx("choose", folder, "--format", format), path).out)["graph"] for format in FORMATS}
    session = lambda format: json.loads(run(onnx("latency", folder, "--graph", graphs[format]), path).out)
    tokens = str(session(FORMATS[0])["tokens"])
    bench = lambda format: json.loads(run([a.glue_tui, "--json", "bench", "--shape", "minilm", "--lengths", tokens, "--seconds", "2",
                                           "--precision", format]).out)

    def measure(program, format):
        if model_only:
            return bench(format)["one_input"]["median_ms"] if program == GLUE_TUI else session(format)["ms"]
        ours = [a.glue_tui, "predict", folder, "--precision", format]
        return answer_time(ours if program == GLUE_TUI else onnx("answer", folder, "--graph", graphs[format]))
    rounds, ms = rounds_of(measure), lambda ms: ms
    return [named("one sentence, model only" if model_only else "one sentence", format) | ratios(rounds, format, ms)
            | {"ms": both(rounds, format, ms), "graph": graphs[format]} for format in FORMATS]


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
