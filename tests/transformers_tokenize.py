"""Prints the token ids and segments that Transformers gives, as JSON.

    python tests/transformers_tokenize.py REQUESTS.json

REQUESTS.json is a list of {"folder": path, "inputs": [[text] or [text, text], ...], "max_length": number or null}; rows are
truncated to the maximum length, by default that of the folder. The output has [ids, segments] for each row of each folder;
the segments are empty if the model gets none.
"""

import json
import sys

import transformers
from transformers import AutoTokenizer


def encode(row, tokenizer, max_length):
    found = tokenizer(*row, truncation=True, max_length=max_length)
    return [found["input_ids"][0], found["token_type_ids"][0] if "token_type_ids" in found else []]


def encodings(request):
    tokenizer = AutoTokenizer.from_pretrained(request["folder"])
    # Lists of one element: Transformers drops an empty second text otherwise.
    rows = ([[text] for text in row] for row in request["inputs"])
    return [encode(row, tokenizer, request["max_length"]) for row in rows]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    transformers.logging.set_verbosity_error()
    with open(sys.argv[1], encoding="utf-8") as file:
        requests = json.load(file)
    json.dump([encodings(request) for request in requests], sys.stdout)
