"""Source kind `git`: repositories, each at one revision, read blob by blob from a bare mirror without a checkout.

Mirrors live in a folder per URL, guarded by a lock, so that runs side by side fetch once. What a branch, a tag or nothing (the
remote's HEAD) stands for is found out before the job's key is computed, and that commit is read; one that is already mirrored
needs no network.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import glob
import hashlib
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from snow import pinned
from snow.corpus import units
from snow.corpus.units import Refusal, Repository, Unit
from snow.errors import SnowError

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|\w[\w.-]*@[\w.-]+:")
_FETCHED = "refs/snow/fetched"
_REPOSITORY_VARIABLES = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"})  # set by hooks


def git_units(source: str, paths: tuple[str, ...], revision: str | None, cache: Path) -> Iterator[Unit]:
    """One unit per repository; nothing is fetched yet."""
    for name, url, wanted in repositories(source, paths, revision):
        yield Unit(name, lambda name=name, url=url, wanted=wanted: _open(source, name, url, wanted, cache))


def repositories(source: str, paths: Iterable[str], revision: str | None) -> list[tuple[str, str, str | None]]:
    """(name, URL or path, revision) of what `paths` lists: clone URLs, local repositories by path or pattern, and files that list such,
    one a line, with a revision of its own behind it or not; `#` begins a comment. Named `owner/name` for a URL and after its folder
    for a path, by more of the path where two are called the same. SnowError for a line that is neither, a list that is no text, and
    a pattern that matches no repository."""
    listed = dict.fromkeys(entry for given in paths for entry in _listed(source, given, revision))  # each once
    local = {Path(url).expanduser() for url, _ in listed if not _REMOTE.match(url)}
    called = {str(place): name for name, place in units.told_apart([(repository_name(str(place)), place) for place in sorted(local)])}
    return [(called.get(str(Path(url).expanduser()), repository_name(url)), url, wanted) for url, wanted in listed]


def _listed(source: str, given: str, revision: str | None) -> Iterator[tuple[str, str | None]]:
    path = Path(given).expanduser()
    if _REMOTE.match(given):
        yield given, revision
    elif glob.has_magic(given) and not path.exists():
        found = [match for match in units.files(given) if (match / ".git").exists() or (match / "objects").is_dir()]
        if not found:
            raise SnowError(f"source {source}: {given} matches no git repository; correct it in params.yaml")
        yield from ((str(match), revision) for match in found)
    elif path.is_file() and not _is_bundle(path):
        yield from _lines(f"source {source}: {given}", path, revision)
    else:
        yield given, revision


def _is_bundle(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(6) in (b"# v2 g", b"# v3 g")  # `git bundle`


def _lines(about: str, path: Path, revision: str | None) -> Iterator[tuple[str, str | None]]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SnowError(f"{about} is no list of clone URLs ({error}); correct it") from None
    told = [(number, line.partition(" #")[0].split()) for number, line in enumerate(lines, 1) if not line.lstrip().startswith("#")]
    if not any(words for _, words in told):
        raise SnowError(f"{about} lists no clone URL; write one a line, or remove it from params.yaml")
    for number, words in told:
        if len(words) > 2 or (words and not (_REMOTE.match(words[0]) or Path(words[0]).expanduser().is_dir())):
            raise SnowError(f"{about}, line {number}: expected a clone URL or local repository, and its revision if wanted; correct it")
        if words:
            yield words[0], words[1] if len(words) == 2 else revision


def repository_name(url: str) -> str:
    """`owner/name` of a clone URL, the folder's name of a local path; without `.git`."""
    plain = shown(url).rstrip("/").removesuffix(".git").rstrip("/")
    if _REMOTE.match(url):
        return "/".join(re.split(r"[/:]", _REMOTE.sub("", plain, count=1))[-2:])
    return Path(plain).resolve().name


def commit_of(about: str, url: str, revision: str | None) -> str | None:
    """The commit a revision (HEAD without one) stands for. Of a local repository: as it is now, empty where it has none, which
    collection counts as empty or names as broken. Of a URL: a full hash is itself, else in a job what the server says, None when that
    is not known here. SnowError `about` with git's words when the server cannot be asked."""
    name, path = revision or "HEAD", Path(url).expanduser()
    if path.is_dir():
        return pinned.resolved(("git", url, name), functools.partial(_local_commit, path, name), str)
    if _COMMIT.fullmatch(name):
        return name
    return pinned.resolved(("git", url, name), lambda: None, functools.partial(_served_commit, about, url, name))


def _local_commit(repository: Path, name: str) -> str:
    words = ("rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}")
    return _git("", "-C", str(repository), *words, check=False).stdout.decode().strip()


def _served_commit(about: str, url: str, name: str) -> str | None:
    """As git fetch would choose among references of that name; None for a short hash."""
    wanted = (name, f"refs/{name}", f"refs/tags/{name}^{{}}", f"refs/tags/{name}", f"refs/heads/{name}")
    lines = _git(about, "ls-remote", url, *wanted).stdout.decode("utf-8", "replace").splitlines()
    served = {reference: commit for commit, _, reference in (line.partition("\t") for line in lines)}
    return next((served[reference] for reference in wanted if reference in served), None)


def shown(url: str) -> str:
    """A URL without the credentials it may carry."""
    return re.sub(r"://[^/@]*@", "://", url)


