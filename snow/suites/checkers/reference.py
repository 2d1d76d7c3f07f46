"""What a canonical solution returns and how long it takes: what other solutions' results and times are held against."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from snow.evaluate import plain

ITEMS, CHARACTERS = 500_000, 16 << 20  # of a result that is sent
GROWTH = 8  # of a batch of calls over the one before: few exchanges, and little is run after the first wrong answer


@dataclass(frozen=True)
class Reference:
    """Inputs, and for each what the canonical solution returns, how many seconds of a processor it took, and how many to send it."""

    inputs: list[Any]
    results: list[Any]
    times: list[float]
    sending: list[float]

    def batches(self) -> Iterator[range]:
        """Ranges of places that grow, over all of them."""
        begin, size = 0, 1
        while begin < len(self.inputs):
            yield range(begin, min(len(self.inputs), begin + size))
            begin, size = begin + size, size * GROWTH

    def arguments(self, places: range) -> str:
        """The inputs at some places, as they are sent."""
        return plain.dumps([list(self.inputs[place]) for place in places])


def reference(program: str, entry_point: str, inputs: Sequence[Any]) -> Reference:
    """Run the canonical program. Left out are inputs whose result is too large to be sent: of Mbpp/255 a few, the largest 935 MB."""
    names: dict[str, Any] = {}
    exec(program, names)
    function, told = names[entry_point], Reference([], [], [], [])
    for given in inputs:
        changed = copy.deepcopy(given)
        begun = time.process_time()
        result = function(*changed)
        returned = time.process_time()
        if (isinstance(result, list | tuple | set) and len(result) > ITEMS) or len(plain.dumps([result])) > CHARACTERS:
            continue
        told.sending.append(time.process_time() - returned)
        told.times.append(returned - begun)
        told.results.append(result)
        told.inputs.append(given)
    return told
