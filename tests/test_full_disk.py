"""A disk that takes no more costs a sentence: never a finished result, never half a file where a whole one is looked for."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snow import disk, job
from snow import params as settings
from snow.caching import hashes, ledger, records
from snow.caching.store import Store, open_store
from snow.errors import SnowError
from snow.job import Call

from .bodies import stage
from .conftest import ROOT
from .scenarios import workspace

PARAMS = settings.load(ROOT / "params.yaml")
MEGABYTE = 1 << 20
BODY = """
def run(job):
    job.output("small").write_bytes(b"s" * 1000)
    job.output("large").mkdir()
    for number in range(4):
        (job.output("large") / str(number)).write_bytes(bytes([number]) * {size})
    return {{}}
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount a file system of 1 MB somewhere; again with other options to change it."""
    mounted: list[Path] = []

    def mount(path: Path, options: str = "size=1m") -> Path:
        path.mkdir(parents=True, exist_ok=True)
        again = ["-o", f"remount,{options}"] if path in mounted else ["-t", "tmpfs", "-o", options, "tmpfs"]
        done = subprocess.run(["mount", *again, str(path)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
        mounted.append(path)
        return path

    yield mount
    for path in dict.fromkeys(mounted):
        subprocess.run(["umount", "--lazy", str(path)], check=True)


Ask = Callable[..., Call]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """A job in the stage `filter` whose body is given as source, in a scratch DVC project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path(".dvc").mkdir()
    Path("in.txt").write_text("text")
    Path("bodies").mkdir()
    Path("bodies/__init__.py").touch()

    def of(body: str = BODY.format(size=MEGABYTE // 2)) -> Call:
        Path("bodies/stage.py").write_text(textwrap.dedent(body))
        for name in ("bodies", "bodies.stage"):
            sys.modules.pop(name, None)
        outputs = {"small": Path("out/small"), "large": Path("out/large"), "receipt": Path("receipts/filter/00000.json")}
        return job.call(stage("filter"), "00000", PARAMS, {"text": (Path("in.txt"),)}, outputs, 1)

    return of


def store_at(root: Path, link: str = "copy") -> Store:
    Path(".dvc/config").write_text(f"[cache]\n    dir = {root}\n    type = {link}\n")
    found = open_store()
    assert found is not None
    return found


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def adopt(store: Store) -> None:
    entries = list(ledger.read().values())
    assert len(entries) == 1
    records.adopt(store, entries, hashes.contents(Path(path) for each in entries for path in (*each.outputs, each.path)))


def sound(store: Store) -> bool:
    """Whether every object is what its name says, and nothing else lies among them."""
    found = [path for path in (store.root / "files").rglob("*") if path.is_file()]
    return all(store.object_path(hashes.content(path).md5.removesuffix(".dir")) in (path, path.with_suffix("")) for path in found)


def test_a_full_cache_costs_no_result_and_the_next_run_goes_on(
    ask: Ask, small_disk: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = store_at(small_disk(tmp_path / "cache"))
    asked = ask()
    job.execute(asked)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "snow filter 00000: the outputs are whole and in place, but the cache at" in said
    assert f"{store.root} could not take them (No space left on device); free space there, for example with `snow gc`" in said
    assert files(Path("out")) == ["large/0", "large/1", "large/2", "large/3", "small"]
    assert Path("receipts/filter/00000.json").exists()
    assert not any(Path(name).name.startswith(".") for name in files(store.root)), "no staged file is left"
    assert sound(store)
    assert not job.restore(asked)

    adopt(store)  # still no room
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "the results of filter 00000 are in place, but the cache at" in said

    small_disk(tmp_path / "cache", "size=8m")
    adopt(store)
    assert capsys.readouterr().err == ""
    shutil.rmtree("out")
    assert job.restore(asked)
    assert files(Path("out")) == ["large/0", "large/1", "large/2", "large/3", "small"]


@pytest.mark.parametrize("code", [errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("call", ["replace", "chmod"])
def test_whatever_the_cache_says_costs_no_result(
    code: int, call: str, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = store_at(tmp_path / "cache")
    original = getattr(os, call)

    def refusing(path: os.PathLike[str], *rest: object, **named: object) -> object:
        if Path(path).is_relative_to(store.root):
            raise OSError(code, os.strerror(code), os.fspath(path))
        return original(path, *rest, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refusing)
        job.execute(ask())
    assert f"could not take them ({os.strerror(code)})" in capsys.readouterr().err
    assert [name for name in files(store.root) if not name.startswith("clones/")] == []
    assert Path("out/large/3").exists()
    adopt(store)
    shutil.rmtree("out")
    assert job.restore(ask())


def test_a_record_that_cannot_be_written_is_no_record(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even its folder, which once passed for one."""
    store = store_at(tmp_path / "cache")
    write = Path.write_bytes

    def refusing(path: Path, content: bytes) -> int:
        if store.root / "runs" in path.parents:
            write(path, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", refusing)
        job.execute(ask())
    assert files(store.root / "runs") == []
    adopt(store)
    assert len(files(store.root / "runs")) == 1


@pytest.mark.parametrize(
    "write",
    [
        "open(job.output('large'), 'wb').write(bytes(1 << 22))",
        "import numpy, pyarrow, pyarrow.parquet as p; p.write_table(pyarrow.table({'a': numpy.random.rand(1 << 19)}), job.output('large'))",
        "import torch; torch.save(torch.rand(1 << 20), job.output('large'))",
        "import torch; from safetensors.torch import save_file; save_file({'a': torch.rand(1 << 20)}, job.output('large'))",
    ],
    ids=["plain", "parquet", "torch", "safetensors"],
)
def test_no_space_for_what_a_job_makes_is_one_sentence(write: str, ask: Ask, small_disk: Callable[..., Path], tmp_path: Path) -> None:
    small_disk(tmp_path / ".snow")
    asked = ask(f"def run(job):\n    {write}\n")
    with pytest.raises(
        SnowError, match=r"^filter 00000 could not write what it made: No space left on device .*; free space there, then"
    ) as seen:
        job.execute(asked)
    assert "\n" not in str(seen.value)
    assert files(Path(".snow/staging")) == []
    assert not Path("out").exists()


def test_no_space_for_what_the_cache_gives_is_one_sentence(ask: Ask, small_disk: Callable[..., Path], tmp_path: Path) -> None:
    store_at(tmp_path / "cache")
    asked = ask()
    job.execute(asked)
    shutil.rmtree("out")
    shutil.rmtree(".snow")
    small_disk(tmp_path / ".snow")
    with pytest.raises(SnowError, match="filter 00000 could not write what it made: No space left on device"):
        job.restore(asked)
    assert not Path("out").exists()


def test_no_space_behind_a_link_replaces_nothing(ask: Ask, small_disk: Callable[..., Path], tmp_path: Path) -> None:
    job.execute(ask(BODY.format(size=10)))
    shutil.move("out", tmp_path / "aside")
    disk_behind = small_disk(tmp_path / "disk")
    Path("out").symlink_to(disk_behind)
    shutil.copytree(tmp_path / "aside", disk_behind, dirs_exist_ok=True)
    with pytest.raises(SnowError, match="No space left on device"):
        job.execute(ask())
    assert {path: (disk_behind / path).read_bytes() for path in files(disk_behind)} == {
        path: (tmp_path / "aside" / path).read_bytes() for path in files(tmp_path / "aside")
    }


def test_a_limit_on_file_sizes_is_one_sentence(ask: Ask) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE // 4, before[1]))
    try:
        with pytest.raises(SnowError, match=r"File too large .*a limit on the size of files is in force \(`ulimit -f`\)"):
            job.execute(ask())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_bug_stays_a_bug(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), disk.explained("job", tmp_path):
        _ = 1 / 0
    with pytest.raises(FileNotFoundError), disk.explained("job", tmp_path):
        Path("nosuch").read_text()


def test_a_whole_run_on_a_full_cache_ends_well_and_the_next_one_fills_it(tmp_path: Path, small_disk: Callable[..., Path]) -> None:
    clone = workspace.create(tmp_path / "clone")
    cache = small_disk(tmp_path / "cache", "size=200k")
    clone.dvc("cache", "dir", "--local", str(cache))
    clone.snakemake("corpus-raw")
    made = clone.contents()
    assert {"corpus/raw/00000.parquet", "corpus/raw/00001.parquet", "receipts/collect/00001.json"} <= set(made)
    assert "could not take them (No space left on device)" in (clone.path / "logs/collect/00001.log").read_text()
    small_disk(cache, "size=20m")
    clone.executed()
    clone.snakemake("corpus-signals")
    shutil.rmtree(clone.path / "corpus/raw")
    clone.snakemake("corpus-signals")
    assert not clone.executed() & {"collect 00000", "collect 00001"}
    assert made.items() <= clone.contents().items()
