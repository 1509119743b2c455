#!/usr/bin/env python3
"""Compares the time of complete trainings, from command to exit, of glue-tui and of the Trainer of Transformers.

  jobs.py --glue-tui target/release/glue-tui --model MINILM --data ../shared/data --to benches/results/jobs.json

Both sides read the same files, evaluate validation and test (if it has labels) before training and at the end of each epoch,
save a checkpoint at the end of each epoch, and keep the best weights. Scores of the training rows come from the steps.
The Trainer runs with its defaults, and at its best: see jobs_trainer.py. Batch sizes, epochs and hyperparameters are equal.

A round runs each side once, each round with another side first and another seed. A row has the ratio of the wall times: median
over the rounds, smallest and largest; and the medians of the parts in seconds, of glue-tui and then of the Trainer:
  start       from the command to the first line of the program; for the Trainer, the imports
  loading     reading the data and building the model; glue-tui also checks all gradients
  tokenizing, training (the steps), evaluation
  saving      checkpoints, best weights; the Trainer also loads the best weights at its end
  rest        anything else, such as the exit
The runs are written to the folder for temporary files, which TMPDIR sets; glue-tui waits until its checkpoints are on the disk
(fsync), the Trainer does not. With TMPDIR=/dev/shm the speed of the disk has no influence.

Requires torch, transformers and accelerate.
"""
import argparse, itertools, json, os, shutil, sys, tempfile, time
from measurement import environment, median, run, save_rows, spread, train

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--glue-tui", required=True)
p.add_argument("--model", required=True, help="folder of MiniLM, with weights and tokenizer")
p.add_argument("--data", required=True, help="folder with SST and SST-2")
p.add_argument("--task", choices=["sst", "sst2"], default="sst")
p.add_argument("--epochs", type=int, default=1)
p.add_argument("--batch", type=int, default=32)
p.add_argument("--eval-batch", type=int, default=64)
p.add_argument("--max-length", type=int, default=128)
p.add_argument("--learning-rate", type=float, default=5e-5)
p.add_argument("--precision", choices=["f32", "bf16"], action="append", help="default: f32; may be repeated")
p.add_argument("--against", choices=["default", "best"], action="append", help="a variant of the Trainer; default: both")
p.add_argument("--threads", type=int, default=os.cpu_count())
p.add_argument("--rounds", type=int, default=5)
p.add_argument("--max-rows", type=int, help="only the first rows of each split, to try this script")
p.add_argument("--commit", help="commit of the binary; default: the one that is checked out")
p.add_argument("--to", help="a JSON file for the results")
a = p.parse_args()
GLUE_TUI, PARTS = "glue-tui", ("start", "loading", "tokenizing", "training", "evaluation", "saving", "rest")
# Targets for the wall time of MiniLM on SST in f32, on AMD's Zen 5 and on Intel's Xeon with AMX.
GOALS = {"default": {"Zen 5": 4.8, "Xeon": 3.0}, "best": {"Zen 5": 2.6, "Xeon": 1.3}}


def data_folder(home):
    """The folder of the data, or a copy with the first rows of each file."""
    folder = os.path.join(a.data, {"sst": "SST", "sst2": "SST-2"}[a.task])
    if not a.max_rows:
        return folder
    copy = os.path.join(home, "data")
    os.makedirs(copy, exist_ok=True)
    for name in os.listdir(folder):
        if name.rsplit(".", 1)[-1] in ("txt", "tsv"):
            with open(os.path.join(folder, name), "rb") as source, open(os.path.join(copy, name), "wb") as target:
                target.writelines(itertools.islice(source, a.max_rows + (a.task == "sst2")))
    return copy


