"""Writes the reference values that the tests of src/stats compare with.

    python -m venv venv && venv/bin/pip install scipy==1.17.1 statsmodels==0.15.0
    venv/bin/python tests/reference/make_statistics.py
"""

import json
from pathlib import Path

import numpy as np
import scipy
import scipy.stats as st
import statsmodels
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.proportion import proportion_confint

PINNED = {"scipy": "1.17.1", "statsmodels": "0.15.0"}
HERE = Path(__file__).resolve().parent


def mcnemar_cases():
    cases = []
    for b, c, rows in [(0, 0, 100), (1, 0, 50), (6, 0, 40), (5, 12, 100), (12, 5, 872), (24, 25, 1000),
                       (61, 39, 872), (180, 131, 5463), (900, 760, 40430), (2000, 2001, 40430)]:
        exact = mcnemar([[rows - b - c, b], [c, 0]], exact=True).pvalue
        conditional = [0.0, 0.0]
        if b + c:
            interval = st.binomtest(b, b + c).proportion_ci(method="exact")
            conditional = [(2 * p - 1) * (b + c) / rows for p in (interval.low, interval.high)]
        a1, b1, n = (b + 1) / (rows + 2), (c + 1) / (rows + 2), rows + 2
        half = st.norm.ppf(0.975) * np.sqrt((a1 + b1 - (a1 - b1) ** 2) / n)
        cases.append({"only_a": b, "only_b": c, "rows": rows, "p_value": min(exact, 1.0),
                      "clopper_pearson": conditional, "bonett_price": [a1 - b1 - half, a1 - b1 + half]})
    return cases


def wilson_cases():
    cases = [(0, 10), (10, 10), (797, 872), (3, 7), (36000, 40430), (1, 1)]
    return [{"successes": k, "trials": n, "interval": proportion_confint(k, n, method="wilson")} for k, n in cases]


def correlation_cases(rng):
    cases = []
    for rows in (4, 20, 1500):
        x = rng.normal(size=rows)
        y = 0.8 * x + rng.normal(size=rows)
        r = st.pearsonr(x, y)
        interval = r.confidence_interval(0.95)
        cases.append({"r": r.statistic, "rows": rows, "interval": [interval.low, interval.high]})
    return cases


def welch_cases(rng):
    cases = []
    for n_a, n_b, sd_a, sd_b in [(2, 2, 1, 1), (3, 5, 1, 2), (8, 8, 0.5, 3), (10, 4, 1, 0.1)]:
        a, b = 90 + sd_a * rng.normal(size=n_a), 89 + sd_b * rng.normal(size=n_b)
        test = st.ttest_ind(a, b, equal_var=False)
        interval = test.confidence_interval(0.95)
        cases.append({"a": a.tolist(), "b": b.tolist(), "p_value": test.pvalue, "df": test.df,
                      "interval": [interval.low, interval.high]})
    # One seed on a side: Student's t with the variance of the other side.
    a, b = np.array([90.5]), 89 + rng.normal(size=4)
    error = np.sqrt(b.var(ddof=1) * (1 + 1 / 4))
    half, difference = st.t.ppf(0.975, 3) * error, a.mean() - b.mean()
    cases.append({"a": a.tolist(), "b": b.tolist(), "p_value": 2 * st.t.sf(abs(difference) / error, 3), "df": 3.0,
                  "interval": [difference - half, difference + half]})
    return cases


def paired_case(rng):
    a = rng.normal(size=200)
    b = a + 0.3 * rng.normal(size=200) + 0.03
    test = st.ttest_rel(a, b)
    interval = test.confidence_interval(0.95)
    return {"a": a.tolist(), "b": b.tolist(), "p_value": test.pvalue, "interval": [interval.low, interval.high]}


def bootstrap_case(rng):
    """The difference of the F1 of two classifiers on 400 rows, as 0 and 1."""
    target = (rng.random(400) < 0.35).astype(int)
    a = np.where(rng.random(400) < 0.86, target, 1 - target)
    b = np.where(rng.random(400) < 0.80, target, 1 - target)

    def f1(target, predicted):
        return 2 * ((target == 1) & (predicted == 1)).sum(-1) / (target.sum(-1) + predicted.sum(-1))

    def statistic(target, a, b, axis=-1):
        return f1(target, a) - f1(target, b)

    result = st.bootstrap((target, a, b), statistic, paired=True, method="percentile", n_resamples=100_000,
                          vectorized=True, batch=5000, rng=np.random.default_rng(3))
    interval = result.confidence_interval
    # The jackknife over the rows of the F1 of A.
    left_out = np.array([f1(np.delete(target, row), np.delete(a, row)) for row in range(400)])
    error = np.sqrt(399 / 400 * ((left_out - left_out.mean()) ** 2).sum())
    return {"target": target.tolist(), "a": a.tolist(), "b": b.tolist(), "difference": statistic(target, a, b),
            "interval": [interval.low, interval.high], "standard_error": result.standard_error,
            "f1_of_a": f1(target, a), "jackknife_error": error}


def power_cases():
    cases = []
    for sd, difference in [(0.5, 1.0), (1.0, 1.0), (0.4, 0.25), (0.3, 1.0)]:
        n = TTestIndPower().solve_power(effect_size=difference / sd, alpha=0.05, power=0.8)
        cases.append({"sd": sd, "difference": difference, "seeds": n})
    return cases


def main():
    found = {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__}
    if found != PINNED:
        raise SystemExit(f"needs {PINNED}, found {found}")
    rng = np.random.default_rng(7)
    golden = {
        "versions": found,
        "mcnemar": mcnemar_cases(),
        "wilson": wilson_cases(),
        "pearson": correlation_cases(rng),
        "welch": welch_cases(rng),
        "paired_t": paired_case(rng),
        "bootstrap": bootstrap_case(rng),
        "power": power_cases(),
    }
    path = HERE / "statistics.json"
    lines = [f"{json.dumps(key)}: {json.dumps(value, default=float)}" for key, value in golden.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(path)


if __name__ == "__main__":
    main()
