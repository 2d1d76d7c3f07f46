"""What caches and remotes hold, held against the oracle: objects by their hash, job records and dvc.lock by what receipts tell.

`Truth` remembers over a whole sequence, so that a key that means two things is noticed wherever the two were made.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from . import oracle, said

OUTS = ("corpus", "suites", "tokens", "models", "eval", "report", "receipts")


@dataclass
class Truth:
    """Contents by md5, what each key made, which marks each digest of code stands for, and what was damaged on purpose."""

    contents: dict[str, bytes] = field(default_factory=dict)
    made: dict[str, dict[str, str]] = field(default_factory=dict)  # key -> path -> md5
    marks: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # (stage, digest of its code) -> marks
    damaged: set[str] = field(default_factory=set)  # md5s of objects the test has damaged
    judged: set[str] = field(default_factory=set)  # records by path, entries of dvc.lock by content
    sound: dict[tuple[str, int, int, int], bool] = field(default_factory=dict)

    def learn(self, data: bytes) -> str:
        """Remember a content; its md5."""
        md5 = hashlib.md5(data).hexdigest()
        self.contents[md5] = data
        return md5

    def content(self, md5: str) -> oracle.Content | None:
        """A file or folder by its hash, None when some of it was never seen."""
        if not md5.endswith(".dir"):
            return self.contents.get(md5)
        listing = self.contents.get(md5.removesuffix(".dir"))
        if listing is None:
            return None
        files = {entry["relpath"]: self.contents.get(entry["md5"]) for entry in json.loads(listing)}
        return {name: data for name, data in files.items() if data is not None} if None not in files.values() else None


def objects(root: Path) -> dict[str, Path]:
    """The objects of a cache or remote by md5."""
    found = (root / "files/md5").glob("??/*")
    return {path.parent.name + path.name: path for path in found if not path.name.startswith(".") and len(path.name) in (30, 34)}


def unsound(truth: Truth, root: Path) -> set[str]:
    """Hashes of objects that are not what their name says; the others are remembered."""
    found = set()
    for md5, path in objects(root).items():
        status = path.stat()
        state = (str(path), status.st_mtime_ns, status.st_size, status.st_ctime_ns)
        if state not in truth.sound:
            truth.sound[state] = truth.learn(path.read_bytes()) == md5.removesuffix(".dir")
        if not truth.sound[state]:
            found.add(md5)
    return found


def records(root: Path) -> dict[Path, dict[str, Any]]:
    """Every whole job record."""
    files = (root / "runs").glob("??/*/*")
    return {path: json.loads(path.read_bytes()) for path in files if not path.name.startswith(".")}


def restorable(truth: Truth, root: Path) -> set[str]:
    """Keys of jobs whose record and objects are here and sound."""
    there, bad = objects(root), unsound(truth, root)
    found = set()
    for record in records(root).values():
        outs = [out["md5"] for out in record["outs"]]
        listings = [json.loads(there[md5].read_bytes()) for md5 in outs if md5.endswith(".dir") and md5 in there and md5 not in bad]
        needed = {*outs, *(entry["md5"] for listing in listings for entry in listing)}
        if needed <= there.keys() and not needed & bad:
            found.add(record["params"]["snow-key"]["key"])
    return found


def problems(truth: Truth, root: Path) -> list[str]:
    """What is wrong with a cache or remote, one sentence each."""
    bad = unsound(truth, root) - truth.damaged
    found = [f"{root.name}: the object {md5} is not what its name says" for md5 in sorted(bad)]
    for path, record in records(root).items():
        if str(path) not in truth.judged:
            truth.judged.add(str(path))
            found += [f"{root.name}: record of `{record['cmd']}`: {text}" for text in _record_problems(truth, record)]
    return found


def _record_problems(truth: Truth, record: dict[str, Any]) -> list[str]:
    if not record["cmd"].startswith("snow "):
        return ["is one of a DVC stage, which none should leave"]
    key = record["params"]["snow-key"]["key"]
    outs = {out["path"]: out["md5"] for out in record["outs"]}
    if truth.made.setdefault(key, outs) != outs:
        return [f"key {key[:12]} made {truth.made[key]} before and {outs} now"]
    path = next((path for path in outs if path.startswith("receipts/")), None)
    if path is None:
        return ["has no receipt"]
    receipt = truth.content(outs[path])
    if receipt is None:
        return []  # never seen sound
    assert isinstance(receipt, bytes)
    told = json.loads(receipt)
    if told["key"] != key:
        return [f"its receipt has the key {told['key'][:12]}, not {key[:12]}"]
    inputs = {path: md5 for pairs in told["inputs"].values() for path, md5 in pairs}
    if inputs != {dep["path"]: dep["md5"] for dep in record.get("deps", ())}:
        return ["its receipt names other inputs"]
    if dict(told["outputs"].values()) != {path: md5 for path, md5 in outs.items() if not path.startswith("receipts/")}:
        return ["its receipt names other outputs"]
    return receipt_problems(truth, told)


def sound_receipt(data: bytes) -> bool:
    """Whether a receipt has the checksum over itself that it carries."""
    carried = re.search(rb'(?m)^ "sum": "(\w+)"', data)
    return carried is not None and hashlib.sha256(data.replace(carried[1], b"0" * 64)).hexdigest().encode() == carried[1]


def receipt_problems(truth: Truth, told: dict[str, Any]) -> list[str]:
    """Whether a receipt's outputs are the oracle's for the inputs, params, sources and marks it names; empty, too, where an input
    was never seen."""
    stage, instance, spec = told["stage"], told["instance"], told["spec"]
    text = json.dumps({name: [md5 for _, md5 in pairs] for name, pairs in told["inputs"].items()})
    wanted = {"spec": spec, "instance": instance, "inputs": json.loads(text)}
    canonical = json.dumps(wanted, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if hashlib.sha256(canonical.encode()).hexdigest() != told["key"]:
        return [f"the key of {stage} {instance} is not that of what its receipt names"]
    mark = told["facts"]["mark"]
    if truth.marks.setdefault((stage, spec["code"]), mark) != mark:
        return [f"{stage} {instance}: code {spec['code'][:12]} is said to have the marks {mark}, had {truth.marks[stage, spec['code']]}"]
    inputs = {name: [truth.content(md5) for _, md5 in pairs] for name, pairs in told["inputs"].items()}
    sources = [(name, truth.contents.get(md5)) for name, md5 in spec.get("sources") or ()]
    if any(content is None for contents in inputs.values() for content in contents) or any(data is None for _, data in sources):
        return []
    order = [path for path, _ in told["inputs"].get("receipts", ())]
    if stage == "merge":
        order = [Path(path).stem for path, _ in told["inputs"]["documents"]]
    texts = [(name, data.decode()) for name, data in sources if data is not None]
    outputs, facts = oracle.body(stage, instance, spec["params"], inputs, mark, texts, order)  # type: ignore[arg-type]
    made = {name: oracle.md5(content) for name, content in outputs.items()}
    if made != {name: md5 for name, (_, md5) in told["outputs"].items()}:
        return [f"{stage} {instance}: made {told['outputs']}; its params, inputs and code give {made}"]
    return [] if facts == told["facts"] else [f"{stage} {instance}: facts {told['facts']} should be {facts}"]


def lock_problems(truth: Truth, file: Path) -> list[str]:
    """Whether each stage in dvc.lock has the outputs its deps and params give; an entry that was judged before is not again."""
    return [f"dvc.lock: {name}: {problem}" for name, stage in _unjudged(truth, file) for problem in _stage_problems(truth, stage)]


def forgive_cut_off(truth: Truth, file: Path, whole: Mapping[str, int]) -> bool:
    """Whether a kill cut off a dvc.lock, so that its last entry has fewer outs than `whole`: that claims less, and is not judged."""
    text = file.read_text()
    try:
        told = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        name, stage = list(told["stages"].items())[-1]
        outs = stage.get("outs", ())
        if text.endswith("\n") and len(outs) >= whole.get(name, 0) and all(out.get("md5") for out in outs):
            return False
        truth.judged.add(json.dumps([name, stage]))
    except (yaml.YAMLError, TypeError, KeyError, AttributeError, IndexError):
        pass  # nothing to judge
    return True


def _unjudged(truth: Truth, file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    text = file.read_text() if file.exists() else "{}"
    for name, stage in yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)).get("stages", {}).items():
        told = json.dumps([name, stage])
        if told not in truth.judged:
            truth.judged.add(told)
            yield name, stage


def _stage_problems(truth: Truth, stage: dict[str, Any]) -> list[str]:
    """A stage's receipts against its other outs, its deps and its params; nothing where a content was never seen."""
    outs, deps = _listed(truth, stage["outs"]), _listed(truth, stage.get("deps", ()))
    if outs is None:
        return []
    params = stage.get("params", {}).get("params.yaml", {})
    found, covered = [], set()
    for path in (path for path, md5 in outs.items() if path.startswith("receipts/") and not md5.endswith(".dir")):
        told = json.loads(truth.contents[outs[path]])
        made = dict(told["outputs"].values())
        covered |= {path, *made}
        found += receipt_problems(truth, told)
        found += [f"{path} says {out} is {was}, the lock {outs.get(out)}" for out, was in made.items() if outs.get(out) != was]
        for key, value in told["spec"]["params"].items():
            locked = _locked_param(params, key)
            locked = {name: locked.get(name) for name in value} if isinstance(value, dict) and isinstance(locked, dict) else locked
            found += [] if locked == value else [f"{path} was made with {key} = {value}, the lock says {locked}"]
        if deps is not None:
            known = outs | deps
            read = (pair for pairs in told["inputs"].values() for pair in pairs)
            found += [f"{path} read {file} as {was}, the lock has {known.get(file)}" for file, was in read if known.get(file) != was]
    files = (out for out, md5 in outs.items() if not md5.endswith(".dir"))
    strays = [out for out in files if not any(out == whole or out.startswith(f"{whole}/") for whole in covered)]
    return found + [f"{out} is made by no job whose receipt is with it" for out in strays]


