#!/usr/bin/env python3
"""Bounds what it could gain to train several runs in one pass: adapters over one pretrained model, in one batch.

  multi_run.py --glue-tui target/release/glue-tui --to benches/results/multi_run.json

Four runs with batches of 32 in one pass compute what one run with a batch of 128 computes, and the adapters of the other
three. So the speed of a batch of 128 beside one of 32, in examples per second, is an upper bound of the gain. Beside it stands
what the queue does today: two runs at once, with one thread each. Both are measured in turn in each round.
"""
import argparse, json, os, subprocess
from measurement import environment, run, save_rows, spread

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--glue-tui", required=True)
p.add_argument("--lengths", nargs="+", default=["sst2", "sst"])
p.add_argument("--rounds", type=int, default=5)
p.add_argument("--seconds", type=int, default=4)
p.add_argument("--commit", help="commit of the binary; default: the one that is checked out")
p.add_argument("--to", help="a JSON file for the results")
a = p.parse_args()

RUNS, BATCH = 4, 32


def command(lengths, batch, threads):
    settings = ["--set", "lora_r=8", "--set", f"threads={threads}"]
    return [a.glue_tui, "bench", "--json", "--seconds", str(a.seconds), "--lengths", lengths, "--batch", str(batch), *settings]


def speed(out):
    return json.loads(out)["training"]["examples_per_second"]


def two_at_once(lengths):
    """The examples per second of two processes together."""
    children = [subprocess.Popen(command(lengths, BATCH, 1), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
    return sum(speed(child.communicate()[0]) for child in children)


for lengths in a.lengths:
    one_pass, at_once = [], []
    for _ in range(a.rounds):
        single = speed(run(command(lengths, BATCH, 2)).out)
        one_pass.append(speed(run(command(lengths, RUNS * BATCH, 2)).out) / single)
        at_once.append(two_at_once(lengths) / single)
    rows = [{"row": f"{lengths}: a batch of {RUNS * BATCH} beside one of {BATCH}"} | spread(one_pass),
            {"row": f"{lengths}: two runs at once beside one with two threads"} | spread(at_once)]
    save_rows(rows, a.to, environment(2, a.commit, []))
