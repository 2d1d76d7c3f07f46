"""Steps that nobody takes on purpose, and those of the cache: times, deletions, damage, links, garbage, the remote."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

from .store import forgive_cut_off, unsound


class Accidents:
    """What can happen to the files of a `World`, which this is a part of."""

    root: Path
    clone: Path
    forgotten: set[str]

    def remove_torn_lock(self) -> None:
        """DVC's own lock of paths, which a killed dvc may leave half written: no command of DVC goes on beside it, as it says."""
        lock = self.clone / ".dvc/tmp/rwlock"
        if lock.exists() and not lock.read_text().strip():
            lock.unlink()

    def mend_torn_results(self) -> None:
        """dvc.lock, which DVC writes in place: an entry that a kill cut off claims less than all, and what no longer reads as a lock is
        refused in a sentence whose remedy helps."""
        lock = self.clone / "dvc.lock"
        whole = {name: len(stage["outs"]) for name, stage in self.pipeline().items()}
        if lock.exists() and forgive_cut_off(self.truth, lock, whole):
            done = self.run("snakemake", "-n", "all", ok=None)
            assert (done.status == 0) == ("or delete it; the next run writes it anew" not in done.output), done.output[-2000:]
            if done.status:
                lock.unlink()

    def do_touch(self, seed: int) -> None:
        """`touch` some files."""
        there = [path for path in self.files().values() if path.exists()]  # no link to what the cache has lost
        for path in random.Random(seed).sample(there, min(5, len(there))):
            path.touch()

    def do_times(self, seed: int) -> None:
        """Every file at a random time from 2000 to 2030."""
        chosen = random.Random(seed)
        for path in self.files().values():
            nanoseconds = chosen.randrange(946_684_800, 1_893_456_000) * 10**9
            if path.exists():  # no link to what the cache has lost
                os.utime(path, ns=(nanoseconds, nanoseconds))

    def do_delete(self, number: int) -> None:
        """Remove a file, or a folder that holds some."""
        victim = self.choose(number, sorted({place for path in self.files().values() for place in (path, path.parent)}))
        if victim:
            shutil.rmtree(victim) if victim.is_dir() and not victim.is_symlink() else victim.unlink()

    def do_delete_state(self, name: str) -> None:
        """Remove .snow or .snakemake. What lies there then is known by its receipts and dvc.yaml alone."""
        if name == ".snow":
            self.forgotten |= self.files().keys()
        shutil.rmtree(self.clone / name, ignore_errors=True)

    def do_inplace(self, number: int) -> None:
        """Write into an artifact file without changing its size; through a link, into the cache too."""
        victim = self.choose(number, sorted(self.files().values()))
        if victim:
            self.scribble(victim, 31 * number)

    def do_damage(self, number: int) -> None:
        """Write into a cached object; through a hard link, into the workspace too."""
        victim = self.choose(number, sorted((self.cache() / "files/md5").glob("??/*")))
        if victim:
            self.scribble(victim, 31 * number)

    def do_lose(self, number: int) -> None:
        """Remove a cached object, as somebody does who tidies the cache by hand."""
        victim = self.choose(number, sorted((self.cache() / "files/md5").glob("??/*")))
        if victim:
            victim.unlink()

    def scribble(self, path: Path, position: int) -> None:
        data = bytearray(path.read_bytes())
        if data:
            data[position % len(data)] ^= 1
            mode = path.stat().st_mode
            path.chmod(0o644)
            with path.open("r+b") as stream:
                stream.write(data)
            path.chmod(mode)
        self.truth.damaged |= {md5 for root in self.stores() for md5 in unsound(self.truth, root)}

    def do_cache_type(self, kind: str) -> None:
        """How outputs are linked to the cache from now on."""
        config = self.clone / ".dvc/config.local"
        lines = [line for line in config.read_text().splitlines() if "type =" not in line] or ["[cache]"]
        config.write_text("\n".join([*lines, f"    type = {kind}"]) + "\n")

    def do_gc(self) -> None:
        """`snow gc --remove`."""
        self.run("snow", "gc", "--remove", ok=None)

    def do_push(self, run_cache: bool) -> None:
        """`dvc push`; what is not there cannot be pushed."""
        self.run("dvc", "push", *(["--run-cache"] if run_cache else []), ok=None)

    def do_pull(self, run_cache: bool) -> None:
        """`dvc pull`; what nobody pushed does not come."""
        self.run("dvc", "pull", *(["--run-cache"] if run_cache else []), ok=None)

    def do_mend(self) -> None:
        """`snow mend`: the remote is made whole as far as this cache can."""
        self.run("snow", "mend", "--run-cache", "--verify", ok=None)

    def do_relink(self) -> None:
        """`dvc checkout --relink`."""
        self.run("dvc", "checkout", "--relink", ok=None)
