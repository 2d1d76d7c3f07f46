"""The package of that name, for pyright, which would take the folder of artifacts for it."""

from typing import Any

def __getattr__(name: str) -> Any: ...
