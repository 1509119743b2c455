"""Prints the token ids that Transformers gives, as JSON.

    python tests/transformers_tokenize.py REQUESTS.json

REQUESTS.json is a list of {"folder": path, "inputs": [[text] or [text, text], ...], "max_length": number or null}; rows are
truncated to the maximum length, by default that of the folder. The output has a list of ids for each row of each folder.
"""

import json
import sys

import transformers
from transformers import AutoTokenizer


def ids(request):
    tokenizer = AutoTokenizer.from_pretrained(request["folder"])
    # Lists of one element: Transformers drops an empty second text otherwise.
    rows = ([[text] for text in row] for row in request["inputs"])
    return [tokenizer(*row, truncation=True, max_length=request["max_length"])["input_ids"][0] for row in rows]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    transformers.logging.set_verbosity_error()
    with open(sys.argv[1], encoding="utf-8") as file:
        requests = json.load(file)
    json.dump([ids(request) for request in requests], sys.stdout)
