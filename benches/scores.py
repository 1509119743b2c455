#!/usr/bin/env python3
"""Compares the losses and the scores of glue-tui with those of PyTorch on the same rows with the same recipe.

  scores.py steps --glue-tui target/release/glue-tui --model MINILM --data ../shared/data/CoLA --task cola --to benches/results/scores.json
  scores.py seeds --glue-tui target/release/glue-tui --model MINILM --data ../shared/data/CoLA --task cola --seeds 24 \\
      --reference reference_train.py --to benches/results/scores.json

`steps` trains both sides without dropout from the same weights, those of a new head included, on the same batches in
the same order, and compares the loss of each step, the logits of the validation split after the last one, and the weights.

`seeds` trains both sides with that many seeds and compares the means of a score. `--reference` is a script that runs the same
training in PyTorch and prints, as its last line, a JSON object with `evals`. A seed that the results file has already is
not repeated for the same machine and settings, so that the script continues where it was stopped.

Requires torch, transformers, safetensors and, for `seeds`, scikit-learn and scipy.
"""
import argparse, csv, json, math, os, statistics, subprocess, sys, tempfile
from measurement import environment, run, save_rows, train

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("what", choices=["steps", "seeds"])
p.add_argument("--glue-tui", required=True)
p.add_argument("--model", required=True, help="folder of MiniLM, with weights and tokenizer")
p.add_argument("--data", required=True, help="folder of the task")
p.add_argument("--task", required=True, choices=["cola", "mrpc", "stsb", "rte"])
p.add_argument("--reference", help="the script of `seeds`")
p.add_argument("--seeds", type=int, default=24)
p.add_argument("--first-seed", type=int, default=1)
p.add_argument("--steps", type=int, default=200)
p.add_argument("--epochs", type=int, default=3)
p.add_argument("--learning-rate", type=float, default=5e-5)
p.add_argument("--threads", type=int, default=os.cpu_count())
p.add_argument("--commit", help="commit of the binary; default: the one that is checked out")
p.add_argument("--to", help="a JSON file for the results")
a = p.parse_args()

BATCH, MAX_LENGTH = 32, 128
SCORE = {"cola": "matthews_correlation", "mrpc": "accuracy", "stsb": "pearson", "rte": "accuracy"}[a.task]
# The recipe of the experiment `sst-distilbert`.
RECIPE = {"lr_scheduler_type": "constant", "weight_decay": 0, "adam_epsilon": 1e-6, "max_grad_norm": 0,
          "per_device_train_batch_size": BATCH, "max_seq_length": MAX_LENGTH, "learning_rate": a.learning_rate}


