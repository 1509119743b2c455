#!/usr/bin/env python3
"""Compares the training techniques of glue-tui with plain fine-tuning: scores over several seeds, speed and memory.

  techniques.py --glue-tui target/release/glue-tui --model MINILM --data ../shared/data --to benches/results/techniques.json

Each technique trains MiniLM on SST, for one epoch, and on MRPC, for three, with the same seeds. A row has the mean of the
best validation score with its standard deviation, the mean of the differences from plain fine-tuning, paired by seed, with
their standard error, the examples per second of the training steps, and the peak memory of the process. `teacher` is the
plain run of the first seed. A seed that the results file has already is not repeated for the same machine, so that the
script continues where it was stopped.
"""
import argparse, json, os, statistics, tempfile
from measurement import environment, processor, save_rows, train

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--glue-tui", required=True)
p.add_argument("--model", required=True, help="folder of MiniLM, with weights and tokenizer")
p.add_argument("--data", required=True, help="folder with SST and MRPC")
p.add_argument("--tasks", nargs="+", default=["sst", "mrpc"], choices=["sst", "mrpc"])
p.add_argument("--techniques", nargs="+", help="only these; plain fine-tuning is always measured")
p.add_argument("--seeds", type=int, default=5)
p.add_argument("--threads", type=int, default=os.cpu_count())
p.add_argument("--commit", help="commit of the binary; default: the one that is checked out")
p.add_argument("--to", help="a JSON file for the results")
a = p.parse_args()

FOLDERS = {"sst": "SST", "mrpc": "MRPC"}
# SST has more than twice the rows of MRPC.
EPOCHS = {"sst": 1, "mrpc": 3}
RECIPE = {"model": os.path.abspath(a.model), "per_device_train_batch_size": 32, "learning_rate": 5e-5, "threads": a.threads}
PLAIN = "plain"
TECHNIQUES = {
    PLAIN: {},
    "layerwise_lr_decay": {"layerwise_lr_decay": 0.9},
    "freeze_layers_3": {"freeze_layers": 3},
    "freeze_layers_6": {"freeze_layers": 6, "learning_rate": 1e-3},
    "lora": {"lora_r": 8, "learning_rate": 5e-4},
    "ema": {"ema_decay": 0.99},
    "average_checkpoints": {"average_checkpoints": 3, "eval_steps": 0.1, "save_steps": 0.1},
    "teacher": {"teacher": None},
}


def measured(task, technique, seed, home, teacher):
    """The best score, the examples per second and the peak memory of one training, and its folder."""
    data = {"task": task, "data_dir": os.path.abspath(os.path.join(a.data, FOLDERS[task])), "num_train_epochs": EPOCHS[task]}
    settings = RECIPE | data | {"seed": seed} | TECHNIQUES[technique]
    if "teacher" in settings:
        settings["teacher"] = teacher
    finished, folder, summary, _ = train(a.glue_tui, home, settings)
    return {"score": summary["best"]["value"], "examples_per_second": summary["examples_per_second"],
            "peak_memory": finished.peak_memory, "trainable_parameters": summary["trainable_parameters"]}, folder


def row(task, technique, runs, plain):
    scores = [run["score"] for run in runs.values()]
    found = {"row": f"{task}: {technique}, {processor()}", "score": round(statistics.mean(scores), 4),
             "sd": round(statistics.stdev(scores), 4) if len(scores) > 1 else None}
    differences = [run["score"] - plain[seed]["score"] for seed, run in runs.items() if seed in plain]
    if technique != PLAIN and len(differences) > 1:
        error = statistics.stdev(differences) / len(differences) ** 0.5
        found["difference"] = [round(statistics.mean(differences), 4), round(error, 4)]
    for name, unit in (("examples_per_second", 1), ("peak_memory", 2**20)):
        found[name if unit == 1 else "peak_memory_mib"] = round(statistics.median(run[name] for run in runs.values()) / unit)
    return found | {"trainable_parameters": next(iter(runs.values()))["trainable_parameters"], "seeds": runs}


def stored(name):
    """The seeds that the results file has."""
    if not a.to or not os.path.exists(a.to):
        return {}
    with open(a.to) as file:
        return next((found["seeds"] for found in json.load(file) if found["row"] == name), {})


with tempfile.TemporaryDirectory() as home:
    for task in a.tasks:
        plain, teacher = {}, None
        for technique in [PLAIN, *(name for name in TECHNIQUES if name != PLAIN and name in (a.techniques or TECHNIQUES))]:
            runs = stored(f"{task}: {technique}, {processor()}")
            for seed in map(str, range(1, a.seeds + 1)):
                if "teacher" in TECHNIQUES[technique] and teacher is None:
                    _, teacher = measured(task, PLAIN, "1", home, None)
                if seed not in runs:
                    runs[seed], _ = measured(task, technique, seed, home, teacher)
                    found = row(task, technique, runs, runs if technique == PLAIN else plain)
                    save_rows([found], a.to, environment(a.threads, a.commit, []))
            plain = runs if technique == PLAIN else plain
