"""Source kind `environment`: the standard library behind a prefix and the distributions installed in it.

A distribution is a repository: its RECORD says which files are its own, its metadata the licence. The standard library with its
tests and the C headers is the repository `python`. Files an installer or the build of the interpreter wrote (byte code,
launchers, `*.dist-info`, configuration with the machine's paths) belong to no repository, so that the same locked environment
gives the same files on every machine.
"""

from __future__ import annotations

import csv
import email.parser
import email.policy
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from snow.corpus import licenses, units
from snow.corpus.units import Found, Repository, Unit
from snow.errors import SnowError

STANDARD_LIBRARY = "python"
_NOT_STDLIB = frozenset({"site-packages", "dist-packages", "__pycache__"})
_BUILD_OUTPUT = re.compile(r"(.*/)?(_sysconfigdata_\w*\.py|pyconfig\.h|config-\d[^/]*/.*)")


def environment_units(source: str, prefixes: tuple[str, ...], stdlib_license: str | None) -> Iterator[Unit]:
    """The repositories of several prefixes, by name; of two distributions or standard libraries of one name the first is taken.

    Raises SnowError for a prefix that is missing or no Python environment.
    """
    found: dict[str, Unit] = {}
    for given in prefixes:
        prefix = Path(given).expanduser()
        if not prefix.is_dir():
            raise SnowError(f"source {source}: the environment {given} does not exist; run `make envs` or correct its path in params.yaml")
        base, version = _interpreter(prefix)
        stdlib = _standard_library(base, version)
        folders = _site_packages(prefix)
        if stdlib is None and not folders:
            raise SnowError(f"source {source}: {given} holds no Python environment (no lib/python3*/site-packages); run `make envs`")
        if stdlib is not None:
            found.setdefault(STANDARD_LIBRARY, Unit(STANDARD_LIBRARY, lambda root=stdlib: _python(root, stdlib_license)))
        for info in (entry for folder in folders for entry in sorted(folder.glob("*.dist-info"))):
            name = normalized(info.name.removesuffix(".dist-info").partition("-")[0])
            found.setdefault(name, Unit(name, lambda info=info: _distribution(info)))
    for name in sorted(found):
        yield found[name]


def normalized(name: str) -> str:
    """A distribution's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _interpreter(prefix: Path) -> tuple[Path, str | None]:
    """The prefix of the interpreter behind a virtual environment, and its `3.x` where pyvenv.cfg says so; else `prefix` itself."""
    config = prefix / "pyvenv.cfg"
    if not config.is_file():
        return prefix, None
    values = {key.strip().lower(): value.strip() for key, _, value in (line.partition("=") for line in config.read_text().splitlines())}
    version = re.match(r"3\.\d+", values.get("version_info") or values.get("version") or "")
    home = values.get("home")
    return (Path(home).parent if home else prefix), version[0] if version else None


def _standard_library(base: Path, version: str | None) -> Path | None:
    """`lib/python3.x` under an interpreter's prefix, the newest one when the version is not known."""
    candidates = [path.parent for lib in ("lib", "lib64") for path in base.glob(f"{lib}/python{version or '3*'}/os.py")]
    return max(candidates, key=lambda path: int(path.name.rpartition(".")[2]), default=None)


def _site_packages(prefix: Path) -> list[Path]:
    found: dict[Path, Path] = {}
    for lib in ("lib", "lib64"):
        for path in sorted(prefix.glob(f"{lib}/python3*/site-packages")):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _python(stdlib: Path, stated: str | None) -> Repository:
    """The repository `python`: `Lib/...` of the standard library, `Include/...` of its headers, as in CPython's own tree."""
    roots = {"Lib": stdlib, "Include": stdlib.parent.parent / "include" / stdlib.name}
    where = {f"{label}/{path}": f"{root}/{path}" for label, root in roots.items() for path in _walk(root)}
    from snow.corpus import license_texts  # what only lists sources needs it not

    license_file = stdlib / "LICENSE.txt"
    of_file = license_texts.in_text(_text(license_file)) if license_file.is_file() else None
    found = Found(of_file, "LICENSE.txt") if of_file else Found(stated and licenses.spdx(stated), licenses.OF_SOURCE, stated or "")

    def read(wanted: frozenset[str]) -> Iterator[tuple[str, bytes | units.Refusal]]:
        for path in sorted(wanted):
            yield path, units.read_file(where[path])

    names = sorted(path for path in where if units.is_unicode(path))
    refused = Counter({units.INVALID_PATH: len(where) - len(names)})
    return Repository(names, read, +refused, found=found)


def _walk(root: Path) -> Iterator[str]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if name not in _NOT_STDLIB]
        inner = os.path.relpath(folder, root)
        for name in names:
            path = name if inner == "." else f"{inner}/{name}"
            if not _BUILD_OUTPUT.fullmatch(path):
                yield path


def _distribution(info: Path) -> Repository:
    site_packages = info.parent
    paths, duplicates = _recorded(info)
    metadata = info / "METADATA"
    headers = email.parser.HeaderParser(policy=email.policy.compat32).parsestr(_text(metadata)) if metadata.is_file() else {}
    classifiers = [value for key, value in headers.items() if key == "Classifier" and value.startswith("License ::")]
    statement, field = headers.get("License-Expression"), headers.get("License")
    expression = of_distribution(statement, field, classifiers, _license_texts(info))
    found = Found(expression, metadata.name, statement or field or "; ".join(classifiers))

    def read(wanted: frozenset[str]) -> Iterator[tuple[str, bytes | units.Refusal]]:
        return units.read_files(site_packages, wanted)

    return Repository(paths, read, +Counter({units.DUPLICATE_PATH: duplicates}), found=found)


def of_distribution(expression: str | None, field: str | None, classifiers: Sequence[str], texts: Iterable[str]) -> str | None:
    """A distribution's licence: what its core metadata declare, else what whole texts contain (a long `License`, licence files).

    What is declared counts before the texts, because they also list what the wheel's binaries bundle; a bare "BSD" they tell which
    one it is.
    """
    from snow.corpus import license_texts

    stated = licenses.of_metadata(expression, field, classifiers)
    if stated is not None and licenses.SOME_BSD not in stated:
        return stated
    whole = [field, *texts] if field and "\n" in field.strip() else texts
    detected = (found for found in map(license_texts.in_text, whole) if found)
    if stated is None:
        return licenses.all_of(detected)
    return next((exact for found in detected if (exact := licenses.which_bsd(stated, found)) != stated), stated)


def _license_texts(info: Path) -> Iterator[str]:
    from snow.corpus import license_files

    for path in sorted(info.rglob("*")):
        if path.is_file() and license_files.place(f"{info.name}/{path.name}"):
            yield _text(path)


def _recorded(info: Path) -> tuple[list[str], int]:
    """A distribution's own files from its RECORD, sorted, and how many it lists twice; none without a RECORD."""
    record = info / "RECORD"
    if not record.is_file():
        return [], 0
    with record.open(newline="", encoding="utf-8", errors="replace") as stream:
        listed = [row[0] for row in csv.reader(stream) if row]
    own = [path for path in listed if not (path.startswith(("../", "/", f"{info.name}/")) or path.endswith(".pyc"))]
    return sorted(set(own)), len(own) - len(set(own))


def _text(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.read(units.LICENSE_LIMIT).decode("utf-8", "replace")
