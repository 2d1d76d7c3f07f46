"""Whether models and data sets of the hub can be had from this machine: they are in its cache, or the hub gives them to us.

Apart from `snow.hub`, which is part of every stage's code that reads a hub name: what is asked here decides no result.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow import hub

TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Reference:
    """A name on the hub, and the params key that says it."""

    key: str
    kind: hub.Kind
    name: str
    revision: str | None

    @property
    def snapshot(self) -> Path | None:
        """Where the hub's cache on this machine has it; None where it has not."""
        return hub.snapshot(self.kind, self.name, self.revision)

    def __str__(self) -> str:
        return f"{self.key}: {self.name}"


def refusals(references: Iterable[Reference]) -> Iterator[str]:
    """One sentence for each of the names that cannot be had. The hub is asked for those that are not in its cache here, and no more
    once it has not answered."""
    unknown = [reference for reference in references if reference.snapshot is None]
    if not unknown or importlib.util.find_spec("huggingface_hub") is None:  # in an environment of the user's own
        return
    from huggingface_hub import constants

    silent = "HF_HUB_OFFLINE is set; fetch it with `hf download` where there is a network" if constants.HF_HUB_OFFLINE else None
    for one in unknown:
        if silent is None:
            try:
                response = _get(f"{constants.ENDPOINT}/api/{one.kind}s/{one.name}/auth-check")
            except Exception as error:  # of whatever kind the library's HTTP client has
                silent = f"{constants.ENDPOINT} cannot be reached ({_first_line(error)})"
            else:
                if response.status_code >= 400:
                    yield _refused(one, response.status_code, response.headers.get("X-Error-Code") == "GatedRepo")
        if silent is not None:
            yield f"{one} is not in the hub's cache here, and {silent}"


def acceptance(kind: hub.Kind, name: str) -> str:
    """What to do about a gated repository of the hub."""
    from huggingface_hub import constants, get_token

    page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{name}"
    account = "the account that our token is of"
    if get_token() is None:
        account = "an account, and set HF_TOKEN to its token or run `hf auth login`"
    return f"accept its terms on {page} with {account}"


def _refused(one: Reference, status: int, gated: bool) -> str:
    from huggingface_hub import get_token

    if gated:
        return f"{one} is gated (status {status}): {acceptance(one.kind, one.name)}"
    if get_token() is None:
        return f"{one} is not on the hub, or not for everybody (status {status}); there is no token: set HF_TOKEN or run `hf auth login`"
    return f"{one} is not on the hub, or not for the holder of our token (status {status}); correct the name, or accept its terms there"


def document(one: Reference, file: str = "config.json") -> Mapping[str, Any]:
    """A JSON file of a model, from the cache here or else from the hub; empty when it is not to be had."""
    try:
        if one.snapshot is not None:
            return json.loads((one.snapshot / file).read_text())
        from huggingface_hub import hf_hub_url

        return _get(hf_hub_url(one.name, file, revision=one.revision)).json()
    except Exception:  # `refusals` says why
        return {}


def _get(url: str) -> Any:
    """The hub's response, asked as ourselves."""
    from huggingface_hub.utils import build_hf_headers, get_session

    return get_session().get(url, headers=build_hf_headers(), timeout=TIMEOUT_SECONDS)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
