"""What changed in a stage's code is named by definition, from what this clone has seen or, in a new one, from its commits."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from snow import source_code
from snow.caching import symbols

from ..conftest import ROOT

MODULE = "snow.corpus.unique"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A committed copy of the package, the one that `code` looks at; returns the module's file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(source_code, "PACKAGE", tmp_path / "snow")
    shutil.copytree(ROOT / "snow", tmp_path / "snow", ignore=shutil.ignore_patterns("__pycache__"))
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "-qm", "one"]):
        subprocess.run(["git", *words], check=True)
    _forget()
    yield tmp_path / "snow/corpus/unique.py"
    _forget()


def _forget() -> None:
    source_code.digest.cache_clear()
    source_code._facts.cache_clear()


def _edited(file: Path) -> str:
    """The digest before one function is changed and one is added."""
    before = source_code.digest(MODULE)
    file.write_text(file.read_text().replace("size = 0", "size = 1") + "\n\ndef added():\n    pass\n")
    _forget()
    return before


CHANGED = {f"{MODULE}.added": (False, True), f"{MODULE}.run": (True, True)}


def test_from_what_was_seen_here(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".snow").mkdir()
    source_code.keep_table(MODULE)
    before = _edited(package)
    monkeypatch.setattr(symbols, "_committed", lambda *_: pytest.fail("git was asked"))
    found = symbols.changed(MODULE, before)
    assert {name: (old is not None, new is not None) for name, old, new in found or []} == CHANGED


def test_from_the_commits(package: Path) -> None:
    before = _edited(package)
    found = symbols.changed(MODULE, before)
    assert {name: (old is not None, new is not None) for name, old, new in found or []} == CHANGED


def test_code_that_was_never_here_is_not_guessed(package: Path) -> None:
    assert symbols.changed(MODULE, "0" * 64) is None
