#!/usr/bin/env python3
"""Compares losses for imbalanced classes in PyTorch, over several seeds, to decide which of them are worth a key.

  imbalanced.py --model MINILM --data ../shared/data/SST-2 --seeds 8 --to benches/results/imbalanced.json

The task is SST-2 with 5 % positive rows: 2,000 phrases to train on, 4,000 others to evaluate on. Each method starts from
the same weights, sees the same batches and differs in the loss only:

  cross_entropy    the plain loss
  class_weights    weights n / (classes · count), as `class_weights = "balanced"`
  focal            −(1 − p)^2 · log p (Lin et al. 2017)
  rdrop-1          two forward passes, the mean of both losses and 1 times their symmetric KL divergence (Liang et al. 2021)
  rdrop-5          the same with 5

A row has the mean over the seeds of the F1 score of the rare class, its average precision and the cross-entropy, and
the standard error of the difference from the plain loss, which is paired by seed. Rows that the results file has are not
measured again.

Requires torch, transformers and scikit-learn.
"""
import argparse, json, os, statistics, sys, time
import torch
import torch.nn.functional as F
from sklearn.metrics import average_precision_score, f1_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from measurement import environment, save_rows

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--model", required=True, help="folder of MiniLM, with weights and tokenizer")
p.add_argument("--data", required=True, help="folder of SST-2")
p.add_argument("--seeds", type=int, default=8)
p.add_argument("--epochs", type=int, default=3)
p.add_argument("--learning-rate", type=float, default=5e-5)
p.add_argument("--threads", type=int, default=os.cpu_count())
p.add_argument("--commit", help="the commit of this script; default: the one that is checked out")
p.add_argument("--to", help="a JSON file for the results")
a = p.parse_args()

TRAIN, EVALUATED, POSITIVE, BATCH = 2000, 4000, 0.05, 32
METHODS = ["cross_entropy", "class_weights", "focal", "rdrop-1", "rdrop-5"]
torch.set_num_threads(a.threads)
tokenizer = AutoTokenizer.from_pretrained(a.model)


def split(rows, count):
    """Takes `count` rows with the share of positive ones from the front of `rows`."""
    wanted = {1: round(count * POSITIVE), 0: count - round(count * POSITIVE)}
    taken, left = [], []
    for row in rows:
        if wanted[row[1]] > 0:
            wanted[row[1]] -= 1
            taken.append(row)
        else:
            left.append(row)
    return taken, left


with open(os.path.join(a.data, "train.tsv"), encoding="utf-8") as file:
    lines = [line.rstrip("\n").split("\t") for line in file][1:]
rows = [(text, int(label)) for text, label in lines]
order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
train, rest = split([rows[index] for index in order], TRAIN)
evaluated, _ = split(rest, EVALUATED)


def encode(rows):
    found = tokenizer([text for text, _ in rows], padding=True, truncation=True, max_length=64, return_tensors="pt")
    return {name: value for name, value in found.items() if name in ("input_ids", "attention_mask", "token_type_ids")}


def loss_of(method, model, inputs, labels):
    logits = model(**inputs).logits
    if method == "class_weights":
        count = torch.tensor([sum(label == which for _, label in train) for which in (0, 1)])
        return F.cross_entropy(logits, labels, weight=len(train) / (2.0 * count))
    if method == "focal":
        log_p = F.log_softmax(logits, -1).gather(1, labels[:, None]).squeeze(1)
        return (-((1 - log_p.exp()) ** 2) * log_p).mean()
    loss = F.cross_entropy(logits, labels)
    if method.startswith("rdrop"):
        other = model(**inputs).logits
        one, two = F.log_softmax(logits, -1), F.log_softmax(other, -1)
        divergence = (F.kl_div(one, two, log_target=True, reduction="batchmean")
                      + F.kl_div(two, one, log_target=True, reduction="batchmean")) / 2
        loss = (loss + F.cross_entropy(other, labels)) / 2 + float(method.split("-")[1]) * divergence
    return loss


def trained(method, seed):
    """The F1 score, average precision and cross-entropy after training with a loss, and the seconds of the training."""
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(a.model, num_labels=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=a.learning_rate, weight_decay=0.01)
    orders = torch.Generator().manual_seed(seed)
    model.train()
    started = time.perf_counter()
    for _ in range(a.epochs):
        for batch in torch.randperm(len(train), generator=orders).split(BATCH):
            chosen = [train[index] for index in batch.tolist()]
            loss = loss_of(method, model, encode(chosen), torch.tensor([label for _, label in chosen]))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    seconds = time.perf_counter() - started
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(**encode(evaluated[at:at + 64])).logits for at in range(0, len(evaluated), 64)])
    labels = torch.tensor([label for _, label in evaluated])
    return {"f1": f1_score(labels, logits.argmax(1)), "average_precision": average_precision_score(labels, logits.softmax(1)[:, 1]),
            "loss": F.cross_entropy(logits, labels).item(), "seconds": seconds}


def row(method, runs, plain):
    found = {"row": f"imbalanced: {method}", "seeds": len(runs)}
    for score in ("f1", "average_precision", "loss"):
        values = [run[score] for run in runs]
        found[score] = round(statistics.mean(values), 4)
        differences = [run[score] - other[score] for run, other in zip(runs, plain)]
        if method != METHODS[0]:
            error = statistics.stdev(differences) / len(differences) ** 0.5
            found[f"{score}_difference"] = [round(statistics.mean(differences), 4), round(error, 4)]
        found[{"loss": "losses"}.get(score, f"{score}s")] = [round(value, 4) for value in values]
    return found


known = {}
if a.to and os.path.exists(a.to):
    with open(a.to) as file:
        known = {stored["row"]: stored for stored in json.load(file)}
plain = None
for method in METHODS:
    name = f"imbalanced: {method}"
    stored = known.get(name)
    if stored and stored["seeds"] >= a.seeds:
        runs = [dict(zip(("f1", "average_precision", "loss"), values)) for values in
                zip(stored["f1s"], stored["average_precisions"], stored["losses"])]
    else:
        runs = []
        for seed in range(1, a.seeds + 1):
            runs.append(trained(method, seed))
            print(f"{method} seed {seed}: {runs[-1]}", file=sys.stderr, flush=True)
        save_rows([row(method, runs, plain or runs)], a.to, environment(a.threads, a.commit, ["torch", "transformers"]))
    plain = plain or runs
