"""What the Snakefile refuses, in one sentence: without the lines of code that it was raised in, which Snakemake adds to any exception.

For the Snakefile alone; everything else imports no Snakemake for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from snakemake.exceptions import WorkflowError

from snow.errors import SnowError


class Refused(WorkflowError):
    """A sentence for the user, which Snakemake shows under this class's name and ends with 1."""

    # What Snakemake would show of it; contextlib sets it anew on the way.
    __traceback__ = property(lambda _: None, lambda *_: None)  # type: ignore[assignment]


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Within, a SnowError becomes a `Refused`."""
    try:
        yield
    except SnowError as error:
        raise Refused(str(error)) from None
