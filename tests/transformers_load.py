"""Loads an exported model in Transformers and compares its logits with expected ones.

    python tests/transformers_load.py FOLDER EXPECTED.json

EXPECTED.json is {"texts": [text or [text, text], ...], "logits": [[...], ...], "max_length": 128}:
the logits that glue-tui computes for these texts; `max_length` is optional. A folder without tokenizer
has "ids": [[id, ...], ...] in place of texts. The exit code is 0 if no tensor is missing, unexpected or
of the wrong shape and all logits agree to 1e-4, else 1 with the reason on stderr.
"""

import json
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

TOLERANCE = 1e-4


def main(folder, expected_file):
    with open(expected_file, encoding="utf-8") as file:
        expected = json.load(file)
    model, info = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    problems = {kind: sorted(map(str, names)) for kind, names in info.items() if names}
    if problems:
        return f"the tensors do not match the model: {problems}"
    model.eval()
    if "texts" in expected:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        rows = [encoded(tokenizer, text, expected.get("max_length", 128)) for text in expected["texts"]]
    else:
        rows = [{"input_ids": torch.tensor([ids])} for ids in expected["ids"]]
    width = len(expected["logits"][0])
    if model.config.num_labels != width:
        return f"config.json has {model.config.num_labels} labels, but there are {width} expected logits"
    problem_type = "regression" if width == 1 else "single_label_classification"
    if model.config.problem_type != problem_type:
        return f"problem_type is {model.config.problem_type}, expected {problem_type}"
    worst = 0.0
    for inputs, logits in zip(rows, expected["logits"], strict=True):
        with torch.no_grad():
            found = model(**inputs).logits[0]
        difference = (found - torch.tensor(logits)).abs().max().item()
        if not difference <= TOLERANCE:
            return f"logits of {inputs['input_ids'].tolist()} are {found.tolist()}, expected {logits}"
        worst = max(worst, difference)
    labels = [model.config.id2label[label] for label in range(width)]
    print(f"{type(model).__name__} with labels {labels}: {len(rows)} texts agree to {worst:.1e}")
    return None


def encoded(tokenizer, text, max_length):
    """The inputs of the model for a text or a pair of texts."""
    first, second = (text, None) if isinstance(text, str) else text
    return tokenizer(first, second, truncation=True, max_length=max_length, return_tensors="pt")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
