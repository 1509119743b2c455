"""Writes the reference values that the tests of the scores in src/train compare with.

    python -m venv venv && venv/bin/pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 torch==2.15.0
    venv/bin/python tests/reference/make_metrics.py

metrics.json has cases of each problem type, random and degenerate: logits (rows, outputs), targets, and the values of the
libraries. A number that JSON does not have is a string; an undefined metric is null. Comments say what the value is where a
library refuses logits that are not finite.
"""

import json
import math
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.stats
import torch
from sklearn import metrics as sk

PINNED = {"numpy": "2.4.6", "scipy": "1.17.1", "scikit-learn": "1.9.1", "torch": "2.15.0"}
HERE = Path(__file__).resolve().parent
NAN, INF = math.nan, math.inf


def number(value):
    """A number for JSON."""
    value = float(value)
    return value if math.isfinite(value) else str(value)


def defined(value):
    """A metric for JSON; null for NaN, which SciPy gives for an undefined one."""
    return None if math.isnan(value) else number(value)


def case(name, problem_type, logits, targets, scores, per_class=()):
    # The shortest decimals that are the same number in single precision.
    shortest = lambda z: float(str(z)) if np.isfinite(z) else str(z)
    rows = [[shortest(z) for z in row] for row in np.asarray(logits, dtype=np.float32)]
    return {"name": name, "problem_type": problem_type, "logits": rows, "targets": np.asarray(targets).tolist(),
            "scores": scores, "per_class": list(per_class)}


def classification(name, logits, targets):
    logits, targets = np.asarray(logits, dtype=np.float32), np.asarray(targets)
    classes = logits.shape[1]
    # A NaN is the highest logit, for NumPy and PyTorch.
    predicted = np.argmax(logits, axis=1)
    f1 = sk.f1_score(targets, predicted, labels=range(classes), average=None, zero_division=0)
    if classes == 2 and len(set(targets) | set(predicted)) == 2:
        assert f1[1] == sk.f1_score(targets, predicted, zero_division=0)
    loss = torch.nn.functional.cross_entropy(torch.tensor(logits, dtype=torch.float64), torch.tensor(targets))
    scores = {
        "loss": number(loss),
        "accuracy": sk.accuracy_score(targets, predicted),
        "f1": f1[1],
        "f1_macro": sk.f1_score(targets, predicted, average="macro", zero_division=0),
        "matthews_correlation": sk.matthews_corrcoef(targets, predicted),
    }
    precision, recall, f1, _ = sk.precision_recall_fscore_support(targets, predicted, labels=range(classes), zero_division=0)
    confusion = sk.confusion_matrix(targets, predicted, labels=range(classes))
    per_class = np.stack([precision, recall, f1], axis=1).tolist()
    return case(name, "single_label_classification", logits, targets, scores, per_class) | {"confusion": confusion.tolist()}


def multi_label(name, logits, targets):
    logits, targets = np.asarray(logits, dtype=np.float32), np.asarray(targets)
    predicted = (logits > 0).astype(int)
    wide = logits.astype(np.float64)
    # The limit for an infinite logit, for which PyTorch gives NaN.
    loss = np.logaddexp(0, np.where(targets == 1, -wide, wide)).mean()
    if np.isfinite(wide).all():
        expected = torch.nn.BCEWithLogitsLoss()(torch.tensor(wide), torch.tensor(targets, dtype=torch.float64))
        assert abs(loss - float(expected)) < 1e-12 * max(1, loss)

    def average_precision(label):
        column = wide[:, label]
        # scikit-learn refuses NaN, for which there is no order, and infinity, which is the first or the last here.
        if np.isnan(column).any():
            return NAN
        return sk.average_precision_score(targets[:, label], np.clip(column, -1e300, 1e300))

    labels = range(logits.shape[1])
    average_precisions = [average_precision(label) for label in labels]
    scores = {
        "loss": number(loss),
        "f1_micro": sk.f1_score(targets, predicted, average="micro", zero_division=0),
        "f1_macro": sk.f1_score(targets, predicted, average="macro", zero_division=0),
        "exact_match": sk.accuracy_score(targets, predicted),
        "average_precision": defined(np.mean(average_precisions)),
    }
    precision, recall, f1, _ = sk.precision_recall_fscore_support(targets, predicted, average=None, zero_division=0)
    per_class = [[precision[label], recall[label], f1[label], defined(average_precisions[label])] for label in labels]
    return case(name, "multi_label_classification", logits, targets, scores, per_class)


