"""Prints the answers of a text classification pipeline of Transformers with `truncation=True`, as JSON.

    python tests/transformers_pipeline.py FOLDER TEXTS.json

TEXTS.json is a list of [text] or [text, text]. The output is a list of {"label": ..., "score": ...}.
"""

import json
import sys

import transformers
from transformers import pipeline


def main(folder, file):
    transformers.logging.set_verbosity_error()
    with open(file, encoding="utf-8") as texts:
        inputs = [dict(zip(("text", "text_pair"), row)) for row in json.load(texts)]
    classify = pipeline("text-classification", folder, device="cpu")
    json.dump([classify(row, truncation=True) for row in inputs], sys.stdout)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
