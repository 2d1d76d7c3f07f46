"""Git repositories and archives as sources."""

import io
import os
import subprocess
import tarfile
import threading
import tracemalloc
import zipfile
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from collecting import MIT, collect, repository

from snow.corpus import git
from snow.corpus.units import Repository
from snow.errors import SnowError

PY = "def answer():\n    return 42\n"
FILES = {"pkg/a.py": PY, "pkg/b.js": "f();\n", "pkg/c.py": PY + "# c\n", "pkg/binary.py": b"\0", "README.md": "read\n"}


def _git(folder, *arguments):
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def remote(tmp_path):
    """A repository `remote` with two commits, the first tagged v1; a link and a submodule in the second."""
    root = repository(tmp_path / "remote", FILES)
    _git(root, "init", "--quiet", "--initial-branch=main")
    _git(root, "add", ".")
    _git(root, "commit", "--quiet", "-m", "one")
    _git(root, "tag", "v1")
    (root / "link.py").symlink_to("pkg/a.py")
    (root / "new.py").write_text("new = True\n")
    _git(root, "add", ".")
    _git(root, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module.py")
    _git(root, "commit", "--quiet", "-m", "two")
    return root


def test_git_reads_the_revision_and_records_the_commit(tmp_path, remote, capsys):
    first, second = _git(remote, "rev-parse", "v1"), _git(remote, "rev-parse", "main")
    source = {"kind": "git", "paths": [str(remote)]}
    rows_, facts = collect(tmp_path / "head", source)
    assert [(row["repo"], row["path"], row["license"]) for row in rows_] == [
        ("remote", path, "MIT") for path in ("new.py", "pkg/a.py", "pkg/b.js", "pkg/c.py")
    ]
    assert facts["dropped"] == {"binary": 1, "language": 2, "not_a_file": 1, "submodule": 1}
    assert facts["commits"] == {"remote": second}
    dated = int(_git(remote, "log", "-1", "--format=%ct", "main"))
    assert {row["last_commit"] for row in rows_} == {datetime.fromtimestamp(dated, UTC)}
    assert "1 submodules in this shard are not read; add the URLs" in capsys.readouterr().err
    for revision in ("v1", first, first[:10]):
        rows_, facts = collect(tmp_path / revision, {**source, "revision": revision})
        assert [row["path"] for row in rows_] == ["pkg/a.py", "pkg/b.js", "pkg/c.py"]
        assert facts["commits"] == {"remote": first}


def test_git_takes_lists_and_patterns(tmp_path, remote):
    for place in ("one/remote", "two/remote", "two/other"):
        _git(tmp_path, "clone", "--quiet", str(remote), place)
    (tmp_path / "two/plain").mkdir()
    first, second = _git(remote, "rev-parse", "v1"), _git(remote, "rev-parse", "main")
    listing = tmp_path / "list.txt"
    listing.write_text(f"\ufeff# ours\nfile://{remote} v1  # the first\n\n{tmp_path}/one/remote\n{tmp_path}/one/remote\n")
    _, facts = collect(tmp_path / "a", {"kind": "git", "paths": [str(listing), str(tmp_path / "two/*")]})
    assert facts["commits"] == {f"{tmp_path.name}/remote": first, "one/remote": second, "two/remote": second, "other": second}
    for text, sentence in {
        "file:///a/b\nnot here\n": r"list\.txt, line 2: expected a clone URL or local repository",
        "https://host/a/b main more\n": r"list\.txt, line 1: expected",
        "# none\n": r"list\.txt lists no clone URL; write one a line",
    }.items():
        listing.write_text(text)
        with pytest.raises(SnowError, match=sentence):
            collect(tmp_path / "b", {"kind": "git", "paths": [str(listing)]})
    listing.write_bytes(b"\xff\xfe\0")
    with pytest.raises(SnowError, match="is no list of clone URLs"):
        collect(tmp_path / "b", {"kind": "git", "paths": [str(listing)]})
    with pytest.raises(SnowError, match="matches no git repository"):
        collect(tmp_path / "b", {"kind": "git", "paths": [str(tmp_path / "nowhere/*")]})


def test_git_reads_a_clone_url_and_limits_files(tmp_path, remote):
    rows_, _ = collect(tmp_path, {"kind": "git", "paths": [f"file://{remote}"], "limit_files": 1})
    assert {row["repo"] for row in rows_} == {f"{tmp_path.name}/remote"}
    assert sorted(row["language"] for row in rows_) == ["JavaScript", "Python"]


def test_a_mirrored_commit_needs_no_remote_and_a_killed_fetch_blocks_nothing(tmp_path, remote):
    source = {"kind": "git", "paths": [str(remote)], "revision": _git(remote, "rev-parse", "v1")}
    before, _ = collect(tmp_path, source)
    remote.rename(tmp_path / "moved")
    assert collect(tmp_path, source)[0] == before
    (tmp_path / "moved").rename(remote)
    (mirror,) = [path for path in (tmp_path / ".snow/git").iterdir() if path.is_dir()]
    (mirror / "shallow.lock").touch()
    assert collect(tmp_path, {**source, "revision": "main"})[1]["documents"] == 4


def test_an_empty_git_repository_is_counted(tmp_path):
    (tmp_path / "void").mkdir()
    _git(tmp_path / "void", "init", "--quiet")
    _, facts = collect(tmp_path, {"kind": "git", "paths": [str(tmp_path / "void")]})
    assert facts["units"] == {"read": 1, "empty": 1, "excluded": 0}


def test_an_unknown_revision_and_a_missing_repository_are_named(tmp_path, remote):
    with pytest.raises(SnowError, match=r"source0: the git repository .*remote has no revision v9; set `revision`"):
        collect(tmp_path, {"kind": "git", "paths": [str(remote)], "revision": "v9"})
    with pytest.raises(SnowError, match=r"source0: the git repository .*gone cannot be read, git ls-remote says: fatal: .*gone"):
        collect(tmp_path, {"kind": "git", "paths": [str(tmp_path / "gone")]})
    with pytest.raises(SnowError, match="the git repository http://localhost:9/a/b cannot be read") as raised:
        collect(tmp_path, {"kind": "git", "paths": ["http://user:secret@localhost:9/a/b"]})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/owner/name.git", "owner/name"),
        ("https://user:token@example.org/owner/name/", "owner/name"),
        ("https://token@example.org/name", "example.org/name"),
        ("git@example.org:owner/name.git", "owner/name"),
        ("ssh://git@example.org:22/owner/name.git", "owner/name"),
        ("/data/mirrors/name.git", "name"),
    ],
)
def test_repository_names_hold_no_credentials(url, name):
    assert git.repository_name(url) == name