def glue_tui(precision, seed, home):
    # The values that the Trainer has by default, where those of glue-tui differ.
    values = {"lr_scheduler_type": "linear", "warmup_ratio": 0, "weight_decay": 0, "adam_epsilon": 1e-8, "max_grad_norm": 1,
              "model": a.model, "task": a.task, "data_dir": data_folder(home), "num_train_epochs": a.epochs, "precision": precision,
              "per_device_train_batch_size": a.batch, "per_device_eval_batch_size": a.eval_batch, "max_seq_length": a.max_length,
              "learning_rate": a.learning_rate, "threads": a.threads, "seed": seed}
    started = time.time()
    finished, _, summary, events = train(a.glue_tui, home, values)
    evaluation, stages = summary["scoring_seconds"], summary["stages"]
    # The setup ends with the note on the gradients, the last one before the first evaluation.
    first_eval = next(i for i, event in enumerate(events) if event["kind"] == "eval")
    setup_end = max(event["time"] for event in events[:first_eval] if event["kind"] == "note")
    parts = {"start": max(0.0, setup_end - started - summary["setup_seconds"]), "tokenizing": summary["tokenize_seconds"],
             "loading": summary["setup_seconds"] - summary["tokenize_seconds"], "training": summary["train_seconds"],
             "evaluation": evaluation, "saving": stages.get("saving", 0.0) / stages["evaluation"] * evaluation}
    accuracy = {split: summary[split]["accuracy"] for split in ("validation", "test") if summary.get(split)}
    return finished, parts, {"accuracy": accuracy, "best_accuracy": summary["best"]["value"], "steps": summary["steps"],
                             "tokens": sum(event["tokens"] for event in events if event["kind"] == "step"), "optimizer": "AdamW"}


def trainer(variant, precision, seed, home):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jobs_trainer.py")
    values = {"model": a.model, "data": data_folder(home), "task": a.task, "variant": variant, "to": tempfile.mkdtemp(dir=home),
              "epochs": a.epochs, "batch": a.batch, "eval-batch": a.eval_batch, "max-length": a.max_length, "seed": seed,
              "learning-rate": a.learning_rate, "precision": precision, "threads": a.threads, "started": repr(time.time())}
    options = [word for key, value in values.items() for word in (f"--{key}", str(value))]
    finished = run([sys.executable, script, *options], environment={"HF_HUB_OFFLINE": "1"})
    result = json.loads(finished.out.splitlines()[-1])
    return finished, result.pop("parts"), result


def measure(side, precision, seed):
    """Runs one side in a folder of its own, which is removed before the other side starts."""
    os.sync()
    with tempfile.TemporaryDirectory() as home:
        job = glue_tui(precision, seed, home) if side == GLUE_TUI else trainer(side, precision, seed, home)
    finished, parts, result = job
    parts["rest"] = finished.seconds - sum(parts.values())
    print(f"{side}: {finished.seconds:.1f} s,", json.dumps({name: round(parts[name], 2) for name in PARTS} | result), file=sys.stderr, flush=True)
    return result | {"seconds": finished.seconds, "parts": parts, "peak_memory": finished.peak_memory}


def row(variant, precision, rounds):
    both = lambda value, digits=3: [median([value(r[side]) for r in rounds], digits) for side in (GLUE_TUI, variant)]
    ratios = lambda key: [r[variant][key] / r[GLUE_TUI][key] for r in rounds]
    name = {"default": "Trainer's defaults", "best": "Trainer at its best"}[variant]
    size = f", {a.max_rows} rows" if a.max_rows else ""
    splits = rounds[0][GLUE_TUI]["accuracy"]
    return ({"row": f"job, {os.path.basename(os.path.abspath(a.model))}, {a.task}{size}, epochs {a.epochs}, {precision}, against {name}"}
            | ({"goals": GOALS[variant]} if (a.task, precision, a.max_rows) == ("sst", "f32", None) else {}) | spread(ratios("seconds"))
            | {"seconds": both(lambda side: side["seconds"], 1)}
            | {"parts": {part: both(lambda side: side["parts"].get(part, 0.0), 2) for part in PARTS}}
            | {f"{split}_accuracy": both(lambda side: side["accuracy"][split], 4) for split in splits}
            | {"best_accuracy": both(lambda side: side["best_accuracy"], 4), "peak_memory": both(lambda side: side["peak_memory"], 0),
               "memory_ratio": median([1 / ratio for ratio in ratios("peak_memory")]), "tokens": both(lambda side: side["tokens"], 0),
               "batch": a.batch, "eval_batch": a.eval_batch, "optimizer": rounds[0][variant]["optimizer"]})


sides = [GLUE_TUI, *(a.against or ["default", "best"])]
for precision in a.precision or ["f32"]:
    rounds = []
    for i in range(a.rounds):
        first = i % len(sides)
        rounds.append({side: measure(side, precision, 42 + i) for side in sides[first:] + sides[:first]})
    save_rows([row(variant, precision, rounds) for variant in sides[1:]], a.to, environment(a.threads, a.commit, ["torch", "transformers", "accelerate"]))
