"""A toy project and the people who work on it: clones beside each other, a shared cache, a remote, a folder of sources.

A step is a list `[name, argument, ...]` of plain values, played by the method `do_NAME`; a step that cannot be done where it is
asked for does nothing, so every part of a sequence is a sequence. After each step `checks` hold what the tools say against the
oracle.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from . import checks, oracle, project, said
from .accidents import Accidents
from .commands import Commands, Done, Running
from .project import written
from .said import changed
from .store import OUTS, Truth, restorable, sound_receipt

STAMP = ".snakemake_timestamp"
FIX = "run `snow check --fix`"
EDITS = {
    "param",
    "ask",
    "arm",
    "suite",
    "source",
    "mark",
    "comment",
    "refactor",
    "touch",
    "times",
    "delete",
    "inplace",
}  # leave dvc.lock as it is


class World(Accidents):
    """What a sequence of steps is played on; `root` holds everything."""

    def __init__(self, root: Path, commands: Commands) -> None:
        self.root, self.commands = root, commands
        self.clone = root / "work"
        self.other: Path | None = None
        self.truth = Truth()
        self.steps: list[list[Any]] = []
        self.clones = 1
        self.forgotten: set[str] = set()  # files that a clone's own state may know nothing of
        self.synced: dict[str, Any] | None = None  # params when both tools were idle after a run; since then only `EDITS` were done
        self.commented = False  # ... among them a comment, which DVC alone notices
        self.seen: checks.Seen | None = None  # what the tools said at the end of this step, where they were asked already
        self.before: tuple[dict[str, int], set[str], dict[str, str]]  # as a run began: `costs`, keys of the cache, what was finished

    def play(self, step: list[Any]) -> None:
        """One step and the checks after it; an AssertionError names the steps so far."""
        self.steps.append(step)
        self.seen = None
        try:
            if step[0] not in EDITS:
                self.synced = None
            getattr(self, f"do_{step[0]}")(*step[1:])
            checks.after_step(self)
        except AssertionError as error:
            raise AssertionError(f"after {self.steps}:\n{error}") from error

    # What the steps are made of.

    def run(self, *words: str, ok: bool | None = True) -> Done:
        """A command in the present clone; `ok`: whether it must succeed, None where both are right."""
        return self.judge(self.commands.run(*words, cwd=self.clone), ok)

    def judge(self, done: Done, ok: bool | None = True) -> Done:
        """Hold what every command promises: no traceback, nor a line of one, and success where that is due."""
        said = f"`{' '.join(done.words)}` ended with {done.status}\n{done.output[-6000:]}"
        assert not re.search(r'Traceback|  File ".*", line \d', done.output), said
        assert ok is None or ok == (done.status == 0), said
        return done

    def params(self) -> dict[str, Any]:
        """params.yaml of the present clone."""
        return yaml.safe_load((self.clone / "params.yaml").read_text())

    def write_params(self, params: Mapping[str, Any]) -> None:
        """Replace params.yaml as an editor does."""
        staged = self.clone / "params.yaml.new"
        staged.write_text(written(params))
        os.replace(staged, self.clone / "params.yaml")

    def pipeline(self) -> dict[str, Any]:
        """The stages that dvc.yaml has."""
        return yaml.load((self.clone / "dvc.yaml").read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["stages"]

    def pipeline_is_true(self) -> bool:
        """Whether dvc.yaml says what it must, by the machinery's own word."""
        line = "from snow.caching import pipeline; print(pipeline.agrees(pipeline.text()))"
        return self.run("exec", line).output.strip() == "True"

    def sources(self) -> dict[str, str]:
        """The outside files by name."""
        return {path.name: path.read_text() for path in (self.root / "sources").glob("*.txt")}

    def files(self) -> dict[str, Path]:
        """Every artifact file of the present clone, receipts too."""
        found = (Path(folder, name) for out in OUTS for folder, _, names in os.walk(self.clone / out) for name in names)
        return {path.relative_to(self.clone).as_posix(): path for path in sorted(found) if path.name != STAMP}

    def receipts(self) -> dict[str, bytes]:
        """The sound receipts that lie there; another counts as absent, to us as to `snow`, and so does a link that DVC made to an object
        that its cache has lost."""
        found = {name: path.read_bytes() for name, path in self.files().items() if name.startswith("receipts/") and path.exists()}
        return {name: data for name, data in found.items() if sound_receipt(data)}

    def expected(self, params: Mapping[str, Any] | None = None, given: Mapping[str, bytes] | None = None) -> dict[str, oracle.Expected]:
        """The oracle's jobs for the present clone, with other params or raw shards where those are given."""
        return oracle.jobs(params or self.params(), self.sources(), oracle.marks(self.clone), self.receipts(), given)

    def cache(self) -> Path:
        """Where the present clone's cache lies."""
        return self.root / "cache" if "../../cache" in (self.clone / ".dvc/config.local").read_text() else self.clone / ".dvc/cache"

    def stores(self) -> list[Path]:
        """Every cache and the remote."""
        own = (clone / ".dvc/cache" for clone in self.root.glob("clone*"))
        return [path for path in (self.root / "cache", self.root / "remote", *own) if path.is_dir()]

    def costs(self) -> dict[str, int]:
        """When each job's body last ended here: `stage instance` to ns."""
        logs = self.clone / "logs"
        found = {path.relative_to(logs).as_posix().removesuffix(".cost.json"): path for path in logs.rglob("*.cost.json")}
        return {name.replace("/", " ", 1): path.stat().st_mtime_ns for name, path in found.items()}

    def executing(self, running: Running, ok: bool | None = True, kill_after: float | None = None) -> Done | None:
        """See a run to its end, or kill it; no body may have been executed whose result was in the cache when it began. None when
        killed."""
        before, known, finished = self.before
        if kill_after is not None:
            time.sleep(kill_after)
            running.kill()
        done = running.wait()
        for name, ended in self.costs().items():
            receipt = self.clone / receipt_of(name)
            if before.get(name) != ended and receipt.exists():
                match = re.search(r'"key": "(\w+)"', receipt.read_text())
                assert not match or match[1] not in known, f"{name} was executed, though the cache has its result ({match[1][:12]})"
        if done.status == -9 and kill_after is not None:
            self.remove_torn_lock()
            self.mend_torn_results()
            return None
        if done.status == 0 and re.search(r"(?m)^snow: \d+ jobs? of \d+ stages? to run", done.output) and not self.truth.damaged:
            lost = finished.keys() - restorable(self.truth, self.cache())
            assert not lost, f"what was finished when the run began is not on record after it: {[finished[key] for key in lost]}"
        return self.judge(done, ok)

    def start(self, *words: str) -> Running:
        """Begin a run in the present clone."""
        self.before = self.costs(), restorable(self.truth, self.cache()), checks.finished(self)
        return self.commands.start(*words, cwd=self.clone)

    def choose(self, number: int, among: list[Any]) -> Any:
        """One of a list by any number; None of an empty one."""
        return among[number % len(among)] if among else None

    # The steps.

    def do_param(self, key: str, value: Any) -> None:
        """Edit one dotted key of params.yaml; null removes it. What no run would accept is not done."""
        wanted = changed(self.params(), key, value)
        if said.possible(wanted):
            self.write_params(wanted)

    def do_arm(self, name: str, model: dict[str, Any] | None, tokens: dict[str, Any] | None) -> None:
        """Add or (null) remove a model, and a token set of the same name with it."""
        wanted = changed(changed(self.params(), f"models.{name}", model), f"token_sets.{name}", tokens)
        if said.possible(wanted):
            self.write_params(wanted)

    def do_suite(self, name: str, words: list[str] | None) -> None:
        """Add, change or (null) remove a suite; the last stays."""
        suites = self.params()["suites"]
        if words is not None or (name in suites and len(suites) > 1):
            self.do_param(f"suites.{name}", None if words is None else {"words": words})

    def do_source(self, name: str, text: str | None) -> None:
        """Add, edit or (null) remove a source file."""
        path = self.root / "sources" / f"{name}.txt"
        if text is None:
            path.unlink(missing_ok=True)
            return
        path.write_text(text + "\n")
        self.truth.learn(path.read_bytes())

    def do_mark(self, stage: str, value: str) -> None:
        """Edit code so that its bytes change."""
        name, file = ("END", "lines") if stage == "END" else ("MARK", stage)
        self._edit(file, rf'(?m)^{name} = ".*"', f'{name} = "{value}"')

    def do_comment(self, stage: str, number: int) -> None:
        """Edit a comment."""
        self.commented = True
        self._edit(stage, r"\n# remark .*|(?<=annotations)(?=\n)", f"\n# remark {'x' * (number + 1)}")

    def do_refactor(self, stage: str, number: int) -> None:
        """Edit code so that it does the same."""
        self._edit(stage, r"\n_UNUSED = \d+|\Z", f"\n_UNUSED = {10**number}")

    def _edit(self, module: str, pattern: str, text: str) -> None:
        path = self.clone / f"snow/toy/{module}.py"
        path.write_text(re.sub(pattern, lambda _: text, path.read_text(), count=1))

    def do_run(self) -> None:
        """`snakemake all`, to the end."""
        checks.after_run(self, self.executing(self.start("snakemake", "all")))

    def do_repro(self) -> None:
        """`dvc repro`, to the end. One that meets artifacts which dvc.yaml lacks is refused and says what helps, which does."""
        if not self.pipeline_is_true():
            done = self.executing(self.start("dvc", "repro"), None)
            assert done is not None
            said_so = FIX in done.output or "are missing from 'params.yaml'" in done.output  # the latter DVC itself, of an arm taken out
            assert done.status == 0 or said_so, f"`dvc repro` beside an older dvc.yaml:\n{done.output[-3000:]}"
            self.run("snow", "check", "--fix")
        blind = checks.source_changed(self)
        done = self.executing(self.start("dvc", "repro"))
        if not blind:
            checks.after_run(self, done)

    def begin(self, front: str) -> Running:
        """A whole run by one of the two front doors; before DVC's, dvc.yaml follows params.yaml."""
        if front == "dvc" and not self.pipeline_is_true():
            self.run("snow", "check", "--fix")
        return self.start(*(("snakemake", "all") if front == "snakemake" else ("dvc", "repro")))

    def _overlaid(self, edits: Sequence[Sequence[Any]]) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]] | None:
        """The params under overlays, the overlays, and the files they are in; None where no run would accept them."""
        overlays = [changed({}, key, value) for key, value in edits]
        params = self.params()
        for overlay in overlays:
            params = said.over(params, overlay)
        if not said.possible(params):
            return None
        (self.clone / ".snow").mkdir(exist_ok=True)
        files = [f".snow/overlay{number}.yaml" for number in range(len(overlays))]
        for file, overlay in zip(files, overlays, strict=True):
            (self.clone / file).write_text(yaml.safe_dump(overlay, sort_keys=False))
        return params, overlays, files

    def do_overlay(self, how: str, *edits: Sequence[Any]) -> None:
        """A run with other params than params.yaml's, in files, one over the other, or on the command line."""
        made = self._overlaid(edits)
        if made is None:
            return
        params, overlays, files = made
        words = ["--config", *(f"{name}={json.dumps(told)}" for overlay in overlays for name, told in overlay.items())]
        self.executing(self.start("snakemake", *(["--configfile", *files] if how == "file" else words), "--", "all"))
        checks.bytes_are(self, self.expected(params))

    def do_ask(self, *edits: Sequence[Any]) -> None:
        """What the tools say of overlays, as such and written into params.yaml."""
        made = self._overlaid(edits)
        if made is None:
            return
        before, planned = self.params(), checks.planned(self, "--configfile", *made[2])
        self.write_params(made[0])
        self.seen = checks.look(self)
        assert planned == self.seen.planned, f"`snakemake -n` under an overlay names {planned}, with it in params.yaml {self.seen.planned}"
        checks.after_step(self)
        self.write_params(before)
        self.seen = None

    def do_run_edit(self, front: str, delay: float, key: str, value: Any) -> None:
        """A param edited while a run is under way; DVC's may be refused for that."""
        running, before = self.begin(front), self.params()
        time.sleep(delay)
        self.do_param(key, value)
        self.executing(running, True if front == "snakemake" else None)
        if front == "snakemake":
            checks.bytes_are_either(self, before, self.params())

    def do_run_source(self, front: str, delay: float, name: str, text: str | None) -> None:
        """A source edited while a run is under way; what was read half before and half after may be refused, not recorded."""
        running = self.begin(front)
        time.sleep(delay)
        self.do_source(name, text)
        self.executing(running, None)

    def do_during(self, front: str, delay: float, name: str, *words: Any) -> None:
        """Another step while a run is under way, after which the run may end with a sentence, and what it had found may be gone."""
        running = self.begin(front)
        time.sleep(delay)
        getattr(self, f"do_{name}")(*words)
        self.before = self.before[0], set(), {}
        self.executing(running, None)

    def do_command(self, *words: str) -> None:
        """A command that may be refused."""
        self.run(*words, ok=None)

    def do_kill(self, front: str, delay: float) -> None:
        """A run killed with everything it started."""
        self.executing(self.begin(front), kill_after=delay)

    def do_target(self, number: int) -> None:
        """`snakemake TARGET`: an artifact, or one file; it and what it needs are right afterwards."""
        jobs = self.expected()
        target = self.choose(number, sorted({name for job in jobs.values() for name in (job.artifact, job.receipt, *job.outputs)}))
        self.executing(self.start("snakemake", "--", target))
        asked = [job for job in jobs.values() if target in (job.artifact, job.receipt, *job.outputs)]
        checks.bytes_are(self, checks.with_upstream(self.expected(), asked))

    def do_repro_target(self, number: int) -> None:
        """`dvc repro STAGE`."""
        blind, jobs = checks.source_changed(self), self.expected()
        artifact = self.choose(number, sorted({job.artifact for job in jobs.values()}))
        if not self.pipeline_is_true():
            self.run("snow", "check", "--fix")
        self.executing(self.start("dvc", "repro", artifact))
        if not blind:
            checks.bytes_are(self, checks.with_upstream(self.expected(), [job for job in jobs.values() if job.artifact == artifact]))

    def do_refused(self) -> None:
        """Impossible params are refused, and nothing changes."""
        before = self._state()
        self.run("snakemake", "--config", "shards=0", "--", "all", ok=False)
        assert self._state() == before, "a refused run changed something"

    def _state(self) -> dict[str, bytes]:
        lock = self.clone / "dvc.lock"
        there = {name: path.read_bytes() for name, path in self.files().items() if path.exists()}  # no link to what the cache has lost
        return there | {"": lock.read_bytes() if lock.exists() else b""}

    def do_commit(self) -> None:
        """`git commit` of everything."""
        project.git(self.clone, "add", "-A")
        project.git(self.clone, "commit", "-q", "-m", f"step {len(self.steps)}")

    def do_checkout(self, back: int, with_dvc: bool) -> None:
        """Back to an older commit, with or without `dvc checkout`; open edits are committed first."""
        self.do_commit()
        if project.git(self.clone, "checkout", "-q", f"HEAD~{back}").returncode == 0 and with_dvc:
            self.run("dvc", "checkout", ok=None)

    def do_merge(self, key: str, value: Any, ran: bool, strategy: str) -> None:
        """Merge a branch from the commit before with another param, whose author has run it or not; `strategy` settles conflicts."""
        self.do_commit()
        here = project.git(self.clone, "rev-parse", "HEAD").stdout.strip()
        if project.git(self.clone, "checkout", "-q", "-B", "side", "HEAD~1").returncode:
            return
        self.do_param(key, value)
        if ran:
            self.executing(self.start("snakemake", "all"))
        self.do_commit()
        project.git(self.clone, "checkout", "-q", here)
        done = project.git(self.clone, "merge", "-q", "--no-edit", "-X", strategy, "side")
        if done.returncode:  # both sides deleted or added a file
            project.git(self.clone, "merge", "--abort")
        elif not self._params_are_sound():  # each side's arms need what the other took away
            project.git(self.clone, "reset", "-q", "--hard", here)
        else:
            seen = self.run("snakemake", "-n", "all", ok=None)
            if seen.status:  # two dvc.yaml do not always make one
                assert "dvc.yaml" in seen.output, seen.output
                self.run("snow", "check", "--fix")

    def _params_are_sound(self) -> bool:
        """Whether params.yaml is possible, and no key is in it twice."""
        text = (self.clone / "params.yaml").read_text()
        return said.possible(yaml.safe_load(text)) and written(yaml.safe_load(text)) == text

    def do_clone(self, shared: bool, how: str) -> None:
        """Go on in a fresh clone, with the shared cache or its own; `how` it is filled: none, pull, run-cache, missing (one object)."""
        self.do_commit()
        self.clones += 1
        self.other, made = self.clone, self.root / f"clone{self.clones}"
        done = project.git(self.root, "clone", "-q", str(self.clone), str(made))
        assert done.returncode == 0, done.stderr
        self.clone = made
        (made / ".dvc/config.local").write_text("[cache]\n    dir = ../../cache\n" if shared else "")
        if how == "missing":
            victim = self.choose(self.clones * 7919, sorted((self.root / "remote/files/md5").glob("??/*")))
            if victim:
                victim.unlink()
        if how != "none":
            self.run("dvc", "pull", *(["--run-cache"] if how == "run-cache" else []), ok=None)

    def do_switch(self) -> None:
        """Go on in the clone before."""
        if self.other is not None:
            self.clone, self.other = self.other, self.clone


def receipt_of(name: str) -> str:
    """The receipt of `stage instance`."""
    return f"receipts/{name.replace(' ', '/', 1)}.json"
