"""A grid of 12 trials on SST-2, with and without ASHA: the best score and the optimizer steps of both.

    python3 benches/sweep.py --binary target/release/glue-tui --model MINILM_FOLDER --data SST2_FOLDER --save benches/results/sweep.json
"""

import argparse
import json
import math
import subprocess
import tempfile
import time
from pathlib import Path

from measurement import head_commit, processor

GRID = """\
[experiment.grid]
model = "{model}"
task = "sst2"
data_dir = "{data}"
max_train_samples = 2000
num_train_epochs = 3
per_device_train_batch_size = 32
learning_rate = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4]
warmup_ratio = [0.0, 0.1]
"""
ASHA = 'scheduler = "asha"\n'
VALIDATION_ROWS = 872


def sweep(binary, home, name, text):
    """Trains a sweep: its last line of JSON, its trials and its seconds."""
    folder = home / name
    folder.mkdir()
    (folder / "experiments.toml").write_text(text)
    start = time.monotonic()
    process = subprocess.run(
        [binary, "train", "grid", "--json", "--plain"], cwd=folder, check=True, stdout=subprocess.PIPE,
        stderr=(folder / "stderr").open("w"), text=True,
    )
    lines = [json.loads(line) for line in process.stdout.splitlines()]
    return lines[-1], {line["number"]: line for line in lines[:-1]}, time.monotonic() - start


def wilson(share, rows, quantile=1.959964):
    """The interval of 95 % of a share of `rows` rows (Wilson 1927)."""
    center = (share + quantile**2 / (2 * rows)) / (1 + quantile**2 / rows)
    half = quantile * math.sqrt(share * (1 - share) / rows + quantile**2 / (4 * rows**2)) / (1 + quantile**2 / rows)
    return [round(center - half, 4), round(center + half, 4)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/glue-tui")
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--save", help="JSON file of the result")
    options = parser.parse_args()
    binary = str(Path(options.binary).resolve())
    text = GRID.format(model=Path(options.model).resolve(), data=Path(options.data).resolve())
    with tempfile.TemporaryDirectory() as home:
        grid, grid_trials, grid_seconds = sweep(binary, Path(home), "full", text)
        asha, asha_trials, asha_seconds = sweep(binary, Path(home), "asha", text + ASHA)
    best, found = grid["best"]["score"], asha["best"]["score"]
    interval = wilson(best, VALIDATION_ROWS)
    result = {
        "commit": head_commit(),
        "machine": processor(),
        "metric": grid["metric"],
        "grid": {"best": best, "interval": interval, "steps": grid["steps"], "seconds": round(grid_seconds)},
        "asha": {"best": found, "steps": asha["steps"], "seconds": round(asha_seconds)},
        "steps_share": round(asha["steps"] / grid["steps"], 3),
        "is_within_interval": found >= interval[0],
        "grid_scores": [grid_trials[number]["score"] for number in sorted(grid_trials)],
        "asha_statuses": [asha_trials[number]["status"] for number in sorted(asha_trials)],
    }
    print(json.dumps(result, indent=2))
    if options.save:
        Path(options.save).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
