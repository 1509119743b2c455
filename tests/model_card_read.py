"""Checks the model card of a folder as huggingface_hub reads it, and prints its metadata as JSON.

    python tests/model_card_read.py FOLDER

The exit code is 0 if the front matter is valid YAML, its results follow the schema of `model-index`, and the card survives
being written again; else 1 with the reason on stderr.
"""

import json
import os
import sys

import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

TEXTS = ["library_name", "pipeline_tag"]
LISTS = ["datasets", "metrics", "tags"]


def main(folder):
    path = os.path.join(folder, "README.md")
    with open(path, encoding="utf-8") as file:
        content = file.read()
    raw = yaml.safe_load(content.split("\n---\n", 1)[0].removeprefix("---\n"))
    # An invalid model-index is dropped with a warning unless errors are wanted.
    card = ModelCard(content, ignore_metadata_errors=False)
    for key in TEXTS:
        assert isinstance(raw[key], str), key
    for key in LISTS:
        assert all(isinstance(value, str) for value in raw.get(key, [])), key
    results = []
    if "model-index" in raw:
        name, results = model_index_to_eval_results(raw["model-index"])
        assert name and card.data.model_name == name, name
        assert card.data.eval_results == results
    for result in results:
        assert result.task_type == "text-classification", result
        assert all(isinstance(text, str) and text for text in (result.dataset_name, result.dataset_type)), result
        assert isinstance(result.dataset_split, str) and isinstance(result.metric_type, str), result
        assert isinstance(result.metric_value, float), result
        if result.metric_args is not None:
            low, high = result.metric_args["confidence_interval"]
            assert low - 1e-6 <= result.metric_value <= high + 1e-6, result
    again = ModelCard(str(card), ignore_metadata_errors=False)
    assert again.data.to_dict() == card.data.to_dict()
    for line in card.text.splitlines():
        if line.startswith("!["):
            assert os.path.isfile(os.path.join(folder, line.split("(", 1)[1].rstrip(")"))), line
    json.dump({"raw": raw, "results": [vars(result) for result in results]}, sys.stdout)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
