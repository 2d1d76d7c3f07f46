"""What a job reads because a param names it, told by content: files, folders, data of packages, models and data sets of the hub.

Where a file lies does not count, only what it holds. None stands for what is not known here: a file that is missing, a package
of an environment that is not installed, a name on the hub that nobody asked for on this machine. `spec.same_sources` takes it
as unchanged, so a clone that has the results and not the weights has nothing to do.
"""

from __future__ import annotations

from snow import environments, hub, packaged
from snow.caching import hashes
from snow.errors import SnowError


def identity(kind: hub.Kind, reference: str, revision: str | None, env: str) -> str | None:
    """The content of a local reference as environment `env` has it, the commit of a hub name; None when it is not known here.

    Raises SnowError when a job asks the hub and the hub does not know.
    """
    return content(reference, env) if packaged.is_local(reference) else hub.commit(kind, reference, revision)


def content(reference: str, env: str) -> str | None:
    """The content of a path or of package:... as environment `env` has it; None when it is not here. Hashed once, then remembered."""
    try:
        return hashes.visible(packaged.locate(reference, environments.site_packages(env)))
    except (SnowError, FileNotFoundError):
        return None
