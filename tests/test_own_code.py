"""The code that is keyed is the code that runs, also where the environment was installed from another clone; or the command refuses."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from snow.tables import DOCUMENTS, TableWriter, document_id

from .conftest import ROOT
from .scenarios import workspace

BASE = ROOT / ".envs/base/bin/python"
SCRIPT = "#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\nimport sys\nfrom {module} import main\nsys.exit(main())\n"
EDIT = ("    return {\n", '    return {\n        "edited": True,\n')


@dataclass(frozen=True)
class Clone:
    """A clone of this checkout that has environments of its own, installed from it."""

    path: Path

    def run(self, *command: str, env_of: Clone, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command here with another clone's environment active."""
        dropped = ("SNOW_", "SNAKEMAKE_", "DVC_", "VIRTUAL_ENV", "PYTHONPATH")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        own = {"PATH": f"{env_of.path / '.envs/base/bin'}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
        return subprocess.run(
            command, cwd=cwd or self.path, env=inherited | own | variables, capture_output=True, text=True, check=False, timeout=300
        )

    def measure(self, env_of: Clone, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """One job by hand."""
        words = "measure 00000 --input documents raw.parquet --output signals out/signals.parquet --output receipt out/receipt.json"
        return self.run("snow", *words.split(), env_of=env_of, cwd=cwd, **variables)

    def facts(self, receipt: str = "out/receipt.json") -> dict[str, object]:
        """What the last such job says of itself."""
        return json.loads((self.path / receipt).read_text())["facts"]

    def edit(self) -> None:
        """Let this clone's `measure` say one thing more."""
        path = self.path / "snow/corpus/measure.py"
        text = path.read_text()
        assert EDIT[0] in text
        path.write_text(text.replace(*EDIT))


def install(folder: Path, code: Path, *names: str) -> None:
    """Environments under `folder` that have the packages of this checkout's and `snow` from `code`, as an editable install has it."""
    for name in names:
        packages = next((ROOT / ".envs" / name / "lib").glob("python*/site-packages"))
        subprocess.run([BASE, "-m", "venv", "--without-pip", folder / name], check=True)
        places = f"{packages}\n{code}\n"
        Path(folder / name / "lib" / packages.parent.name / "site-packages/clone.pth").write_text(places)
        for script, module in (("snow", "snow.cli"), ("snakemake", "snakemake.cli")):
            path = folder / name / "bin" / script
            path.write_text(SCRIPT.format(python=shlex.quote(str(folder / name / "bin/python")), module=module))
            path.chmod(0o755)


def make(path: Path) -> Clone:
    """A tiny clone in which `measure` has run once on a table, with its result in the cache."""
    workspace.create(path)
    (path / ".envs").unlink()
    install(path / ".envs", path, "base", "eval")
    content = Path(os.__file__).read_text()
    with TableWriter(path / "raw.parquet", DOCUMENTS) as writer:
        row = {"repo": "python", "path": "os.py", "language": "Python", "license": "PSF-2.0", "content": content}
        writer.write(row | {"id": document_id(content), "size": len(content.encode())})
    made = Clone(path)
    done = made.measure(env_of=made)
    assert done.returncode == 0, done.stderr
    assert "restored" in made.measure(env_of=made).stderr, "the test is about what the cache has"
    return made


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The clone the environments belong to. Tests must not change it."""
    return make(tmp_path_factory.mktemp("own") / "a clone")


@pytest.fixture
def copied(original: Clone, tmp_path: Path) -> Clone:
    """A copy of it with everything in it, its environments too, whose code was edited."""
    path = tmp_path / "its copy"
    shutil.copytree(original.path, path, symlinks=True)
    copy = Clone(path)
    copy.edit()
    return copy


@pytest.mark.parametrize("variables", [{}, {"PYTHONSAFEPATH": "1"}], ids=["plain", "safe-path"])
def test_an_edit_in_a_copy_is_executed_whosever_environment_is_active(original: Clone, copied: Clone, variables: dict[str, str]) -> None:
    for environment in (original, copied):
        shutil.rmtree(copied.path / "out")
        done = copied.measure(env_of=environment, **variables)
        assert done.returncode == 0, done.stderr
        assert copied.facts()["edited"]
    assert "restored" in original.measure(env_of=copied, **variables).stderr
    assert "edited" not in original.facts()


def test_a_clone_reached_through_a_link_is_itself(original: Clone, copied: Clone, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(copied.path)
    done = copied.measure(env_of=original, cwd=link, PYTHONPATH=str(original.path))
    assert done.returncode == 0, done.stderr
    assert copied.facts()["edited"]
    assert "restored" in copied.measure(env_of=original, cwd=link, PYTHONPATH=str(link)).stderr


def test_a_job_that_moves_into_another_environment_takes_its_code_along(original: Clone, copied: Clone) -> None:
    suite = copied.path / "snow/suites/fetch.py"
    suite.write_text(suite.read_text().replace('return {"tasks": ', 'return {"edited": True, "tasks": '))
    words = "suite humaneval --output suite out/suite.jsonl --output receipt out/suite.json"
    done = copied.run("snow", *words.split(), env_of=original, PYTHONSAFEPATH="1")
    assert done.returncode == 0, done.stderr
    assert copied.facts("out/suite.json")["edited"]


def test_a_run_executes_the_code_of_its_own_folder(original: Clone, copied: Clone) -> None:
    done = copied.run("snakemake", "corpus-signals", env_of=original)
    assert done.returncode == 0, done.stdout + done.stderr
    for receipt in sorted((copied.path / "receipts/measure").glob("*.json")):
        told = json.loads(receipt.read_text())
        assert told["facts"]["edited"]
    again = copied.run("snakemake", "-n", "corpus-signals", env_of=original)
    assert "Nothing to be done" in again.stdout + again.stderr
    key = copied.run("snow", "key", "measure", "00000", env_of=original)
    assert key.returncode == 0, key.stderr
    assert told["spec"]["code"] == json.loads(key.stdout)["spec"]["code"]


def test_two_clones_in_one_run_are_refused(original: Clone, copied: Clone) -> None:
    done = copied.run("snakemake", "-n", "-s", str(original.path / "Snakefile"), "corpus-signals", env_of=original)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert str(original.path) in said
    assert str(copied.path) in said
    assert "Traceback" not in said
    script = f"import sys; sys.path.insert(0, {str(original.path)!r}); import snow; from snakemake.cli import main; main(['-n', 'suites'])"
    loaded = copied.run("python", "-c", script, env_of=original)
    assert loaded.returncode == 1
    assert "already imported" in loaded.stdout + loaded.stderr


def test_where_python_cannot_be_told_it_is_refused(original: Clone, tmp_path: Path) -> None:
    """PYTHONPATH separates folders by a colon, so it cannot name this one."""
    path = tmp_path / "another: clone"
    shutil.copytree(original.path, path, symlinks=True)
    done = Clone(path).measure(env_of=original, PYTHONSAFEPATH="1")
    assert done.returncode == 2
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("snow measure: ")
    assert str(path) in sentence
    assert str(original.path) in sentence
    assert "make envs" in sentence
