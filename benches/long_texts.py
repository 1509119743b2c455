#!/usr/bin/env python3
"""Measures memory and time of training ModernBERT-base's shape on long texts.

  long_texts.py --glue-tui target/release/glue-tui --to benches/results/long_texts.json [--tokens 2048 --tokens 8192]

For each number of tokens it trains a few steps on rows of that length, one row per step, with random weights, and
records the peak memory of the process, what the run planned, and the time of a step. `--chart` draws the peak memory
as an SVG file.

Requires torch, transformers and safetensors, for the weights.
"""
import argparse, json, os, re, subprocess, sys, tempfile
from measurement import environment, save_rows, train

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--glue-tui", required=True)
p.add_argument("--tokens", type=int, action="append", help="tokens of a row; may be repeated")
p.add_argument("--steps", type=int, default=2)
p.add_argument("--threads", type=int, default=os.cpu_count())
p.add_argument("--precision", default="f32")
p.add_argument("--commit", help="commit of the binary; default: the one that is checked out")
p.add_argument("--to", help="a JSON file for the results")
p.add_argument("--chart", help="an SVG file for the chart of all rows in the results")
a = p.parse_args()

SHAPE = "modernbert-base"
WORDS = 1000
SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
MODEL = """
import sys
from transformers import AutoModelForSequenceClassification, ModernBertConfig
config = ModernBertConfig(pad_token_id=0, cls_token_id=1, bos_token_id=1, sep_token_id=2, eos_token_id=2)
AutoModelForSequenceClassification.from_config(config).save_pretrained(sys.argv[1])
"""


def model_folder(home):
    """A folder with random weights and a tokenizer that takes each word for a token."""
    folder = os.path.join(home, SHAPE)
    # In a process of its own, whose memory a child of this process does not start with.
    subprocess.run([sys.executable, "-c", MODEL, folder], check=True, capture_output=True)
    vocabulary = SPECIAL + [f"w{word}" for word in range(WORDS)]
    token = lambda name: {"SpecialToken": {"id": name, "type_id": 0}}
    text = lambda name: {"Sequence": {"id": name, "type_id": 0}}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [{"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for id, content in enumerate(SPECIAL)],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [token("[CLS]"), text("A"), token("[SEP]")],
            "pair": [token("[CLS]"), text("A"), token("[SEP]"), text("B"), token("[SEP]")],
            "special_tokens": {name: {"id": name, "ids": [SPECIAL.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")},
        },
        "model": {"type": "WordLevel", "vocab": {word: id for id, word in enumerate(vocabulary)}, "unk_token": "[UNK]"},
    }
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 8192, "pad_token": "[PAD]",
                "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    for name, content in ("tokenizer.json", tokenizer), ("tokenizer_config.json", settings):
        with open(os.path.join(folder, name), "w") as file:
            json.dump(content, file)
    return folder


def data_file(home, name, tokens, rows):
    """A CSV file whose rows have that many tokens, special tokens included."""
    path = os.path.join(home, f"{name}.csv")
    with open(path, "w") as file:
        file.write("text,label\n")
        for row in range(rows):
            words = " ".join(f"w{(row * 7919 + word * word) % WORDS}" for word in range(tokens - 2))
            file.write(f"{words},{'ab'[row % 2]}\n")
    return path


def measure(tokens, model, home):
    """The row of a number of tokens."""
    values = {
        "model": model, "task": "custom", "text_column": "text", "label_column": "label", "max_seq_length": tokens,
        "train_file": data_file(home, "train", tokens, max(a.steps, 2)), "validation_file": data_file(home, "validation", 16, 2),
        "per_device_train_batch_size": 1, "max_steps": a.steps, "threads": a.threads, "precision": a.precision,
        "eval_steps": a.steps, "device": "cpu",
    }
    finished, folder, summary, events = train(a.glue_tui, home, values)
    with open(os.path.join(folder, "log.txt")) as file:
        plan = re.search(r"memory: at most ([0-9.]+ \w+)", file.read())
    return {
        "row": f"{SHAPE}, {tokens} tokens, {a.precision}", "tokens": tokens, "precision": a.precision,
        "peak_memory": finished.peak_memory, "planned": plan and plan.group(1),
        "seconds_per_step": round(summary["train_seconds"] / summary["steps"], 2),
        "steps": summary["steps"],
    }


def chart(rows):
    """The peak memory against the number of tokens as SVG."""
    rows = sorted(rows, key=lambda row: row["tokens"])
    width, height, left, bottom = 640, 360, 70, 50
    most_tokens = max(row["tokens"] for row in rows)
    most = max(row["peak_memory"] for row in rows) * 1.1
    x = lambda tokens: left + (width - left - 30) * tokens / most_tokens
    y = lambda memory: height - bottom - (height - bottom - 30) * memory / most
    points = " ".join(f"{x(row['tokens']):.1f},{y(row['peak_memory']):.1f}" for row in rows)
    text = lambda at, label, anchor: f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}">{label}</text>'
    parts = [f'<polyline points="{points}" fill="none" stroke="#1f77b4" stroke-width="2"/>']
    for row in rows:
        at = (x(row["tokens"]), y(row["peak_memory"]))
        parts.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="4" fill="#1f77b4"/>')
        parts.append(text((at[0], at[1] - 10), f"{row['peak_memory'] / 1e9:.1f} GB", "middle"))
        parts.append(text((at[0], height - bottom + 20), f"{row['tokens']:,}", "middle"))
    axis = f'<path d="M{left},20V{height - bottom}H{width - 20}" fill="none" stroke="#888"/>'
    parts.append(text((width / 2, height - 8), "tokens of a row", "middle"))
    parts.append(text((left, 14), f"peak memory of training {SHAPE}, one row per step", "start"))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
            f'font-size="13" fill="#555">\n<rect width="100%" height="100%" fill="#fff"/>\n{axis}\n' + "\n".join(parts) + "\n</svg>\n")


def main():
    rows = []
    with tempfile.TemporaryDirectory() as home:
        model = model_folder(home)
        for tokens in a.tokens or (1024, 2048, 4096, 8192):
            rows.append(measure(tokens, model, home))
            save_rows(rows[-1:], a.to, environment(a.threads, a.commit, []))
    if a.to:
        with open(a.to) as file:
            rows = json.load(file)
    if a.chart:
        with open(a.chart, "w") as file:
            file.write(chart([row for row in rows if row["precision"] == a.precision]))


main()
