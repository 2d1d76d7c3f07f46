"""Models and data sets of the Hugging Face hub: which commit a name stands for, and what a loader is given for a reference."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Literal

from snow import packaged, pinned
from snow.errors import SnowError

Kind = Literal["model", "dataset"]
COMMIT = re.compile(r"[0-9a-f]{40}")


def source(kind: Kind, reference: str, revision: str | None) -> tuple[str, str | None]:
    """What `from_pretrained`, `load_dataset` and vLLM take for a reference: a local path and None, or a hub name and the commit
    that entered the job's key. Raises SnowError for package:... that is not there."""
    if packaged.is_local(reference):
        return str(packaged.locate(reference)), None
    return reference, commit(kind, reference, revision) or revision


def loadable(kind: Kind, reference: str, revision: str | None) -> tuple[str, str | None]:
    """As `source`, but where HF_HUB_OFFLINE is set: the folder of the hub's cache, if it is there, and None."""
    from huggingface_hub import constants

    place, found = source(kind, reference, revision)
    folder = snapshot(kind, reference, revision) if found and constants.HF_HUB_OFFLINE else None
    return (place, found) if folder is None else (str(folder), None)


def snapshot(kind: Kind, name: str, revision: str | None) -> Path | None:
    """Where the hub's cache on this machine has a hub name at a revision; None where it has not."""
    folder = _cache() / "--".join([f"{kind}s", *name.split("/")]) / "snapshots" / str(commit(kind, name, revision))
    return folder if folder.is_dir() else None


def commit(kind: Kind, name: str, revision: str | None) -> str | None:
    """The commit of a hub name at a revision (main without one): a full hash is itself, else what the hub's cache on this machine
    says, else in a job what the hub says; None when it is not known here. Raises SnowError when the hub, asked, does not know."""
    if revision and COMMIT.fullmatch(revision):
        return revision
    branch = revision or "main"
    return pinned.resolved((kind, name, branch), partial(_cached, kind, name, branch), partial(_asked, kind, name, branch))


def _cached(kind: Kind, name: str, revision: str) -> str | None:
    folder = "--".join([f"{kind}s", *name.split("/")])
    try:
        text = (_cache() / folder / "refs" / revision).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text if COMMIT.fullmatch(text) else None


def _cache() -> Path:
    """Where huggingface_hub keeps its cache (its constants.py), without importing it, which takes longer than all else here."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{home}/huggingface"
    given = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    return Path(os.path.expandvars(given)).expanduser()


def _asked(kind: Kind, name: str, revision: str) -> str | None:
    try:
        from huggingface_hub import HfApi, constants
    except ImportError:  # an environment of the user's own: then nothing there can load the name either
        return None
    if constants.HF_HUB_OFFLINE:
        return None
    try:
        return HfApi().repo_info(name, repo_type=kind, revision=revision).sha
    except Exception as error:  # of its own, of its HTTP library, of its checks of names: all are the user's to correct
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise SnowError(
            f"{name} is no file here, and the hub does not say which commit its revision {revision} is ({reason}); correct the name or "
            "revision in params.yaml, or set HF_HUB_OFFLINE=1 where there is no network"
        ) from error