def regression(name, logits, targets):
    predicted = np.asarray(logits, dtype=np.float32).astype(np.float64)
    targets = np.asarray(targets, dtype=np.float32).astype(np.float64)

    def correlation(function):
        # SciPy refuses a single row, for which there is no correlation.
        return defined(function(predicted, targets).statistic) if len(targets) > 1 else None

    scores = {
        "loss": number(np.mean((predicted - targets) ** 2)),
        "pearson": correlation(scipy.stats.pearsonr),
        "spearman": correlation(scipy.stats.spearmanr),
        "mae": number(np.mean(np.abs(predicted - targets))),
    }
    if np.isfinite(predicted).all():
        assert math.isclose(scores["loss"], sk.mean_squared_error(targets, predicted))
        assert math.isclose(scores["mae"], sk.mean_absolute_error(targets, predicted))
    targets = [float(str(np.float32(target))) for target in targets]
    return case(name, "regression", [[z] for z in predicted], targets, scores)


def classification_cases(rng):
    logits = lambda rows, classes: np.round(rng.normal(size=(rows, classes)) * 2, 2)
    for classes, rows in [(2, 30), (2, 7), (3, 30), (4, 24), (7, 24), (12, 30), (20, 40)]:
        found = logits(rows, classes)
        yield classification(f"random, {classes} classes, {rows} rows", found, rng.integers(classes, size=rows))
        # Mostly correct, with an unequal number of rows of each class.
        targets = np.minimum(rng.geometric(0.4, size=rows) - 1, classes - 1)
        found[np.arange(rows), targets] += 3
        yield classification(f"good, {classes} classes, {rows} rows", found, targets)
    for classes in (2, 3, 5):
        targets = rng.integers(classes, size=12)
        one_hot = np.eye(classes)[targets]
        name = f", {classes} classes"
        yield classification("all correct" + name, one_hot, targets)
        yield classification("all wrong" + name, np.roll(one_hot, 1, axis=1), targets)
        yield classification("equal logits" + name, np.zeros((12, classes)), targets)
        yield classification("ties" + name, np.round(logits(12, classes) / 2), targets)
        for class_ in (0, classes - 1):
            constant = np.eye(classes)[[class_] * 12]
            yield classification(f"class {class_} predicted only" + name, constant, targets)
            yield classification(f"class {class_} is the only target" + name, logits(12, classes), [class_] * 12)
            yield classification(f"class {class_} is the only target and prediction" + name, constant, [class_] * 12)
        unused = np.column_stack([logits(12, classes - 1), [-9.0] * 12])
        yield classification("the last class is neither target nor prediction" + name, unused, targets % (classes - 1))
        yield classification("one row" + name, logits(1, classes), [classes - 1])
        yield classification("large logits" + name, 3e4 * logits(6, classes), targets[:6])
        for value in (NAN, INF, -INF):
            found = logits(8, classes)
            found[2, classes - 1] = value
            yield classification(f"a logit of {value}" + name, found, targets[:8])
            yield classification(f"all logits {value}" + name, np.full((4, classes), value), targets[:4])
        found = logits(4, classes)
        found[:, 0], found[1, 1] = NAN, INF
        yield classification("logits of NaN and infinity" + name, found, targets[:4])