def _locked_param(params: Mapping[str, Any], key: str) -> Any:
    """A param as dvc.lock has it, from the keys listed there: all that decide it must be among them."""
    raw: dict[str, Any] = {}
    for name, value in params.items():
        raw = said.over(raw, said.changed({}, name, value))
    for section in said.SECTIONS:  # an entry that gives another nothing need not be there
        for entry in [*raw.get(section, {}).values()]:
            if "like" in entry:
                raw[section].setdefault(entry["like"], {})
    try:
        meant = said.meant(raw)
    except said.Impossible as error:
        return f"only a part of what decides it: {error} leads nowhere"
    if key.startswith("order."):
        return [*meant.get(key.removeprefix("order."), ())]
    section, *inside = key.split(".", 1)
    for entries in (meant.get(name, {}) for name in said.SECTIONS if name == section):
        meant[section] = {name: said.complete(section, entry) for name, entry in entries.items()}
    value: Any = meant.get(section)
    return value.get(inside[0]) if inside and isinstance(value, dict) else value


def _listed(truth: Truth, items: Iterable[Mapping[str, Any]]) -> dict[str, str] | None:
    """Hashes by path of files and folders, and of the files and folders in them; None when a content was never seen."""
    found: dict[str, str] = {}
    for item in items:
        path, md5 = item["path"], item["md5"]
        found[path] = md5
        if not md5.endswith(".dir"):
            if path.partition("/")[0] in OUTS and md5 not in truth.contents:
                return None
            continue
        if md5.removesuffix(".dir") not in truth.contents:
            return None
        files = {entry["relpath"]: entry["md5"] for entry in json.loads(truth.contents[md5.removesuffix(".dir")])}
        if not truth.contents.keys() >= set(files.values()):
            return None
        found |= {f"{path}/{name}": one for name, one in files.items()}
        for folder in {parent.as_posix() for name in files for parent in Path(name).parents} - {"."}:
            inside = {name.removeprefix(f"{folder}/"): truth.contents[one] for name, one in files.items() if name.startswith(f"{folder}/")}
            found[f"{path}/{folder}"] = oracle.md5(inside)
    return found
