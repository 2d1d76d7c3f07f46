"""Numba kernels whose machine code is kept between jobs without one job ever loading another version's.

Numba's own cache names its files by function and line, beside the source. Two jobs that start together after an edit, or two
kinds of processor on one shared file system, then write the same names, and a third may load the wrong code. Here the folder
is named by everything the code depends on (source file, numba, processor) and by nothing else, so files of one name always hold the
same code, and a clone that is moved or copied has it already.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import llvmlite.binding as llvm
import numba
from numba.core import caching, config

STATE = Path(".snow")  # snow.job.STATE: exists wherever a job runs


class _Locator(caching.UserProvidedCacheLocator):
    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        return Path(py_file).stem  # numba's own has the source's folder in it


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes: ClassVar[list[type]] = [_Locator]


class _Cache(caching.FunctionCache):
    _impl_class = _Implementation


def compiled(function: Callable[..., Any]) -> Any:
    """`function` compiled in nopython mode at its first call; a later process loads the code if it can.

    A kernel has one caller, which always passes the same types: a second signature would compete for the same file.
    """
    previous = config.CACHE_DIR  # the variable NUMBA_CACHE_DIR, or empty
    home = Path(previous) if previous else STATE
    if not os.access(home, os.W_OK):  # not in a run's folder, or it is read-only: compile in memory, about a second
        return numba.njit(function)
    config.CACHE_DIR = str(home.resolve() / "numba" / _fingerprint(Path(function.__code__.co_filename)))
    dispatcher = numba.njit(function)
    try:
        dispatcher._cache = _Cache(function)  # what enable_caching() does
        return dispatcher
    finally:
        config.CACHE_DIR = previous


def _fingerprint(source: Path) -> str:
    parts = [
        source.read_bytes(),
        numba.__version__.encode(),
        llvm.get_host_cpu_name().encode(),
        llvm.get_host_cpu_features().flatten().encode(),
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
