"""Thousands of runs in one folder: the time and the memory of `glue-tui runs`, of the interface until it lists them, and
of the interface while a run is trained.

    python3 benches/many_runs.py --binary target/release/glue-tui --runs 100 1000 10000

A short run is trained once and copied. The copies have names of their own; their logs are those of the original.
"""

import argparse
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import statistics
import struct
import subprocess
import tempfile
import termios
import time
from pathlib import Path

EXPERIMENT = """\
[experiment.short]
max_train_samples = 640
max_eval_samples = 100
max_steps = 60
eval_steps = 20
threads = 1

[experiment.long]
max_steps = 1000000
eval_steps = 100000
save_steps = 100000
max_eval_samples = 32
threads = 1
"""
ROUNDS = 3
WATCHED_SECONDS = 15
FILES = ["spec.toml", "events.jsonl", "log.txt", "summary.json"]


def train(binary, home):
    """Trains a short run and returns its directory."""
    output = subprocess.run([binary, "train", "short", "--plain"], cwd=home, check=True, capture_output=True, text=True)
    return home / output.stdout.splitlines()[-1]


def copy(run, runs, count):
    """Fills `runs` with copies of a run, up to `count`."""
    for number in range(count):
        copied = runs / f"short-20261130-{number // 3600 % 24:02}{number // 60 % 60:02}{number % 60:02}-{number:04x}"
        if not copied.exists():
            copied.mkdir(parents=True)
            for name in FILES:
                shutil.copyfile(run / name, copied / name)


def listing(binary, home):
    """Seconds and megabytes of `runs --json`."""
    seconds, megabytes = [], []
    for _ in range(ROUNDS):
        start = time.monotonic()
        child = subprocess.Popen([binary, "runs", "--json"], cwd=home, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        seconds.append(time.monotonic() - start)
        megabytes.append(usage.ru_maxrss / 1024)
    return statistics.median(seconds), max(megabytes)


class Interface:
    """The interface in a pseudo-terminal."""

    def __init__(self, binary, home):
        self.output = b""
        self.start = time.monotonic()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            os.environ["TERM"] = "xterm-256color"
            os.execv(binary, [binary])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def read(self, seconds):
        if select.select([self.terminal], [], [], seconds)[0]:
            try:
                self.output += os.read(self.terminal, 1 << 16)
            except OSError:
                # The interface has ended.
                time.sleep(seconds)

    def wait_for(self, text):
        while text.encode() not in self.output:
            assert time.monotonic() - self.start < 120, f"no {text}"
            self.read(1)
        return time.monotonic() - self.start

    def send(self, keys):
        self.output = b""
        os.write(self.terminal, keys.encode())

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_megabytes(self):
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

    def end(self):
        os.write(self.terminal, b"q")
        end = time.monotonic() + 10
        while time.monotonic() < end and os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            self.read(0.05)


def watching(binary, home, count):
    """The interface: seconds until the runs are listed, of a key, and its load while another process trains a run."""
    interface = Interface(binary, home)
    listed = interface.wait_for(f"Past runs, {count:,}")
    interface.read(0.5)
    keys = []
    for _ in range(20):
        start = time.monotonic()
        interface.send("j")
        while not interface.output:
            interface.read(1)
        keys.append(time.monotonic() - start)
        interface.read(0.1)
    idle = interface.cpu_seconds()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        interface.read(0.2)
    idle = (interface.cpu_seconds() - idle) / 5
    trainer = subprocess.Popen(
        [binary, "train", "long", "--plain"], cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(3)
    interface.send("\x1b[15~")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        interface.read(0.2)
    busy, end = interface.cpu_seconds(), time.monotonic() + WATCHED_SECONDS
    while time.monotonic() < end:
        interface.read(0.2)
    busy = (interface.cpu_seconds() - busy) / WATCHED_SECONDS
    memory = interface.resident_megabytes()
    trainer.send_signal(signal.SIGTERM)
    trainer.wait()
    interface.end()
    for run in (home / "runs").glob("long-*"):
        shutil.rmtree(run)
    return listed, statistics.median(keys), idle, busy, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/glue-tui")
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--save", help="JSON file of the results")
    options = parser.parse_args()
    binary = str(Path(options.binary).resolve())
    results = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "experiments.toml").write_text(EXPERIMENT)
        run = train(binary, home)
        original = home / "original"
        run.rename(original)
        for count in sorted(options.runs):
            copy(original, home / "runs", count)
            seconds, megabytes = listing(binary, home)
            listed, key, idle, busy, memory = watching(binary, home, count)
            results.append({
                "runs": count,
                "list_seconds": round(seconds, 3),
                "list_megabytes": round(megabytes, 1),
                "interface_listed_seconds": round(listed, 3),
                "key_milliseconds": round(1e3 * key, 2),
                "idle_cpu_percent": round(100 * idle, 1),
                "watching_cpu_percent": round(100 * busy, 1),
                "interface_megabytes": round(memory, 1),
            })
            print(json.dumps(results[-1]), flush=True)
    if options.save:
        Path(options.save).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
