"""Loads an exported folder in Transformers and compares logits.

    python tests/transformers_load.py FOLDER EXPECTED.json

EXPECTED.json is {"texts": [text or [text, text], ...], "logits": [[...], ...], "max_length": 128}:
what the program itself gives for these texts (`max_length` may be left out). Exit code 0 when no
tensor is missing, unexpected or of another shape, and all logits agree to 1e-4; else 1 with the
reason on stderr.
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
    faults = {kind: sorted(map(str, names)) for kind, names in info.items() if names}
    if faults:
        return f"the tensors do not fit: {faults}"
    model.eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    width = len(expected["logits"][0])
    if model.config.num_labels != width:
        return f"{model.config.num_labels} labels in config.json, {width} logits expected"
    problem = "regression" if width == 1 else "single_label_classification"
    if model.config.problem_type != problem:
        return f"problem_type is {model.config.problem_type}, and {problem} is expected"
    worst = 0.0
    for text, logits in zip(expected["texts"], expected["logits"], strict=True):
        first, second = (text, None) if isinstance(text, str) else text
        inputs = tokenizer(
            first, second, truncation=True, max_length=expected.get("max_length", 128), return_tensors="pt"
        )
        with torch.no_grad():
            found = model(**inputs).logits[0]
        difference = (found - torch.tensor(logits)).abs().max().item()
        if not difference <= TOLERANCE:
            return f"logits of {text!r} are {found.tolist()}, and {logits} are expected"
        worst = max(worst, difference)
    labels = [model.config.id2label[place] for place in range(width)]
    print(f"{type(model).__name__} with labels {labels}: {len(expected['texts'])} texts agree to {worst:.1e}")
    return None


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
