"""Prints what TensorBoard's own reader finds in a folder of event files, as JSON.

    python tests/tensorboard_read.py FOLDER

The object has for each run (a subfolder, or "." for the folder itself) its scalars, {tag: [[step, value, wall_time], ...]},
and its texts, {tag: [text, ...]}.
"""

import json
import os
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def read(folder):
    # 0 is no limit; by default the reader keeps a sample of 10,000 values.
    accumulator = EventAccumulator(folder, size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    tags = accumulator.Tags()
    scalars = {
        tag: [[event.step, event.value, event.wall_time] for event in accumulator.Scalars(tag)]
        for tag in tags["scalars"]
    }
    texts = {
        tag: [event.tensor_proto.string_val[0].decode() for event in accumulator.Tensors(tag)]
        for tag in tags["tensors"]
    }
    return {"scalars": scalars, "texts": texts}


def main(root):
    runs = {}
    for folder, _, files in os.walk(root):
        if any("tfevents" in file for file in files):
            runs[os.path.relpath(folder, root)] = read(folder)
    json.dump(runs, sys.stdout)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