def multi_label_cases(rng):
    logits = lambda rows, outputs: np.round(rng.normal(size=(rows, outputs)) * 2, 2)
    for outputs, rows, share in [(2, 20, 0.5), (3, 30, 0.3), (6, 30, 0.2), (20, 25, 0.1)]:
        targets = (rng.random((rows, outputs)) < share).astype(int)
        yield multi_label(f"random, {outputs} labels", logits(rows, outputs), targets)
        yield multi_label(f"good, {outputs} labels", logits(rows, outputs) + 5 * targets - 2, targets)
        yield multi_label(f"ties, {outputs} labels", np.round(logits(rows, outputs) / 2), targets)
    targets = (rng.random((10, 4)) < 0.4).astype(int)
    never, always, empty = targets.copy(), targets.copy(), targets.copy()
    never[:, 1], always[:, 2], empty[::2] = 0, 1, 0
    none = np.zeros((10, 4), dtype=int)
    yield multi_label("a label that never applies", logits(10, 4), never)
    yield multi_label("a label that always applies", logits(10, 4), always)
    yield multi_label("rows without a label", logits(10, 4), empty)
    yield multi_label("no label applies", logits(10, 4), none)
    yield multi_label("all labels apply", logits(10, 4), none + 1)
    yield multi_label("no label is predicted", -1 - np.abs(logits(10, 4)), targets)
    yield multi_label("all labels are predicted", 1 + np.abs(logits(10, 4)), targets)
    yield multi_label("no label applies or is predicted", np.full((10, 4), -1.0), none)
    yield multi_label("logits of 0", np.zeros((10, 4)), targets)
    yield multi_label("all correct", 2 * targets - 1, targets)
    yield multi_label("all wrong", 1 - 2 * targets, targets)
    yield multi_label("one row", logits(1, 4), targets[:1])
    yield multi_label("large logits", 1e4 * logits(10, 4), targets)
    for value in (NAN, INF, -INF):
        found = logits(10, 4)
        found[3, 1] = found[5, 1] = value
        yield multi_label(f"logits of {value}", found, targets)
        yield multi_label(f"all logits {value}", np.full((10, 4), value), targets)


def regression_cases(rng):
    for rows, noise in [(40, 0.3), (15, 2.0), (5, 1.0), (3, 1.0), (2, 1.0)]:
        targets = np.round(rng.random(rows) * 5, 1)
        yield regression(f"random, {rows} rows", np.round(targets + noise * rng.normal(size=rows), 3), targets)
    targets = np.round(rng.random(16) * 5)
    predicted = np.round(targets + rng.normal(size=16), 2)
    yield regression("ties", np.round(predicted), targets)
    yield regression("two values", (predicted > 2).astype(float), (targets > 2).astype(float))
    yield regression("reversed", -predicted, targets)
    yield regression("exact", targets, targets)
    yield regression("constant predictions", np.full(16, 2.5), targets)
    yield regression("constant targets", predicted, np.full(16, 3.0))
    yield regression("constant predictions and targets", np.full(16, 2.5), np.full(16, 2.5))
    yield regression("all but one prediction are equal", np.append(np.full(15, 2.5), 2.75), targets)
    yield regression("one row", [2.5], [3.0])
    yield regression("large offset", 1e4 + predicted, targets)
    yield regression("large predictions", 1e30 * predicted, targets)
    yield regression("small predictions", 1e-30 * predicted, targets)
    yield regression("zeros of both signs", [0.0, -0.0, 1.0, -0.0], [1.0, 2.0, 3.0, 4.0])
    for value in (NAN, INF, -INF):
        found = predicted.copy()
        found[3] = value
        yield regression(f"a prediction of {value}", found, targets)
        yield regression(f"all predictions {value}", np.full(16, value), targets)


def main():
    found = {name: version(name) for name in PINNED}
    assert found == PINNED, f"install {PINNED}, found {found}"
    warnings.filterwarnings("ignore")
    np.seterr(all="ignore")
    rng = np.random.default_rng(20261130)
    cases = [*classification_cases(rng), *multi_label_cases(rng), *regression_cases(rng)]
    lines = ",\n".join(json.dumps(case, allow_nan=False, separators=(",", ":")) for case in cases)
    versions = json.dumps(PINNED)
    (HERE / "metrics.json").write_text(f'{{"versions": {versions},\n"cases": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    main()
