"""The one module that calls DVC's Python internals; `tests/caching/test_records.py` fails when a new DVC changes them.

`dvc commit -f` is public, but takes one stage at a time, and there is no public way to ask which stages dvc.yaml resolves to after
its templates, nor to tell DVC a hash that is already known. All is used only by the main process, never by jobs, because it takes
DVC's lock.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow.caching import hashes
from snow.errors import SnowError

LOCK_SECONDS = 60  # how long another dvc command in this clone may hold the lock before ours gives up; DVC itself waits 3


@dataclass(frozen=True)
class DvcStage:
    """One resolved stage of dvc.yaml: paths relative to the repository's root, params by file."""

    name: str
    cmd: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Project:
    """DVC's view of a clone, whose graph it reads once for as long as nothing is committed."""

    _repo: Any

    def stages(self) -> list[DvcStage]:
        """Every stage of the root's dvc.yaml with its templates resolved; other pipelines below it are the user's own."""
        from dvc.dependency import ParamsDependency

        found = []
        for stage in self._repo.index.stages:
            if not hasattr(stage, "name") or stage.path_in_repo != "dvc.yaml":
                continue  # a .dvc file, or another pipeline
            plain = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
            params = {dep.def_path: tuple(dep.params) for dep in stage.deps if isinstance(dep, ParamsDependency)}
            deps = tuple(dep.def_path for dep in plain)
            found.append(DvcStage(stage.addressing, str(stage.cmd), deps, tuple(out.def_path for out in stage.outs), params))
        return found

    def commit(self, names: Iterable[str], known: Mapping[Path, hashes.Content]) -> None:
        """What `dvc commit -f` does, of some stages at once, where DVC reads its whole graph and dvc.lock again for each; hashes that
        are already known are handed to DVC's state, so that no byte is read again. FileNotFoundError when something is no longer there."""
        from dvc.dependency.base import DependencyDoesNotExistError
        from dvc.lock import LockError
        from dvc.output import OutputDoesNotExistError

        wanted = set(names)
        deadline = time.monotonic() + LOCK_SECONDS
        _hand_over(self._repo, known)
        while wanted:
            try:
                with self._repo.lock, _read_once(self._repo):
                    chosen = [stage for stage in self._repo.index.stages if stage.addressing in wanted]
                    for stage in chosen:
                        stage.save()
                        stage.commit(relink=False)  # relinking would give files new times
                    chosen[0].dvcfile.dump_stages(chosen, update_pipeline=False)
                    return
            except (DependencyDoesNotExistError, OutputDoesNotExistError) as error:
                raise FileNotFoundError(str(error)) from error
            except LockError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
                self._repo._reset()  # who had it may have changed what was read


@contextlib.contextmanager
def project(root: Path = Path()) -> Iterator[Project]:
    """The DVC repository at `root`."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        yield Project(repo)


@contextlib.contextmanager
def _read_once(repo: Any) -> Iterator[None]:
    """Within, DVC reads params.yaml once, not twice for every stage, git's index once, not for every output, and dvc.lock, in which
    it never leaves a comment, without looking for comments to keep. Together they are half of a commit's time."""
    from dvc.dependency import param
    from dvc.utils.serialize import _yaml

    loaded: dict[str, Any] = {}

    def load_once(path: str, fs: Any, **options: Any) -> Any:
        if path not in loaded:
            loaded[path] = load_path(path, fs, **options)
        return copy.deepcopy(loaded[path])  # what two stages share, dvc.lock would have as an alias

    @functools.cache
    def tracked() -> frozenset[str]:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=repo.scm.root_dir, capture_output=True, text=True, check=True).stdout
        files = [Path(name) for name in listed.split("\0") if name]
        return frozenset(str(place) for file in files for place in (file, *file.parents))

    load_path, for_update = param.load_path, _yaml.parse_yaml_for_update
    param.load_path, _yaml.parse_yaml_for_update = load_once, _yaml.parse_yaml
    repo.scm.is_tracked = lambda path: os.path.relpath(path, repo.scm.root_dir) in tracked()
    try:
        yield
    finally:
        param.load_path, _yaml.parse_yaml_for_update = load_path, for_update
        vars(repo.scm).pop("is_tracked", None)