def philox(counter, key, rounds=10):
    """The block cipher Philox4x32 (Salmon, Moraes, Dror and Shaw, 2011), with which glue-tui shuffles."""
    for _ in range(rounds):
        left, right = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = ((right >> 32) ^ counter[1] ^ key[0], right & 0xFFFFFFFF, (left >> 32) ^ counter[3] ^ key[1], left & 0xFFFFFFFF)
        key = ((key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF)
    return counter


def epoch_order(seed, epoch, count):
    """The order of the rows in an epoch (from 0): Fisher-Yates with the numbers of glue-tui's stream of orders."""
    ORDER = 2
    key = philox((seed & 0xFFFFFFFF, seed >> 32, ORDER, 0), (0, 0))[:2]
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        high, low, *_ = philox((last & 0xFFFFFFFF, last >> 32, 0, epoch), key)
        pick = int(((high << 32 | low) >> 11) / 2**53 * (last + 1))
        order[last], order[pick] = order[pick], order[last]
    return order


# Both sides start from this folder: the weights of `--model` with a new head, and no dropout.
INITIAL = """
import sys, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
source, folder, labels, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.manual_seed(seed)
model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=labels, hidden_dropout_prob=0.0,
                                                           attention_probs_dropout_prob=0.0, classifier_dropout=0.0)
model.save_pretrained(folder)
AutoTokenizer.from_pretrained(source).save_pretrained(folder)
"""

# Reads {"rows", "batches", "validation", …} from stdin, trains on the batches, and prints the losses and the logits.
STEPS = """
import json, sys, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
job = json.load(sys.stdin)
torch.set_num_threads(job["threads"])
model = AutoModelForSequenceClassification.from_pretrained(job["model"]).train()
tokenizer = AutoTokenizer.from_pretrained(job["model"])
optimizer = torch.optim.AdamW(model.parameters(), lr=job["learning_rate"], eps=1e-6, weight_decay=0.0)
regression = model.config.num_labels == 1


def encode(rows):
    first, second = [row[0] for row in rows], [row[1] for row in rows]
    pairs = (second,) if second[0] is not None else ()
    return tokenizer(first, *pairs, truncation=True, max_length=job["max_length"], padding=True, return_tensors="pt")


losses = []
for batch in job["batches"]:
    rows = [job["rows"][index] for index in batch]
    logits = model(**encode(rows)).logits
    labels = torch.tensor([row[2] for row in rows])
    loss = torch.nn.functional.mse_loss(logits.squeeze(-1), labels.float()) if regression else torch.nn.functional.cross_entropy(logits, labels)
    optimizer.zero_grad(set_to_none=True), loss.backward(), optimizer.step()
    losses.append(loss.item())
model.eval()
logits = []
with torch.no_grad():
    for start in range(0, len(job["validation"]), 64):
        logits += model(**encode(job["validation"][start:start + 64])).logits.tolist()
model.save_pretrained(job["to"])
print(json.dumps({"losses": losses, "logits": logits}))
"""

COLUMNS = {"cola": (3, None, 1, False), "mrpc": (3, 4, 0, True), "stsb": (7, 8, 9, True), "rte": (1, 2, 3, True)}


def rows_of(split):
    """The rows of a split as (text, second text or None, label)."""
    text, pair, label, header = COLUMNS[a.task]
    number = lambda word: {"entailment": 0, "not_entailment": 1}.get(word) if a.task == "rte" else float(word) if a.task == "stsb" else int(word)
    with open(os.path.join(a.data, f"{split}.tsv"), encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[header:]
    return [(row[text], row[pair] if pair is not None else None, number(row[label])) for row in rows]


def largest_weight_difference(ours, theirs):
    """The largest difference of a weight between two folders, in a process of its own that may import torch."""
    script = ("import sys\nfrom safetensors.torch import load_file\na, b = (load_file(f'{d}/model.safetensors') for d in sys.argv[1:])\n"
              "print(max((a[n].float() - b[n].float()).abs().max().item() for n in b if n in a))")
    return float(subprocess.run([sys.executable, "-c", script, ours, theirs], check=True, capture_output=True, text=True).stdout)


def steps(home):
    """The losses of both sides on the same batches, without dropout."""
    initial, trained = os.path.join(home, "initial"), os.path.join(home, "trained")
    run([sys.executable, "-c", INITIAL, a.model, initial, "1" if a.task == "stsb" else "2", str(a.first_seed)])
    values = RECIPE | {"model": initial, "task": a.task, "data_dir": a.data, "max_steps": a.steps, "threads": a.threads,
                       "precision": "f32", "seed": a.first_seed, "logging_steps": 1, "classifier_dropout": 0}
    _, folder, _, events = train(a.glue_tui, home, values)
    ours = [event["loss"] for event in events if event.get("kind") == "step"]
    rows = rows_of("train")
    per_epoch = math.ceil(len(rows) / BATCH)
    orders = [epoch_order(a.first_seed, epoch, len(rows)) for epoch in range(math.ceil(a.steps / per_epoch))]
    batches = [order[start:start + BATCH] for order in orders for start in range(0, len(rows), BATCH)][:a.steps]
    job = {"model": initial, "rows": rows, "batches": batches, "validation": rows_of("dev"), "threads": a.threads,
           "learning_rate": a.learning_rate, "max_length": MAX_LENGTH, "to": trained}
    path = os.path.join(home, "job.json")
    with open(path, "w") as file:
        json.dump(job, file)
    theirs = json.loads(run([sys.executable, "-c", STEPS], stdin=path).out.splitlines()[-1])
    differences = [abs(x - y) for x, y in zip(ours, theirs["losses"], strict=True)]
    up_to = lambda count: float(f"{max(differences[:count]):.3g}")
    return {"row": f"{a.task}: losses of {a.steps} steps without dropout, same batches and head", "largest_difference": up_to(a.steps),
            "largest_difference_of_first": {str(n): up_to(n) for n in (1, 10, 50, 100) if n <= a.steps},
            "mean_loss_of_last_50_steps": [round(statistics.mean(side[-50:]), 6) for side in (ours, theirs["losses"])],
            "largest_difference_of_a_weight": float(f"{largest_weight_difference(os.path.join(folder, 'best'), trained):.3g}"),
            "seed": a.first_seed}


def summary(scores):
    """Mean, standard deviation and standard error of the mean."""
    deviation = statistics.stdev(scores) if len(scores) > 1 else math.nan
    return {"mean": round(statistics.mean(scores), 5), "sd": round(deviation, 5), "se": round(deviation / math.sqrt(len(scores)), 5)}


def stored(row):
    """The scores by seed that the results file has for a row, if its settings are the same."""
    if not a.to or not os.path.exists(a.to):
        return {}
    with open(a.to) as file:
        found = next((old for old in json.load(file) if old["row"] == row["row"]), {})
    return found.get("scores", {}) if found.get("settings") == row["settings"] else {}


def ours(seed, home):
    values = RECIPE | {"model": a.model, "task": a.task, "data_dir": a.data, "num_train_epochs": a.epochs, "threads": a.threads,
                       "precision": "f32", "seed": seed}
    return train(a.glue_tui, home, values)[2]["validation"][SCORE]


def theirs(seed):
    out = run([sys.executable, a.reference, "--model", a.model, "--task", a.task, "--data", a.data, "--seed", str(seed), "--lr", str(a.learning_rate),
               "--epochs", str(a.epochs), "--batch", str(BATCH), "--max-len", str(MAX_LENGTH), "--threads", str(a.threads), "--fused"]).out
    return json.loads(out.splitlines()[-1])["evals"][-1]["validation"][SCORE]


def seeds(home):
    """The mean of the score over seeds on both sides; saved after each seed."""
    row = {"row": f"{a.task}: {SCORE} after {a.epochs} epochs, {a.seeds} seeds a side",
           "settings": {"epochs": a.epochs, "learning_rate": a.learning_rate, "batch_size": BATCH}}
    scores = {"glue-tui": {}, "pytorch": {}} | stored(row)
    for seed in range(a.first_seed, a.first_seed + a.seeds):
        for side, score in (("glue-tui", lambda: ours(seed, home)), ("pytorch", lambda: theirs(seed))):
            if str(seed) not in scores[side]:
                scores[side][str(seed)] = score()
        both = {side: summary(list(values.values())) for side, values in scores.items()}
        difference = both["glue-tui"]["mean"] - both["pytorch"]["mean"]
        error = math.hypot(both["glue-tui"]["se"], both["pytorch"]["se"])
        row |= both | {"difference": round(difference, 5), "standard_error": round(error, 5),
                       "within_two_standard_errors": bool(abs(difference) <= 2 * error), "scores": scores}
        save_rows([row], a.to, environment(a.threads, a.commit, ["torch", "transformers"]))


with tempfile.TemporaryDirectory() as home:
    if a.what == "steps":
        save_rows([steps(home)], a.to, environment(a.threads, a.commit, ["torch", "transformers"]))
    else:
        seeds(home)
