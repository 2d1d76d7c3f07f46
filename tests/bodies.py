"""Jobs whose bodies are given as source: the module `bodies.stage` under the test's folder."""

from __future__ import annotations

from collections.abc import Iterator

from snow import graph
from snow.params import Params


def stage(name: str) -> graph.Stage:
    """A stage of that name which reads the seed and has two shards."""

    def jobs(_: Params) -> Iterator[graph.Job]:
        return (graph.Job(name, shard, "made", {}, {}, {"seed": "seed"}) for shard in ("00000", "00001"))

    return graph.Stage(name, "bodies.stage", "base", jobs)
