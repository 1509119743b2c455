#!/usr/bin/env python3
"""One complete fine-tuning with the Trainer of Transformers, for jobs.py.

Reads the data, evaluates, trains, evaluates and saves at the end of each epoch, and writes the best weights. The last line
of stdout is a JSON object: the seconds of each part, the final scores, and the number of training tokens.

--variant default   random batches, each padded to its longest input, and the Trainer's default optimizer
--variant best      batches of similar length in training and evaluation, fused AdamW, sdpa
"""
import argparse, collections, contextlib, csv, dataclasses, json, os, re, time

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--model", required=True)
p.add_argument("--data", required=True)
p.add_argument("--task", choices=["sst", "sst2"], required=True)
p.add_argument("--variant", choices=["default", "best"], required=True)
p.add_argument("--to", required=True, help="folder of the checkpoints and the best weights")
p.add_argument("--epochs", type=int, required=True)
p.add_argument("--batch", type=int, required=True)
p.add_argument("--eval-batch", type=int, required=True)
p.add_argument("--max-length", type=int, required=True)
p.add_argument("--learning-rate", type=float, required=True)
p.add_argument("--precision", choices=["f32", "bf16"], required=True)
p.add_argument("--threads", type=int, required=True)
p.add_argument("--seed", type=int, required=True)
p.add_argument("--started", type=float, required=True, help="time.time() just before this process was started")
a = p.parse_args()


class Parts:
    """Seconds of each part. Time in a part within another one counts for the inner one only."""

    def __init__(self):
        self.seconds, self.names, self.since = collections.defaultdict(float), [], 0.0

    def count(self):
        now = time.perf_counter()
        if self.names:
            self.seconds[self.names[-1]] += now - self.since
        self.since = now

    @contextlib.contextmanager
    def part(self, name):
        self.count()
        self.names.append(name)
        try:
            yield
        finally:
            self.count()
            self.names.pop()


import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments
parts = Parts()
parts.seconds["start"] = time.time() - a.started
torch.set_num_threads(a.threads)


class TimedTrainer(Trainer):
    def evaluate(self, *arguments, **keywords):
        with parts.part("evaluation"):
            return super().evaluate(*arguments, **keywords)

    def _save_checkpoint(self, *arguments, **keywords):
        with parts.part("saving"):
            return super()._save_checkpoint(*arguments, **keywords)

    def _load_best_model(self):
        with parts.part("saving"):
            return super()._load_best_model()


def read(split):
    """Texts and labels of a split; `None` if it has no file or no labels."""
    path = os.path.join(a.data, f"{split}.{'txt' if a.task == 'sst' else 'tsv'}")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8-sig", newline="") as file:
        if a.task == "sst":  # the class of the root is the first digit; classes 3 and 4 are positive
            lines = [line for line in file if line.strip()]
            return [" ".join(re.findall(r"([^()\s]+)\)", line)) for line in lines], [int(int(line[1]) > 2) for line in lines]
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if "label" not in rows[0]:
        return None
    return [row["sentence"] for row in rows], [int(row["label"]) for row in rows]


def tokenize(rows):
    texts, labels = rows
    encoded = tokenizer(texts, truncation=True, max_length=a.max_length)
    return [{key: encoded[key][i] for key in encoded} | {"labels": label} for i, label in enumerate(labels)]


def arguments():
    variant = {}
    if a.variant == "best":
        # Transformers 5 has train_sampling_strategy, earlier versions group_by_length.
        has_strategy = any(field.name == "train_sampling_strategy" for field in dataclasses.fields(TrainingArguments))
        variant = {"train_sampling_strategy": "group_by_length"} if has_strategy else {"group_by_length": True}
        # Worker processes for the data take processor time from the steps.
        variant |= {"optim": "adamw_torch_fused", "dataloader_num_workers": 0, "dataloader_pin_memory": False}
    return TrainingArguments(
        a.to, num_train_epochs=a.epochs, per_device_train_batch_size=a.batch, per_device_eval_batch_size=a.eval_batch,
        learning_rate=a.learning_rate, eval_strategy="epoch", save_strategy="epoch", save_total_limit=2, load_best_model_at_end=True,
        metric_for_best_model="eval_validation_accuracy", bf16=a.precision == "bf16", use_cpu=True, seed=a.seed, disable_tqdm=True,
        report_to="none", **variant)


def accuracy(prediction):
    return {"accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())}


with parts.part("loading"):
    data = {name: read(file) for name, file in (("train", "train"), ("validation", "dev"), ("test", "test"))}
    tokenizer = AutoTokenizer.from_pretrained(a.model)
    attention = {"attn_implementation": "sdpa"} if a.variant == "best" else {}
    model = AutoModelForSequenceClassification.from_pretrained(a.model, num_labels=2, **attention)
with parts.part("tokenizing"):
    data = {name: tokenize(rows) for name, rows in data.items() if rows}
with parts.part("loading"):
    evaluated = {name: rows for name, rows in data.items() if name != "train"}
    trainer = TimedTrainer(model, arguments(), train_dataset=data["train"], eval_dataset=evaluated, processing_class=tokenizer,
                           compute_metrics=accuracy)
trainer.evaluate()
with parts.part("training"):
    trainer.train()
with parts.part("saving"):
    trainer.save_model(os.path.join(a.to, "best"))

final = {name: [log for log in trainer.state.log_history if f"eval_{name}_accuracy" in log][-1] for name in evaluated}
print(json.dumps({"parts": parts.seconds, "steps": trainer.state.global_step, "tokens": a.epochs * sum(len(row["input_ids"]) for row in data["train"]),
                  "optimizer": str(trainer.args.optim.value if hasattr(trainer.args.optim, "value") else trainer.args.optim),
                  "accuracy": {name: log[f"eval_{name}_accuracy"] for name, log in final.items()},
                  "best_accuracy": trainer.state.best_metric}))