def test_jobs_side_by_side_share_one_mirror(tmp_path, remote):
    results = []

    def read(revision):
        (unit,) = git.git_units("source", (str(remote),), revision, tmp_path / "mirrors")
        listed = unit.open()
        assert isinstance(listed, Repository)
        results.append([content for _, content in listed.read(frozenset(listed.files))])

    threads = [threading.Thread(target=read, args=(revision,)) for revision in ("v1", "main", "v1", "main")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert sorted(map(len, results)) == [6, 6, 7, 7]
    assert len([path for path in (tmp_path / "mirrors").iterdir() if path.is_dir()]) == 1


def test_a_hook_s_environment_does_not_redirect_git(tmp_path, remote, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert collect(tmp_path, {"kind": "git", "paths": [str(remote)]})[1]["documents"] == 4
    assert not (tmp_path / "elsewhere").exists()


def _tar(path, mode, files, top="pkg-1.0/"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            info = tarfile.TarInfo(top + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo(f"{top}link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "a.py"
        archive.addfile(link)


def _zip(path, files, top="pkg-1.0/"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(top + name, content)
        link = zipfile.ZipInfo(f"{top}link.py")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "a.py")


def test_archives_of_every_kind_give_the_same_documents(tmp_path):
    files = {**FILES, "LICENSE": MIT}  # the licence comes last
    _zip(tmp_path / "pkg.zip", files)
    for suffix, mode in (("tar", "w"), ("tar.gz", "w:gz"), ("tar.xz", "w:xz"), ("tar.bz2", "w:bz2")):
        _tar(tmp_path / f"pkg.{suffix}", mode, files)
    (tmp_path / "pkg.tar.zst").write_bytes(pa.compress((tmp_path / "pkg.tar").read_bytes(), codec="zstd", asbytes=True))
    results = [
        collect(tmp_path / suffix, {"kind": "archive", "paths": [str(tmp_path / f"pkg.{suffix}")]})
        for suffix in ("zip", "tar", "tar.gz", "tar.xz", "tar.bz2", "tar.zst")
    ]
    assert results[1:] == results[:1] * 5
    documents, facts = results[0]
    assert [(row["repo"], row["path"], row["license"]) for row in documents] == [
        ("pkg", path, "MIT") for path in ("pkg/a.py", "pkg/b.js", "pkg/c.py")
    ]
    assert facts["dropped"] == {"binary": 1, "language": 2, "not_a_file": 1}


def test_an_archive_can_be_odd_without_harm(tmp_path):
    big = b"x" * (40 << 20)
    _tar(tmp_path / "odd.tar.gz", "w:gz", {"LICENSE": MIT, "../../up.py": PY, "/abs.py": PY, "big.py": big}, top="")
    with tarfile.open(tmp_path / "twice.tar", "w") as archive:
        for content in (b"first = 1\n", b"second = 2\n"):
            info = tarfile.TarInfo("./a.py")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    del big
    tracemalloc.start()
    documents, facts = collect(tmp_path / "odd", {"kind": "archive", "paths": [str(tmp_path / "odd.tar.gz")]})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sorted(row["path"] for row in documents) == ["../../up.py", "abs.py"]
    assert facts["dropped"]["too_large"] == 1
    assert peak < 32 << 20
    assert {path.name for path in tmp_path.iterdir()} == {"odd", "odd.tar.gz", "twice.tar"}  # nothing was extracted
    documents, facts = collect(tmp_path / "twice", {"kind": "archive", "paths": [str(tmp_path / "twice.tar")], "license": "MIT"})
    assert [row["content"] for row in documents] == ["first = 1\n"]
    assert facts["dropped"] == {"duplicate_path": 1}


@pytest.mark.parametrize("name", ["cut.tar.gz", "cut.tar.xz", "cut.zip", "text.zip"])
def test_a_damaged_archive_is_named(tmp_path, name):
    path = tmp_path / name
    files = {f"{index}.py": os.urandom(4000).hex() for index in range(20)}
    if name.endswith(".zip"):
        _zip(path, files)
    else:
        _tar(path, "w:gz" if name.endswith("gz") else "w:xz", files)
    path.write_bytes(b"this is no archive\n" if name == "text.zip" else path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SnowError, match=rf"source0: the archive .*{name} is damaged or of no known kind"):
        collect(tmp_path, {"kind": "archive", "paths": [str(path)], "license": "MIT"})
