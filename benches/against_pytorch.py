#!/usr/bin/env python3
"""Training speed of glue-tui beside PyTorch: both sides in turn, on the same machine, in the same minutes.

  against_pytorch.py --glue-tui target/release/glue-tui --reference reference_train.py \
      --model MINILM --task sst2 --data ../shared/data/SST-2 --set precision=f32

`--reference` is a script that trains the same in PyTorch and prints one JSON object with
`examples_per_second` as its last line; `--pytorch "ARGUMENTS"` (may be given several times) is one way
to call it. Each round runs glue-tui and then every way of PyTorch once, for `--steps` steps of
`--batch` examples. Printed and, with `--to`, written: medians over the rounds, and the median over
rounds of the ratio within a round. Both sides tokenise beforehand and count the seconds of steps only.
"""
import argparse, datetime, json, os, platform, shlex, statistics, subprocess, sys, tempfile

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--glue-tui", required=True)
p.add_argument("--reference", required=True)
p.add_argument("--model", required=True, help="folder with weights and tokenizer")
p.add_argument("--task", default="sst2")
p.add_argument("--data", required=True)
p.add_argument("--batch", type=int, default=32)
p.add_argument("--steps", type=int, default=100)
p.add_argument("--rounds", type=int, default=3)
p.add_argument("--threads", type=int, default=os.cpu_count())
p.add_argument("--set", action="append", default=[], help="KEY=VALUE for glue-tui")
p.add_argument("--pytorch", action="append", help="arguments of one way of PyTorch")
p.add_argument("--to", help="a JSON file for the results")
a = p.parse_args()
ways = a.pytorch or ["--batching random --fused", "--batching length --fused"]


def ours():
    with tempfile.TemporaryDirectory() as home:
        experiments = os.path.join(home, "experiments.toml")
        with open(experiments, "w") as file:
            file.write("[experiment.speed]\n")
        values = [f"model={a.model}", f"task={a.task}", f"data_dir={a.data}", f"max_steps={a.steps}",
                  f"per_device_train_batch_size={a.batch}", f"threads={a.threads}", "max_eval_samples=64",
                  "lr_scheduler_type=constant", "weight_decay=0", "max_grad_norm=0", *a.set]
        command = [a.glue_tui, "--experiments", experiments, "--runs-dir", home, "train", "speed"]
        for value in values:
            command += ["--set", value]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        with open(os.path.join(out.splitlines()[-1], "summary.json")) as file:
            return json.load(file)


def theirs(way):
    command = [sys.executable, a.reference, "--model", a.model, "--task", a.task, "--data", a.data, "--skip-eval",
               "--batch", str(a.batch), "--max-steps", str(a.steps), "--threads", str(a.threads), *shlex.split(way)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(out.splitlines()[-1])


rounds = []
for number in range(a.rounds):
    run = ours()
    row = {"glue-tui": run["examples_per_second"]}
    for way in ways:
        row[way] = theirs(way)["examples_per_second"]
    rounds.append(row)
    print(f"round {number + 1}: " + ", ".join(f"{name} {speed:.1f}" for name, speed in row.items()), flush=True)

torch = subprocess.run([sys.executable, "-c", "import torch, transformers; print(torch.__version__, transformers.__version__)"],
                       check=True, capture_output=True, text=True).stdout.split()
commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                        cwd=os.path.dirname(os.path.abspath(__file__))).stdout.strip()
result = {
    "date": datetime.date.today().isoformat(), "commit": commit, "machine": platform.machine(), "device": run["device"],
    "model": os.path.basename(a.model.rstrip("/")), "task": a.task, "batch": a.batch, "steps": a.steps, "set": a.set,
    "precision": run["precision"], "torch": torch[0], "transformers": torch[1], "rounds": rounds,
    "examples_per_second": {name: statistics.median(row[name] for row in rounds) for name in rounds[0]},
    "times_as_fast": {way: round(statistics.median(row["glue-tui"] / row[way] for row in rounds), 3) for way in ways},
}
print(json.dumps(result))
if a.to:
    with open(a.to, "w") as file:
        json.dump(result, file, indent=2)
        file.write("\n")
