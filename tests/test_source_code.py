"""A stage is stale when its code's meaning changes, in any module it imports, and only then; on every Python alike."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from snow import source_code
from snow.stages import STAGES

ROOT = Path(__file__).parents[1]
PYTHONS = sorted(Path.home().glob(".pyenv/versions/3.1[123].*/bin/python"))

STAGE = '''"""A stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snow.part import helper

if TYPE_CHECKING:
    from snow.types import Job


def run(job: Job) -> dict[str, int]:
    """Count."""
    return {"documents": helper(1)}
'''
PART = '''"""A part."""

from snow.part import inner


def helper(value):
    # a comment
    return value + inner.STEP
'''
FILES = {
    "__init__.py": '__version__ = "1"\n',
    "stage.py": STAGE,
    "types.py": "class Job: pass\n",
    "part/__init__.py": PART,
    "part/inner.py": "STEP = 2\n",
    "stranger.py": "X = 1\n",
}

# Syntax that Pythons have represented differently, or might.
TRICKY = r"""
a = f"x{a!r:>{w}.{p}f}y" "z" f"{b:}" f'{c}' 'd' f"" ""
b = "🫨 \U0001fae9 漢 \u200b"
c = 1e400, 1j, ..., b"\xff", 0x10, 1_000, -0.0, u"u"
def f(x: int = 1, /, *args: str, y=2, **kw) -> None:
    match x:
        case {"a": 1, **rest}: pass
        case [1, *_] | str(): ...
    try: pass
    except* ValueError: pass
    with (open(a) as g, open(b)): pass
    return (lambda *a, b=1: [x async for x in y if (z := 1)])
class A(B, metaclass=C):
    x: int
    async def g(self): await h; print(f"{x=}", f"{x:%Y-{y}}", f"{{}}", rf"\{x}", f"{x!s}{'':>3}")
x[1:2, ..., *c] = a if b else not c
"""


Digest = Callable[..., str]


def forget() -> None:
    source_code.digest.cache_clear()
    source_code._facts.cache_clear()


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Digest]:
    """The digest of snow.stage in a package that consists of FILES, some of them replaced."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(source_code, "PACKAGE", tmp_path / "snow")

    def of(changed: Mapping[str, str] | None = None) -> str:
        for name, text in (FILES | dict(changed or {})).items():
            path = tmp_path / "snow" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        forget()
        return source_code.digest("snow.stage")

    yield of
    forget()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("stage.py", "    return", "    # why\n    return"),
        ("stage.py", '"""Count."""', '"""Count them all."""'),
        ("stage.py", '    """Count."""\n', ""),
        ("stage.py", '{"documents": helper(1)}', '{\n        "documents": (helper(1)),\n    }'),
        ("stage.py", "    from snow.types import Job", "    from snow.types import Job as Job\n    from snow.stranger import X"),
        ("stage.py", '"documents"', "'documents'"),
        ("part/__init__.py", "    # a comment\n", "\n\n"),
        ("types.py", "pass", "x = 1"),  # read by type checkers only
        ("stranger.py", "1", "2"),
        ("__init__.py", '"1"', '"2"'),  # the version
    ],
)
def test_what_does_not_change_the_meaning_does_not_change_the_digest(digest: Digest, name: str, old: str, new: str) -> None:
    changed = FILES[name].replace(old, new)
    assert changed != FILES[name]
    assert digest({name: changed}) == digest()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("stage.py", "helper(1)", "helper(2)"),
        ("stage.py", '"documents"', '"files"'),
        ("stage.py", "def run(", "@print\ndef run("),
        ("part/__init__.py", "value + inner.STEP", "inner.STEP + value"),
        ("part/inner.py", "2", "2.0"),
        ("part/inner.py", "2", "True"),
        ("part/inner.py", "STEP = 2", "if TYPE_CHECKING:\n    STEP = 1\nelse:\n    STEP = 3"),
    ],
)
def test_a_change_of_meaning_anywhere_below_changes_the_digest(digest: Digest, name: str, old: str, new: str) -> None:
    changed = FILES[name].replace(old, new)
    assert changed != FILES[name]
    assert digest({name: changed}) != digest()


def test_the_branch_that_runs_beside_type_checking_counts(digest: Digest) -> None:
    def inner(value: int) -> dict[str, str]:
        return {"part/inner.py": f"if TYPE_CHECKING:\n    STEP = 0\nelse:\n    STEP = {value}\n"}

    assert digest(inner(1)) != digest(inner(2))


def test_the_closure_follows_imports_wherever_they_stand(digest: Digest) -> None:
    digest()
    assert source_code.closure("snow.stage") == ("snow.part", "snow.part.inner", "snow.stage")
    digest({"part/inner.py": "def late():\n    import snow.stranger\n"})
    assert "snow.stranger" in source_code.closure("snow.stage")


def test_an_edit_is_seen_although_the_parse_is_remembered(digest: Digest, tmp_path: Path) -> None:
    (tmp_path / ".snow").mkdir()
    before = digest()
    assert (tmp_path / ".snow/code/snow.stage.json").exists()
    assert digest() == before
    assert digest({"part/inner.py": "STEP = 4\n"}) != before
    (tmp_path / ".snow/code/snow.stage.json").write_text("torn")
    assert digest() == before


# Recorded with Python 3.11; every other one must find the same. It changes with `code.VERSION` and with nothing else.
RECORDED = "5d06301f9bba17f634acfd4c956f042def037258a9021eef8e56248bd8927de9"


def test_the_digest_is_the_recorded_one(digest: Digest) -> None:
    assert digest({"part/inner.py": f"STEP = 2\n{TRICKY}"}) == RECORDED


LIST = """
import json, sys
from snow import source_code
from snow.stages import STAGES
print(json.dumps([source_code.digest(stage.module) for stage in STAGES.values()] + [source_code.digest("snow.tricky")]))
"""


@pytest.mark.skipif(len(PYTHONS) < 2, reason="needs two of Python 3.11, 3.12 and 3.13 under ~/.pyenv/versions")
def test_every_python_computes_the_same_digests(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "snow", tmp_path / "snow", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "snow/tricky.py").write_text(TRICKY)
    found = {}
    for python in PYTHONS:
        done = subprocess.run(
            [python, "-c", LIST], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
        )
        found[python.parents[1].name] = json.loads(done.stdout)
    first, *others = found.values()
    assert all(other == first for other in others), found.keys()


LOADED = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps([name for name in sys.modules if name.startswith("snow.")]))
"""


@pytest.mark.parametrize("module", [stage.module for stage in STAGES.values() if stage.env == "base"])
def test_what_python_loads_for_a_stage_is_in_its_closure(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, module],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(done.stdout)) <= set(source_code.closure(module))


def test_stages_do_not_depend_on_the_frame() -> None:
    """An edit of the params' types or of the command line must not make every stage stale."""
    for stage in STAGES.values():
        assert not {"snow.params", "snow.schema", "snow.job", "snow.cli", "snow.stages"} & set(source_code.closure(stage.module)), (
            stage.name
        )


def test_no_import_is_relative() -> None:
    """The closure follows absolute imports; a relative one would be missed."""
    for path in (ROOT / "snow").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path
