"""Checks the demo with PyTorch: fine-tunes the demo model with several seeds and compares it with a bag-of-words baseline.
For `demo` it also evaluates hand-written probes.

    python3 finetune.py [demo|demo-pairs] [key=value...]

Keys: lr, epochs, batch, seeds, warmup; show=N prints N misclassified examples.
"""

import csv
import sys
from pathlib import Path

import torch
from transformers import BertForSequenceClassification, PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
ASSETS = HERE.parent


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    return [tuple(row[:-1]) for row in rows], torch.tensor([int(row[-1]) for row in rows])


def load_tokenizer():
    return PreTrainedTokenizerFast(
        tokenizer_file=str(ASSETS / "demo-model" / "tokenizer.json"), pad_token="[PAD]", unk_token="[UNK]",
        cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]", model_max_length=128,
    )


def encode(tokenizer, texts):
    columns = [list(column) for column in zip(*texts)]
    return [tokenizer(*cell, return_token_type_ids=True) for cell in zip(*columns)]


def collate(rows):
    width = max(len(row["input_ids"]) for row in rows)
    pad = lambda key: torch.tensor([row[key] + [0] * (width - len(row[key])) for row in rows])
    return {key: pad(key) for key in ("input_ids", "token_type_ids", "attention_mask")}


@torch.no_grad()
def logits(model, rows):
    model.eval()
    return torch.cat([model(**collate(rows[i:i + 64])).logits for i in range(0, len(rows), 64)])


def accuracy(model, rows, labels):
    return (logits(model, rows).argmax(-1) == labels).float().mean().item() * 100


def train(rows, labels, validation, lr, epochs, batch, seed, warmup):
    torch.manual_seed(seed)
    model = BertForSequenceClassification.from_pretrained(ASSETS / "demo-model", num_labels=2, dtype=torch.float32)
    no_decay = [p for n, p in model.named_parameters() if p.dim() == 1]
    decay = [p for n, p in model.named_parameters() if p.dim() > 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": no_decay, "weight_decay": 0.0}], lr=lr)
    per_epoch = -(-len(rows) // batch)
    steps = per_epoch * epochs
    warm = round(warmup * steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / max(1, warm), (steps - s) / max(1, steps - warm)))
    curve = [accuracy(model, *validation)]
    for _ in range(epochs):
        model.train()
        order = torch.randperm(len(rows)).tolist()
        for i in range(0, len(rows), batch):
            chosen = order[i:i + batch]
            loss = model(**collate([rows[j] for j in chosen]), labels=labels[chosen]).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        curve.append(accuracy(model, *validation))
    return model, curve


def bag_of_words(folder):
    """The accuracy of logistic regression on words and bigrams: a baseline without word order and pretraining."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    splits = {s: read(ASSETS / folder / f"{s}.tsv") for s in ("train", "validation", "test")}
    for grams in ((1, 1), (1, 2)):
        counter = CountVectorizer(ngram_range=grams, token_pattern=r"[a-z0-9']+|[^\w\s]")

        def features(texts, fit):
            joined = [" ".join(f"{'ab'[i]}{w}" if len(t) > 1 else w for i, s in enumerate(t) for w in s.lower().split()) for t in texts]
            return counter.fit_transform(joined) if fit else counter.transform(joined)

        regression = LogisticRegression(max_iter=2000).fit(features(splits["train"][0], True), splits["train"][1])
        scores = [regression.score(features(splits[s][0], False), splits[s][1]) * 100 for s in ("validation", "test")]
        print(f"bag of words, 1..{grams[1]}-grams: validation {scores[0]:.1f} test {scores[1]:.1f}")


def main():
    folder = next((a for a in sys.argv[1:] if "=" not in a), "demo")
    options = dict(a.split("=") for a in sys.argv[1:] if "=" in a)
    torch.set_num_threads(1)
    bag_of_words(folder)
    tokenizer = load_tokenizer()
    split = {}
    for name in ("train", "validation", "test"):
        texts, labels = read(ASSETS / folder / f"{name}.tsv")
        split[name] = encode(tokenizer, texts), labels
    lengths = [len(row["input_ids"]) for row in split["train"][0]]
    print(f"tokens per row: mean {sum(lengths) / len(lengths):.1f}, maximum {max(lengths)}")
    probes = None
    if folder == "demo":
        texts, labels = read(HERE / "probes.tsv")
        probes = texts, encode(tokenizer, texts), labels
    settings = dict(lr=float(options.get("lr", 5e-4)), epochs=int(options.get("epochs", 3)),
                    batch=int(options.get("batch", 32)), warmup=float(options.get("warmup", 0.06)))
    print(settings)
    for seed in map(int, options.get("seeds", "1,2,3").split(",")):
        model, curve = train(*split["train"], split["validation"], seed=seed, **settings)
        line = f"seed {seed}: validation by epoch {' '.join(f'{v:.1f}' for v in curve)}; test {accuracy(model, *split['test']):.1f}"
        if probes:
            scores = logits(model, probes[1])
            line += f"; probes {(scores.argmax(-1) == probes[2]).float().mean() * 100:.1f}"
        print(line, flush=True)
        if "show" in options:
            texts, labels = read(ASSETS / folder / "validation.tsv")
            wrong = (logits(model, split["validation"][0]).argmax(-1) != labels).nonzero().flatten().tolist()
            for i in wrong[:int(options["show"])]:
                print("  validation", int(labels[i]), *texts[i], sep=" | ")
            if probes:
                probabilities = scores.softmax(-1)[:, 1]
                for text, label, p in zip(probes[0], probes[2], probabilities):
                    if (p > 0.5) != bool(label):
                        print(f"  probe {int(label)} p={p:.2f} {text[0]}")


if __name__ == "__main__":
    main()
