"""What the benchmarks beside PyTorch, Transformers and ONNX Runtime share: processes, runs of glue-tui, and results files."""
import collections, datetime, importlib.metadata, json, os, platform, shlex, statistics, subprocess, sys, tempfile, time

Finished = collections.namedtuple("Finished", "out peak_memory seconds")


def run(command, stdin=None, environment=None):
    """Runs a command to its end: its stdout, the peak memory of the process in bytes, and the seconds from start to exit.

    `stdin` is the path of a file. The peak of a child includes the memory of this process when it starts the child, so a
    benchmark must not import torch itself."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(stdin or os.devnull, "rb") as source:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdin=source, stdout=out, stderr=err, env=os.environ | (environment or {}))
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        if status:
            sys.exit(f"{shlex.join(command)}\n{err.read().decode()}")
        return Finished(out.read().decode(), usage.ru_maxrss * 1024, seconds)


def train(glue_tui, home, values):
    """Trains with the given settings in a new folder of `home`: the finished process, the folder of the run, its summary and events."""
    runs = tempfile.mkdtemp(dir=home)
    experiments = os.path.join(runs, "experiments.toml")
    with open(experiments, "w") as file:
        file.write("[experiment.benchmark]\n")
    settings = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    finished = run([glue_tui, "--experiments", experiments, "--runs-dir", runs, "train", "benchmark", *settings])
    folder = finished.out.splitlines()[-1]
    with open(os.path.join(folder, "summary.json")) as file:
        summary = json.load(file)
    with open(os.path.join(folder, "events.jsonl")) as file:
        events = [json.loads(line) for line in file]
    return finished, folder, summary, events


def spread(ratios):
    """The median of the ratios of the rounds, its spread, and each of them."""
    return {"ratio": round(statistics.median(ratios), 3), "min": round(min(ratios), 3), "max": round(max(ratios), 3),
            "rounds": len(ratios), "ratios": [round(ratio, 3) for ratio in ratios]}


def median(values, digits=3):
    return round(statistics.median(values), digits)


def head_commit():
    """The commit that is checked out, which is that of the binary unless it was built from another one."""
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                          cwd=os.path.dirname(os.path.abspath(__file__))).stdout.strip()


def processor():
    """The model name of `lscpu`, with family and model, since several generations have the same name."""
    found = {}
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            for line in file:
                key, _, value = line.partition(":")
                found.setdefault(key.strip(), value.strip())
    if "model name" not in found:
        return platform.processor() or platform.machine()
    return f"{found['model name']} (family {found.get('cpu family', '?')}, model {found.get('model', '?')})"


def environment(threads, commit, packages):
    """What a row says about the measurement: date, commit, machine, and versions of Python and packages."""
    return {"date": datetime.date.today().isoformat(), "commit": commit or head_commit(), "machine": f"{processor()}, {threads} threads",
            "python": platform.python_version()} | {package: importlib.metadata.version(package) for package in packages}


def save_rows(rows, to, environment):
    """Prints rows and writes them to the results file, if there is one, where they replace rows of the same name."""
    print(*(json.dumps(row) for row in rows), sep="\n", flush=True)
    if not to:
        return
    stored = {}
    if os.path.exists(to):
        with open(to) as file:
            stored = {row["row"]: row for row in json.load(file)}
    stored |= {row["row"]: row | environment for row in rows}
    os.makedirs(os.path.dirname(os.path.abspath(to)), exist_ok=True)
    with open(to, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(row) for row in stored.values()) + "\n]\n")
