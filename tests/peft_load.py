"""Loads an exported adapter with PEFT on top of its base model and compares the logits with expected ones.

    python tests/peft_load.py FOLDER EXPECTED.json

EXPECTED.json is {"texts": [text, ...], "logits": [[...], ...]}: the logits that glue-tui computes for these texts. The exit
code is 0 if the adapter has a tensor for each of its parameters and all logits agree to 1e-4, else 1 with the reason on stderr.
"""

import json
import sys

import torch
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

TOLERANCE = 1e-4


def main(folder, expected_file):
    with open(expected_file, encoding="utf-8") as file:
        expected = json.load(file)
    config = PeftConfig.from_pretrained(folder)
    labels = len(expected["logits"][0])
    # Otherwise the weights have the number format of the base model.
    base = AutoModelForSequenceClassification.from_pretrained(
        config.base_model_name_or_path, num_labels=labels, dtype=torch.float32
    )
    model = PeftModel.from_pretrained(base, folder).eval()
    stored = load_file(f"{folder}/adapter_model.safetensors")
    state = model.state_dict()
    for name, tensor in stored.items():
        module, _, kind = name.rpartition(".")
        names = [f"{module}.default.{kind}", *modules_to_save(name)]
        found = [state[name] for name in names if name in state]
        if len(found) != 1 or not torch.equal(found[0], tensor):
            return f"{name} is not a parameter of the model in PEFT"
    trained = [name for name, parameter in model.named_parameters() if "lora_" in name or "modules_to_save" in name]
    if len(trained) != len(stored):
        return f"the model has {len(trained)} parameters of the adapter, the file {len(stored)}"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    worst = 0.0
    for text, logits in zip(expected["texts"], expected["logits"], strict=True):
        with torch.no_grad():
            found = model(**tokenizer(text, truncation=True, max_length=128, return_tensors="pt")).logits[0]
        difference = (found - torch.tensor(logits)).abs().max().item()
        if not difference <= TOLERANCE:
            return f"logits of {text!r} are {found.tolist()}, expected {logits}"
        worst = max(worst, difference)
    print(f"{len(stored)} tensors of the adapter, {len(expected['texts'])} texts agree to {worst:.1e}")
    return None


def modules_to_save(name):
    """The names that a tensor of a module that is saved whole may have in the model."""
    parts = name.split(".")
    return [".".join([*parts[:at], "modules_to_save", "default", *parts[at:]]) for at in range(1, len(parts))]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
