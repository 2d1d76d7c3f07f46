"""pass@k of judged samples, with what it is uncertain of: a task counts once, however many samples it has."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Z95 = 1.959963984540054  # the normal distribution's 97.5% point
RESAMPLES = 10_000
NOT_JUDGED = "not judged"  # the status of a sample whose task cannot be judged where it was tried


def rates(rows: Sequence[dict[str, Any]], parts: Iterable[str], k: int = 1) -> dict[str, dict[str, Any]]:
    """pass@k of each part with its 95% interval, a part counting only with those before it.

    A row is a sample's: its `task_id` and a status per part. `passed` counts samples; `value` is the mean over tasks.
    """
    passing, told = [True] * len(rows), {}
    for part in parts:
        passing = [before and row[part] == "pass" for before, row in zip(passing, rows, strict=True)]
        shares = _shares(rows, passing, k)
        low, high = wilson(sum(passing), len(rows)) if len(shares) == len(rows) else bootstrap(shares)
        value = round(sum(shares) / len(shares), 6)
        told[part] = {"passed": sum(passing), "samples": len(rows), "tasks": len(shares), "value": value, "low": low, "high": high}
    return told


def by_category(rows: Sequence[dict[str, Any]], categories: Mapping[str, str], k: int = 1) -> dict[str, dict[str, Any]]:
    """pass@k of each category that has samples, as `rates` tells it, and `mean`: of the categories, however many tasks each has.

    `categories` says each task's. `mean` is left out while one of them has no sample.
    """
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(categories[row["task_id"]], []).append(row)
    told = {category: rates(grouped[category], ("status",), k)["status"] for category in sorted(grouped)}
    if set(grouped) != set(categories.values()):
        return told
    mean = rates(rows, ("status",), k)["status"]
    if len({rate["tasks"] for rate in told.values()}) > 1:  # else the mean over all tasks is the same
        shares = [_shares(grouped[category], [row["status"] == "pass" for row in grouped[category]], k) for category in told]
        value = sum(rate["value"] for rate in told.values()) / len(told)
        low, high = bootstrap(*shares)
        mean |= {"value": round(value, 6), "low": low, "high": high}
    return told | {"mean": mean}


def of_judged(rows: Sequence[dict[str, Any]], k: int = 1) -> dict[str, dict[str, Any]]:
    """pass@k over the tasks that were `judged`, left out where there are none, and over `all`, in which the others count as not passed."""
    judged = [row for row in rows if row["status"] != NOT_JUDGED]
    return {name: rates(some, ("status",), k)["status"] for name, some in (("judged", judged), ("all", rows)) if some}


def estimable(rows: Sequence[dict[str, Any]]) -> tuple[int, ...]:
    """The k of pass@k that every task has samples for: of 1, 10 and 100, as EvalPlus tells it."""
    fewest = min(Counter(row["task_id"] for row in rows).values())
    return tuple(k for k in (1, 10, 100) if k <= fewest)


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """The chance that one of k samples of a task passes, estimated without bias from `samples` of which `passed` did
    (Chen et al. 2021, arXiv 2107.03374, equation 1). ValueError when there are fewer than k."""
    if samples < k:
        raise ValueError(f"pass@{k} needs {k} samples of each task, not {samples}")
    return 1 - math.comb(samples - passed, k) / math.comb(samples, k)


def wilson(passed: int, samples: int) -> tuple[float, float]:
    """The 95% score interval of a binomial proportion (Wilson 1927); well-behaved at 0 and 1, where a model may well be."""
    share, spread = passed / samples, Z95**2 / samples
    centre = (share + spread / 2) / (1 + spread)
    reach = Z95 / (1 + spread) * math.sqrt(share * (1 - share) / samples + spread / (4 * samples))
    return round(max(0.0, centre - reach), 6), round(min(1.0, centre + reach), 6)


def bootstrap(*groups: Sequence[float]) -> tuple[float, float]:
    """The 95% percentile interval of the mean over tasks, tasks drawn with replacement; the same for the same numbers.

    Of several groups of tasks it is the interval of the mean of their means, tasks drawn within each.
    """
    generator, means = np.random.default_rng(0), np.zeros(RESAMPLES)
    for values in map(np.asarray, groups):
        means += values[generator.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means / len(groups), (0.025, 0.975))
    return round(float(low), 6), round(float(high), 6)


def _shares(rows: Sequence[dict[str, Any]], passing: Sequence[bool], k: int) -> list[float]:
    """Of each task the chance that one of k samples passes, tasks in order of their first sample."""
    by_task: dict[str, list[bool]] = {}
    for row, passed in zip(rows, passing, strict=True):
        by_task.setdefault(row["task_id"], []).append(passed)
    return [pass_at_k(len(samples), sum(samples), k) for samples in by_task.values()]