def _open(source: str, name: str, url: str, revision: str | None, cache: Path) -> Repository:
    about = f"source {source}: the git repository {shown(url)}"
    mirror = cache / hashlib.sha256(url.encode()).hexdigest()[:32]
    commit = _mirrored(about, url, commit_of(about, url, revision) or revision, mirror)
    if commit is None:
        return Repository((), lambda wanted: iter(()))
    blobs: dict[str, str] = {}
    refused: Counter[str] = Counter()
    listing = _git(about, "ls-tree", "-r", "-l", "-z", "--full-tree", commit, mirror=mirror)
    for entry in listing.stdout.split(b"\0")[:-1]:
        details, _, raw = entry.partition(b"\t")
        mode, _, blob, size = details.decode().split()
        path = raw.decode("utf-8", "surrogateescape")
        if not units.is_unicode(path):
            refused[units.INVALID_PATH] += 1
        elif mode == "160000":
            refused[units.SUBMODULE] += 1
        elif mode not in ("100644", "100755", "100664"):
            refused[units.NOT_A_FILE] += 1
        elif not size.isdigit():
            refused[units.UNREADABLE] += 1
        elif int(size) > units.READ_LIMIT:
            refused[units.TOO_LARGE] += 1
        else:
            blobs[path] = blob

    def read(wanted: frozenset[str]) -> Iterator[tuple[str, bytes | Refusal]]:
        return _read(about, mirror, blobs, wanted)

    files = sorted(blobs)
    seconds = int(_git(about, "log", "-1", "--format=%ct", commit, mirror=mirror).stdout)
    return Repository(files, read, refused, {name: commit}, last_commit=datetime.fromtimestamp(seconds, UTC))


def _mirrored(about: str, url: str, revision: str | None, mirror: Path) -> str | None:
    """Fetch what `revision` needs into the mirror; the commit it stands for, or None for a repository without commits."""
    mirror.parent.mkdir(parents=True, exist_ok=True)
    with _locked(mirror.with_suffix(".lock")):
        _git(about, "init", "--quiet", "--bare", str(mirror))
        for stale in (*mirror.glob("*.lock"), *(mirror / "refs").rglob("*.lock")):  # of a killed run: nobody else is here now
            stale.unlink()
        if revision and _COMMIT.fullmatch(revision) and _resolved(mirror, revision):
            return revision
        remote = url if _REMOTE.match(url) else str(Path(url).expanduser().resolve())
        # One commit deep where the server hands that revision out by name; else everything, so that any hash or tag resolves.
        wanted = f"+{revision or 'HEAD'}:{_FETCHED}"
        if not _git(about, "fetch", "--quiet", "--no-tags", "--depth=1", remote, wanted, mirror=mirror, check=False).returncode:
            return _resolved(mirror, _FETCHED)
        references = _git(about, "ls-remote", remote).stdout.decode("utf-8", "replace").splitlines()
        if not references:
            return None
        whole = ("--unshallow",) if (mirror / "shallow").exists() else ()
        _git(about, "fetch", "--quiet", "--no-tags", *whole, remote, "+refs/*:refs/remote/*", mirror=mirror)
        names = [line.partition("\t")[0] for line in references if line.endswith("\tHEAD")]
        if revision:
            names = [f"refs/remote/heads/{revision}", f"refs/remote/tags/{revision}", revision]
        commit = next(filter(None, (_resolved(mirror, name) for name in names)), None)
        if commit is None:
            raise SnowError(f"{about} has no revision {revision or 'HEAD'}; set `revision` to a commit, tag or branch it has")
        return commit


def _resolved(mirror: Path, name: str) -> str | None:
    found = _git("", "rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}", mirror=mirror, check=False)
    return found.stdout.decode().strip() if found.returncode == 0 else None


def _read(about: str, mirror: Path, blobs: dict[str, str], wanted: frozenset[str]) -> Iterator[tuple[str, bytes | Refusal]]:
    """Blobs in path order through one `git cat-file --batch`; memory is one blob."""
    if not wanted:
        return
    command = ["git", f"--git-dir={mirror}", "cat-file", "--batch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for path in sorted(wanted):
            process.stdin.write(f"{blobs[path]}\n".encode())
            process.stdin.flush()
            yield path, _answer(process.stdout, f"{about}: {path} cannot be read")


def _answer(stream: IO[bytes], failure: str) -> bytes | Refusal:
    header = stream.readline().split()
    if header[-1:] == [b"missing"]:
        return Refusal(units.UNREADABLE)
    size = int(header[2]) if len(header) == 3 else -1
    content = stream.read(size + 1)[:-1] if size >= 0 else b""  # a newline follows each object
    if len(content) != size:
        raise SnowError(f"{failure}, its mirror in .snow/git is damaged; delete that folder and run again")
    return content


def _git(about: str, *arguments: str, mirror: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run git without prompts, apart from any repository around; SnowError `about` with git's words when `check` and it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in _REPOSITORY_VARIABLES}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    location = [f"--git-dir={mirror}"] if mirror else []
    try:
        command = ["git", "-c", "gc.auto=0", *location, *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False)
    except FileNotFoundError:
        raise SnowError(f"{about}: git is not installed; install it") from None
    if check and done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        reason = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0])
        raise SnowError(f"{about} cannot be read, git {arguments[0]} says: {shown(reason)}; correct its address in params.yaml")
    return done


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
