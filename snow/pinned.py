"""What a name on the network stands for, found out once per job: what enters the key is then what the body loads.

Only a job may ask the network. The process that decides what is current answers from what is on this machine.
"""

from __future__ import annotations

from collections.abc import Callable

_pins: dict[tuple[str, ...], str | None] | None = None  # None in every process but a job's


def begin() -> None:
    """This process is a job's: from here on the network may be asked, and an answer holds until the process ends."""
    global _pins
    _pins = {} if _pins is None else _pins


def resolved(what: tuple[str, ...], here: Callable[[], str | None], ask: Callable[[], str | None]) -> str | None:
    """The commit that `what` stands for: as this machine has it, else in a job as the network says; None when nobody knows."""
    if _pins is None:
        return here()
    if what not in _pins:
        _pins[what] = here() or ask()
    return _pins[what]
