"""An object of the cache is believed only as far as it was looked at: whatever damaged it, it is named, replaced, never passed on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from snow import digest, sealed
from snow.caching import gc, hashes, ledger, records
from snow.caching.store import LINK_TYPES, Store, open_store
from snow.errors import SnowError

RECEIPT = Path("receipts/filter/00000.json")


def empty(path: Path) -> None:
    os.truncate(path, 0)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


def garbled(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def gone(path: Path) -> None:
    path.unlink()


def leading_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


SEEN_BY_SIZE = [empty, truncated, longer, gone, leading_nowhere]
DAMAGES = [*SEEN_BY_SIZE, garbled]
Damage = Callable[[Path], None]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The cache of a project, which is the working directory; a file and a folder in it, in place and in the cache."""
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    Path("file").write_text("a file")
    Path("folder/sub").mkdir(parents=True)
    Path("folder/one").write_text("one")
    Path("folder/sub/two").write_text("two")
    found = open_store()
    assert found is not None
    for known in contents().values():
        found.add(known[0], known[1])
    return found


def contents() -> dict[str, tuple[Path, hashes.Content]]:
    return {name: (Path(name), hashes.content(Path(name))) for name in ("file", "folder")}


def objects(store: Store) -> dict[str, tuple[Path, hashes.Content, Path]]:
    """The kinds of objects: (output, its content, the object)."""
    file, folder = contents()["file"], contents()["folder"]
    inside = dict(folder[1].files or ())["one"]
    return {
        "file": (*file, store.object_path(file[1].md5)),
        "listing": (*folder, store.object_path(folder[1].md5)),
        "inside": (*folder, store.object_path(inside)),
    }


def damage(path: Path, how: Damage) -> None:
    path.chmod(0o644)
    how(path)


@pytest.mark.parametrize("how", SEEN_BY_SIZE)
@pytest.mark.parametrize("which", ["file", "listing", "inside"])
def test_what_does_not_have_its_size_is_not_held(which: str, how: Damage, store: Store) -> None:
    _, known, path = objects(store)[which]
    assert store.holds(known)
    damage(path, how)
    assert not store.holds(known)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("which", ["file", "listing", "inside"])
def test_adding_what_is_in_place_mends_it(which: str, how: Damage, store: Store) -> None:
    output, known, path = objects(store)[which]
    before = path.read_bytes()
    damage(path, how)
    store.add(output, known)
    assert path.read_bytes() == before
    assert store.holds(known)
    assert store.check_out(known, Path("again"))


@pytest.mark.parametrize("how", [*DAMAGES, a_folder])
@pytest.mark.parametrize("which", ["file", "inside"])
def test_damage_is_not_handed_out(which: str, how: Damage, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    _, known, path = objects(store)[which]
    damage(path, how)
    assert not store.check_out(known, Path("again"))
    assert not Path("again").exists()
    assert not path.is_file()
    if how not in (gone, leading_nowhere):
        said = capsys.readouterr().err
        assert f"the cached object {path} is damaged; " in said
        assert "`snow mend` repairs it there" in said


@pytest.mark.parametrize("how", [*DAMAGES, a_folder])
def test_a_damaged_listing_is_not_read(how: Damage, store: Store) -> None:
    _, known, path = objects(store)["listing"]
    assert store.describe(known.md5, known.size) == known
    assert store.describe(known.md5, None) == known
    damage(path, how)
    assert store.describe(known.md5, known.size) is None


def test_an_object_nobody_may_read_is_named_and_computed_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of another user, or on a disk that fails; nor may it be removed there."""
    output, known, path = objects(store)["file"]
    original = digest.file_md5

    def refusing(asked: Path) -> str:
        if asked == path:
            raise PermissionError(13, "Permission denied")
        return original(asked)

    with monkeypatch.context() as patched:
        patched.setattr(digest, "file_md5", refusing)
        shutil.rmtree(".snow")
        assert not store.check_out(known, Path("again"))
        assert "cannot be read (Permission denied); removed" in capsys.readouterr().err
        store.add(output, known)
    patched_unlink = pytest.MonkeyPatch()
    damage(path, garbled)
    with patched_unlink.context() as patched:
        patched.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(PermissionError(1, "Operation not permitted")))
        assert not store.check_out(known, Path("again"))
    assert "is damaged; it could not be removed (Operation not permitted)" in capsys.readouterr().err
    store.add(output, known)
    assert store.check_out(known, Path("again"))


@pytest.mark.parametrize("kind", LINK_TYPES)
def test_what_is_behind_a_link_is_stored_and_not_the_link(kind: str, store: Store) -> None:
    Path(".dvc/config").write_text(f"[cache]\n    type = {kind},copy\n")
    linking = open_store()
    assert linking is not None
    Path("elsewhere").write_text("behind a link")
    Path("linked").symlink_to("elsewhere")
    known = hashes.content(Path("linked"))
    linking.add(Path("linked"), known)
    assert not linking.object_path(known.md5).is_symlink()
    assert linking.object_path(known.md5).read_text() == "behind a link"


def test_what_changes_while_it_is_added_is_not_taken_for_what_it_was(store: Store) -> None:
    known = hashes.content(Path("file"))
    store.object_path(known.md5).unlink()
    Path("file").write_text("edited")
    with pytest.raises(SnowError, match="file changed while it was put into the cache"):
        store.add(Path("file"), known)
    assert not store.object_path(known.md5).exists()
    assert not any(path.name.startswith(".") for path in store.root.rglob("*"))


@pytest.mark.parametrize("how", SEEN_BY_SIZE)
@pytest.mark.parametrize("which", ["file", "listing", "inside"])
def test_the_next_run_mends_the_cache_from_what_is_in_place(which: str, how: Damage, store: Store) -> None:
    """And a record of results that are not held does not count."""
    outputs = dict(contents().values())
    told = {
        "stage": "filter",
        "instance": "00000",
        "key": "k" * 64,
        "spec": {},
        "inputs": {},
        "outputs": {path.name: [path.as_posix(), known.md5] for path, known in outputs.items()},
    }
    RECEIPT.parent.mkdir(parents=True)
    RECEIPT.write_bytes(sealed.dump(told))
    asked = records.entry("filter", "00000", "k" * 64, {}, {**dict.fromkeys(outputs), RECEIPT: None})
    entries = list(ledger.read().values())
    records.adopt(store, entries, hashes.contents(Path(path) for each in entries for path in (*each.outputs, each.path)))
    assert records.load(store, asked) is not None
    damage(objects(store)[which][2], how)
    assert records.load(store, asked) is None
    assert len(gc.dead_records(store, set())) == 1
    records.adopt(store, entries, hashes.contents(Path(path) for each in entries for path in (*each.outputs, each.path)))
    assert records.load(store, asked) is not None
    assert gc.dead_records(store, set()) == []
