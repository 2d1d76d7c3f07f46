"""What of the paper's run makes its phases work, as ratios that do not depend on size, beside those of a set of params.

Tokens and passes of the paper are [P 2.1 to 2.4], over its 1.364e9 parameters; docs/planning.md says why each is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from snow.params import Params
from snow.planning import training
from snow.planning.sizes import Sizes, over
from snow.reserved import CORPUS, SCRATCH

PAPER_RATE, PAPER_FLOP, RATE_POWER = 5.3e-4, 6 * 1.364e9 * 500e9, 0.125  # DeepSeek LLM, arXiv 2401.02954: rates go with C^-0.125
FEW_TOKENS = 20.0  # a parameter: with fewer a smaller model is better (Chinchilla, arXiv 2203.15556)
MANY_PASSES = 4.0  # over the corpus: from there on repeated tokens are worth ever less (arXiv 2305.16264)
FEW_SELECTED = 1.0  # a parameter: models hold 3.6 bits in one (arXiv 2505.24832), about what a token of code carries
MOST_PASSES = 5.0  # over the selection, in the paper's Table 6
MUCH = 1 / 3  # of the corpus
RATE_FACTOR = 3.0


@dataclass(frozen=True)
class Proportion:
    """One ratio of one model: its value, the paper's, and what is wrong with it, None for nothing."""

    model: str
    name: str
    value: float
    paper: float
    warning: str | None


def of(params: Params, sizes: Sizes) -> list[Proportion]:
    """The ratios of every model on the way to the one that is published."""
    return [one for name in params.report.path for one in _of(params, sizes, name) if not math.isnan(one.value)]


def fitting_rate(params: Params, name: str, trained: float) -> float:
    """The paper's learning rate at the compute of another model and horizon."""
    return PAPER_RATE * (PAPER_FLOP / (6.0 * training.parameters_of(params, name) * trained)) ** RATE_POWER


def _of(params: Params, sizes: Sizes, name: str) -> Iterator[Proportion]:
    model, weights, trained = params.models[name], training.parameters_of(params, name), sizes.trained(name)
    if model.begin_from == SCRATCH:
        value = trained / weights
        yield Proportion(
            name,
            "tokens per parameter",
            value,
            367,
            f"fewer than {FEW_TOKENS:.0f}: a smaller model would do better" if value < FEW_TOKENS else None,
        )
        rate = fitting_rate(params, name, trained)
        off = not 1 / RATE_FACTOR <= model.schedule.max_lr / rate <= RATE_FACTOR
        yield Proportion(name, "max_lr", model.schedule.max_lr, rate, f"a run of this size would take about {rate:.1e}" if off else None)
    for used, passes in sizes.passes(name).items():
        documents = params.token_sets[used].documents
        passes = min(passes, float(model.repetitions))
        if documents == CORPUS:
            yield Proportion(name, f"passes over {used}", passes, 1.25, "the corpus is too small for it" if passes > MANY_PASSES else None)
        elif documents in params.selections:
            yield from _selected(params, sizes, name, used, passes)


def _selected(params: Params, sizes: Sizes, name: str, used: str, passes: float) -> Iterator[Proportion]:
    unique = sizes.packed(used).tokens
    value = unique / training.parameters_of(params, name)
    few = (
        f"at {passes:.1f} passes it learns them by heart: select more or pass over them once"
        if value < FEW_SELECTED and passes >= 2
        else None
    )
    yield Proportion(name, f"unique tokens of {used} per parameter", value, 9.2, few)
    yield Proportion(name, f"passes over {used}", passes, 4, "more than the paper tried" if passes > MOST_PASSES else None)
    chosen = params.selections[params.token_sets[used].documents]
    ranked = params.selections[chosen.like] if chosen.like else chosen
    share = over(unique, sizes.packed(str(ranked.among)).tokens)
    yield Proportion(
        name, f"share of the corpus in {used}", share, 0.031, "more than a third: little is left to choose from" if share > MUCH else None
    )
