"""What a canonical solution returns and how long it takes, and other solutions held against it.

Limits are those of EvalPlus 0.3.1 (evalplus/config.py, `untrusted_check`) and of evoeval 0.1.0's command line, which are the same.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from snow.evaluate import plain
from snow.evaluate.examining import Solution, Stopped

# Per input: a second, or four times what the canonical solution took; of all inputs together: a minute and one second.
INPUT_SECONDS, REFERENCE_TIMES, TOTAL_SECONDS = 1.0, 4.0, 60.0
ITEMS, CHARACTERS = 500_000, 16 << 20  # of a result that is sent
GROWTH = 8  # of a batch of calls over the one before: few exchanges, and little is run after the first wrong answer


@dataclass(frozen=True)
class Reference:
    """Inputs, and for each what the canonical solution returns, how many seconds of a processor it took, and how many to send
    both, which a sample's own time includes."""

    inputs: list[Any]
    results: list[Any]
    times: list[float]
    sending: list[float]

    def status(self, solution: Solution, right: Callable[[Any, Any, Any], bool]) -> str:
        """`pass` when `right(input, wanted, got)` holds for every input; an exception in it means that it does not."""
        limits = [max(INPUT_SECONDS, REFERENCE_TIMES * taken) for taken in self.times]
        total = min(TOTAL_SECONDS, sum(limits)) + 1 + REFERENCE_TIMES * sum(self.sending)
        sending = [REFERENCE_TIMES * taken for taken in self.sending]
        limits = [limit + taken for limit, taken in zip(limits, sending, strict=True)]
        try:
            for some in self._batches():
                arguments = plain.dumps([list(given) for given in self.inputs[some]])
                first, *others = limits[some]  # before its first call a batch is read
                outputs = solution.calls(arguments, [first + sum(sending[some]), *others], None if some.start else total)
                if not all(map(right, self.inputs[some], self.results[some], outputs)):
                    return "fail"
        except Stopped as stopped:
            return stopped.status
        except Exception:  # a comparison that the value does not stand: upstream calls it wrong
            return "fail"
        return "pass"

    def _batches(self) -> Iterator[slice]:
        """Stretches that grow, over all inputs."""
        begin, size = 0, 1
        while begin < len(self.inputs):
            yield slice(begin, begin + size)
            begin, size = begin + size, size * GROWTH


class References:
    """The references of the task that was asked for last, by the parts of its tests: samples of a task come one after another."""

    def __init__(self) -> None:
        self._task, self._known = "", dict[str, Reference]()

    def of(self, task_id: str, part: str, make: Callable[[], Reference]) -> Reference:
        """What `make` gave for this task and part, made when it is not known."""
        if task_id != self._task:
            self._task, self._known = task_id, {}
        if part not in self._known:
            self._known[part] = make()
        return self._known[part]


def reference(program: str, entry_point: str, inputs: Sequence[Any]) -> Reference:
    """Run the canonical program. Left out are inputs whose result is too large to be sent: of Mbpp/255 a few, the largest 935 MB."""
    names: dict[str, Any] = {}
    exec(program, names)
    function, told = names[entry_point], Reference([], [], [], [])
    for given in inputs:
        changed = copy.deepcopy(given)
        asked = time.process_time()
        plain.dumps([list(given)])
        begun = time.process_time()
        result = function(*changed)
        returned = time.process_time()
        if (isinstance(result, list | tuple | set) and len(result) > ITEMS) or len(plain.dumps([result])) > CHARACTERS:
            continue
        told.sending.append(time.process_time() - returned + begun - asked)
        told.times.append(returned - begun)
        told.results.append(result)
        told.inputs.append(given)
    return told
