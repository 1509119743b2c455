#!/usr/bin/env python3
"""Writes the tables of docs/benchmarks.md from the files in benches/results: one for each commit and machine.

A table stands between `<!-- results: FILE.json -->` and `<!-- end of results -->`. Results of different commits or machines are never
in the same table, because a row would look like a comparison that nobody has measured.

    python3 benches/tables.py           # writes the tables
    python3 benches/tables.py --check   # fails if they differ from the results
"""
import argparse, json, os, re, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCUMENT = os.path.join(ROOT, "docs", "benchmarks.md")
BLOCK = re.compile(r"(<!-- results: (\S+) -->\n)(.*?)(<!-- end of results -->\n)", re.DOTALL)


def number(value):
    """Three significant digits, as `1.96`, `23.8` or `0.044`."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def ratio(row):
    if "ratio" not in row:
        return ""
    if row.get("rounds", 1) > 1 and "min" in row:
        return f"{row['ratio']:.2f} ({row['min']:.2f} to {row['max']:.2f})"
    return f"{row['ratio']:.2f}"


def side(index):
    """The time of one side: glue-tui is the first one."""
    def time(row):
        for key, unit in (("seconds", "s"), ("ms", "ms")):
            if isinstance(row.get(key), list):
                return f"{number(row[key][index])} {unit}"
        return ""
    return time


def value(row):
    return f"{number(row['value'])} {row['unit']}" if "value" in row else ""


def share(key):
    return lambda row: f"{row[key]:.2f}" if isinstance(row.get(key), (int, float)) else ""


def goal(row):
    return f"{row['goal']:g}" if row.get("goal") is not None else ""


def columns(rows):
    other = "ONNX Runtime" if any("onnxruntime" in row for row in rows) else "PyTorch"
    return [("value", value), ("glue-tui", side(0)), (other, side(1)), ("ratio (smallest to largest)", ratio), ("goal", goal),
            ("rounds", lambda row: str(row.get("rounds", ""))), ("peak memory, ratio", share("memory_ratio"))]


def table(rows):
    """The lines of a table: the name of each result, then the columns that have values."""
    cells = [(title, [text(row) for row in rows]) for title, text in columns(rows)]
    cells = [("result", [row["row"] for row in rows])] + [(title, texts) for title, texts in cells if any(texts)]
    lines = [[title for title, _ in cells], ["---"] * len(cells)]
    lines += [[texts[index] for _, texts in cells] for index in range(len(rows))]
    return ["|" + "".join(f" {cell} |" if cell else " |" for cell in line) for line in lines]


def tables(rows):
    """A table with a sentence above it for each commit and machine, in the order of the file."""
    groups = {}
    for row in rows:
        if "ratio" in row or "value" in row:
            groups.setdefault((row["commit"], row["machine"]), []).append(row)
    lines = []
    for (commit, machine), group in groups.items():
        lines += [f"At {commit}, {machine}:", "", *table(group), ""]
    return "\n".join(["", *lines, ""]) if lines else "\n"


def written(text):
    def block(match):
        with open(os.path.join(ROOT, "benches", "results", match[2])) as file:
            return match[1] + tables(json.load(file)).rstrip("\n") + "\n\n" + match[4]
    return BLOCK.sub(block, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the tables differ from the results")
    arguments = parser.parse_args()
    with open(DOCUMENT) as file:
        text = file.read()
    new = written(text)
    if arguments.check and new != text:
        sys.exit("docs/benchmarks.md differs from benches/results; write its tables with: python3 benches/tables.py")
    if not arguments.check:
        with open(DOCUMENT, "w") as file:
            file.write(new)


if __name__ == "__main__":
    main()
