"""Whether a training read a document: `snow.pretrain.data` computes which windows of a token set a step takes, and so can be asked back."""

from __future__ import annotations

from dataclasses import dataclass

from snow.pretrain import data
from snow.trace.lookup import Recipe


@dataclass(frozen=True)
class Reads:
    """How many windows of a token set hold a document, and how often all of them together were read."""

    windows: int
    reads: int


def reads(recipe: Recipe, model: str, of: str, index: str, offset: int, tokens: int) -> Reads | None:
    """What a training read of the tokens from `offset` on in the shard of a token set with that index; None where the receipts do not
    tell it, or are of token files that have changed since."""
    job, receipt, sets = recipe.graph.job("pretrain", [model]), recipe.receipt("pretrain", model), recipe.params.models[model].shares
    given = job.inputs[f"index:{of}"]
    packed = [recipe.facts(made.stage, made.instance) for made in map(recipe.graph.maker, given)]
    if receipt is None or set(receipt["facts"]["sets"]) != set(sets) or None in packed:
        return None
    sizes = [facts["tokens"] for facts in packed if facts]
    facts, settings, seed = (receipt["facts"], *(receipt["spec"]["params"][job.params[name]] for name in ("model", "seed")))
    if sum(sizes) != facts["sets"][of]["unique_tokens"]:
        return None
    length = settings["sequence_length"]
    taken = data.taken(facts["steps"] * settings["batch_size"], data.places(list(sets.values())), seed)[list(sets).index(of)]
    count = data.window_count(sum(sizes), length)  # what is left at the end is in no window
    passes, rest = divmod(taken, count)
    begin = sum(sizes[: given.index(index)]) + offset
    holding = range(begin // length, min((begin + tokens - 1) // length + 1, count))
    return Reads(len(holding), passes * len(holding) + sum(data.place_of(window, count, seed, passes) < rest for window in holding))