@contextlib.contextmanager
def claimed(artifacts: Iterable[str], root: Path = Path()) -> Iterator[None]:
    """Within, a `dvc repro`, `checkout` or `commit` of these artifacts' stages is refused by DVC before it deletes anything.

    Uses DVC's own lock of paths, which names this process and lapses with it. Raises SnowError when a `dvc` command is at work on
    them now.
    """
    from dvc.fs import localfs
    from dvc.lock import LockError
    from dvc.rwlock import RWLockFileCorruptedError, rwlock

    wanted = set(artifacts)
    with project(root) as found:
        known = found.stages()
    paths = [str((root / out).absolute()) for stage in known if stage.cmd.removeprefix("snakemake ") in wanted for out in stage.outs]
    folder = root / ".dvc" / "tmp"
    folder.mkdir(exist_ok=True)
    try:
        with rwlock(str(folder), localfs, " ".join(["snakemake", *sys.argv[1:]]), [], paths, False):
            yield
    except LockError as error:
        raise SnowError(f"a dvc command is at work in this directory; wait for it to end ({' '.join(str(error).split())})") from None
    except RWLockFileCorruptedError as error:  # by a dvc that was killed; what it says it locked, nobody can say
        raise SnowError(f"{' '.join(str(error).split())}; it is what a killed dvc left: remove the file {folder / 'rwlock'}") from None


@dataclass(frozen=True)
class Remote:
    """A DVC remote as a folder of files: `name` as in `dvc remote list`, its address, DVC's own file system and object database.

    Every method raises OSError or what the storage's client raises; `remote` makes that a SnowError.
    """

    name: str
    address: str
    _fs: Any
    _odb: Any

    def object(self, md5: str) -> str:
        """Where the object of that hash lies there."""
        return self._odb.oid_to_path(md5)

    def record(self, name: str) -> str:
        """Where a record of the run-cache lies there; `name` is its path under `runs`."""
        return self._fs.join(self.address, "runs", *name.split("/"))

    def size(self, path: str) -> int | None:
        """Bytes of a file there, None when it is missing."""
        try:
            return int(self._fs.info(path)["size"])
        except FileNotFoundError:
            return None

    def chunks(self, path: str) -> Iterator[bytes]:
        """The bytes of a file there, a few at a time."""
        with self._fs.open(path, "rb") as stream:
            while chunk := stream.read(1 << 20):
                yield chunk

    def put(self, path: str, local: Path) -> None:
        """Make a local file the file there, whatever lies there now."""
        if self.size(path) is not None:
            self._fs.remove(path)  # a missing object is found by everybody's next push or pull, half of one by nobody's
        self._fs.makedirs(self._fs.parent(path), exist_ok=True)
        self._fs.put_file(str(local), path)


@contextlib.contextmanager
def remote(name: str | None, root: Path = Path()) -> Iterator[Remote]:
    """A remote by name, or the default one. Raises SnowError when there is none, or it keeps no objects by MD5; within, what DVC or
    the storage's client raises when it cannot be reached becomes one too."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        try:
            found = repo.cloud.get_remote(name, "mend")
            odb = repo.cloud.get_remote_odb(name, "mend")
        except DvcException as error:
            raise SnowError(f"{' '.join(str(error).split())}; `dvc remote list` shows what is configured") from None
        try:
            yield Remote(found.name, found.path, found.fs, odb)
        except SnowError:
            raise
        except Exception as error:  # each kind of storage has a client of its own with exceptions of its own
            raise SnowError(f"the remote {found.name} at {found.path} failed: {' '.join(str(error).split())}; run it again") from error


def cached_outputs(root: Path = Path()) -> list[tuple[str, str, int | None]]:
    """(path, md5, bytes) of every output that dvc.lock and .dvc files name and that belongs on a remote."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        outs = [out for out in repo.index.outs if out.use_cache and out.can_push and out.hash_info and out.hash_name == "md5"]
        return [(out.def_path, str(out.hash_info.value), out.meta.size) for out in outs]


def _hand_over(repo: Any, known: Mapping[Path, hashes.Content]) -> None:
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_objects.fs import localfs

    items = []
    for path, content in known.items():
        pairs = [(path, content.md5)] if content.files is None else [(path / name, md5) for name, md5 in content.files]
        items += [(str(file.absolute()), HashInfo("md5", md5), None) for file, md5 in pairs]
    repo.state.save_many(items, localfs)
