"""What the toy recipe's files must hold, computed without any of its code: from params, sources and the marks in its modules.

A content is bytes, or for a folder `{name: bytes}`. Every stage is written down here a second time; a job's receipt says which
marks (`MARK` of its module, `END` of the shared one) the code had that ran, so each finished job can be judged by itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import said

Content = bytes | dict[str, bytes]
STAGES = ("gather", "shape", "merge", "suite", "screen", "pack", "train", "judge", "report")


@dataclass(frozen=True)
class Expected:
    """One job as it must be: its artifact, what it reads by input name, its outputs by path, what its receipt must say."""

    stage: str
    instance: str
    artifact: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, Content]
    facts: Mapping[str, Any]
    params: Mapping[str, Any]

    @property
    def name(self) -> str:
        """`stage instance`."""
        return f"{self.stage} {self.instance}"

    @property
    def receipt(self) -> str:
        """Where its receipt lies."""
        return f"receipts/{self.stage}/{self.instance}.json"


def md5(content: Content) -> str:
    """The hash of a file or folder as DVC spells it."""
    if isinstance(content, bytes):
        return hashlib.md5(content).hexdigest()
    listing = [{"md5": hashlib.md5(data).hexdigest(), "relpath": name} for name, data in sorted(content.items())]
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode()).hexdigest() + ".dir"


def marks(clone: Path) -> dict[str, str]:
    """`MARK` of every stage's module, and `END` of the shared one, as the clone has them now."""
    found = {stage: _constant(clone / f"snow/toy/{stage}.py", "MARK") for stage in STAGES}
    return found | {"END": _constant(clone / "snow/toy/lines.py", "END")}


def _constant(file: Path, name: str) -> str:
    match = re.search(rf'(?m)^{name} = "(.*)"', file.read_text())
    assert match, f"{file} has no {name}"
    return match[1]


def shards_of(params: Mapping[str, Any]) -> list[str]:
    """Names of the shards."""
    return [f"{number:05}" for number in range(params["shards"])]


def params_of(stage: str, instance: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """What of the params, said in full, enters a job's key."""
    first = instance.split("/")[0]
    models = {name: said.complete("models", model) for name, model in params["models"].items()}
    return {
        "gather": lambda: {"shards": params["shards"], "sources": params["sources"]},
        "shape": lambda: {"shape": params["shape"]},
        "merge": dict,
        "suite": lambda: {f"suites.{first}": params["suites"][first]},
        "screen": lambda: {"screen": params["screen"]},
        "pack": lambda: {f"token_sets.{first}": params["token_sets"][first]},
        "train": lambda: {f"models.{first}": models[first]},
        "judge": lambda: {"judge": {"strict": params["judge"]["strict"]}},
        "report": lambda: (
            {"report": params["report"], "token_sets": params["token_sets"], "models": models}
            | {f"order.{section}": [*params[section]] for section in said.SECTIONS}
        ),
    }[stage]()


def _lines(content: Content) -> list[str]:
    assert isinstance(content, bytes)
    return content.decode().splitlines()


def _text(lines: Sequence[str], end: str) -> bytes:
    return "".join(f"{line}{end}\n" for line in lines).encode()


def files_of(sources: Mapping[str, str], shard: int, shards: int) -> list[str]:
    """Names of the source files of a shard."""
    return [name for name in sorted(sources) if sum(name.encode()) % shards == shard]


def body(
    stage: str,
    instance: str,
    params: Mapping[str, Any],
    inputs: Mapping[str, Sequence[Content]],
    mark: Sequence[str],
    sources: Sequence[tuple[str, str]] = (),
    order: Sequence[str] = (),
) -> tuple[dict[str, Content], dict[str, Any]]:
    """Outputs by name, and facts. `params` as in the key; `sources` are gather's (name, text); `order` names merge's shards, and the
    report's receipt folders."""
    start, end = mark[0], mark[1] if len(mark) > 1 else ""
    if stage == "gather":
        lines = [f"{start}{name.removesuffix('.txt')} {text.strip()}" for name, text in sources]
        return {"documents": _text(lines, end)}, {"mark": list(mark), "lines": len(lines)}
    if stage == "shape":
        given, width = _lines(inputs["documents"][0]), params["shape"]["width"]
        made = {"documents": _text([start + line[:width] for line in given], end)}
        return {**made, "decisions": _text(["cut" if len(line) > width else "whole" for line in given], end)}, {
            "mark": list(mark),
            "lines": len(given),
        }
    if stage == "merge":
        seen: set[str] = set()
        folder = {}
        for name, content in zip(order, inputs["documents"], strict=True):
            kept = [line for line in _lines(content) if not (line in seen or seen.add(line))]
            folder[f"{name}.txt"] = "".join(f"{start}{line}\n" for line in kept).encode()
        return {"merged": folder}, {"mark": list(mark), "lines": len(seen)}
    if stage == "suite":
        words = [start + word for word in params[f"suites.{instance}"]["words"]]
        return {"suite": _text(words, end)}, {"mark": list(mark), "lines": len(words)}
    if stage == "screen":
        banned = {word.rstrip(".!") for content in inputs["suites"] for word in _lines(content)}
        merged = set(_lines(inputs["merged"][0]))
        kept = [line for line in _lines(inputs["documents"][0]) if line in merged and not any(word in line for word in banned)]
        shown = [line.lower() if params["screen"]["lower"] else line for line in kept]
        return {"documents": "".join(f"{start}{line}\n" for line in shown).encode()}, {"mark": list(mark), "lines": len(kept)}
    if stage == "pack":
        taken = _lines(inputs["documents"][0])[:: params[f"token_sets.{instance.split('/')[0]}"]["every"]]
        return {"tokens": _text([start + line for line in taken], end)}, {"mark": list(mark), "lines": len(taken)}
    if stage == "train":
        model = params[f"models.{instance}"]
        state = f"{start}{model['seed']}"
        state += "".join(folder["weights.txt"].decode() for folder in inputs.get("model", ()) if isinstance(folder, dict))
        tokens = ""
        for name, share in sorted(said.shares(model).items()):
            tokens += f"{share}\n" + "".join(content.decode() for content in inputs[f"tokens:{name}"] if isinstance(content, bytes))
        for _ in range(model["steps"]):
            state = hashlib.sha256((state + tokens).encode()).hexdigest()
        weights = {"weights.txt": f"{state}\n".encode(), "log.txt": f"{model['steps']} steps\n".encode()}
        return {"model": weights}, {"mark": list(mark), "steps": model["steps"]}
    if stage == "judge":
        model = inputs["model"][0]
        assert isinstance(model, dict)
        digit, words = int(model["weights.txt"].decode()[0], 16), _lines(inputs["suite"][0])
        passed = [len(word) % 16 > digit if params["judge"]["strict"] else len(word) % 2 == digit % 2 for word in words]
        lines = [f"{start}{word} {'passed' if good else 'failed'}" for word, good in zip(words, passed, strict=True)]
        return {"verdicts": _text(lines, end)}, {"mark": list(mark), "lines": len(lines)}
    files = [
        (f"{folder}/{name}", data) for folder, content in zip(order, inputs["receipts"], strict=True) for name, data in content.items()
    ]
    told = [json.loads(data) for _, data in sorted(files, key=lambda pair: Path(pair[0]))]
    page = [f"{start}{params['report']['title']} of {', '.join(params['order.models'])} on {', '.join(params['order.token_sets'])}"]
    page += [f"{one['stage']} {one['instance']} {one['key'][:12]} {one['facts']}" for one in told]
    page += [content.decode() for name in ("logs", "verdicts") for content in inputs[name] if isinstance(content, bytes)]
    return {"report": {"index.txt": "\n".join(page).encode()}}, {"mark": list(mark), "jobs": len(told)}


def jobs(
    params: Mapping[str, Any],
    sources: Mapping[str, str],
    marks: Mapping[str, str],
    receipts: Mapping[str, bytes],
    given: Mapping[str, bytes] | None = None,
) -> dict[str, Expected]:
    """Every job, in topological order, of params as they are written. The report is judged by the `receipts` that lie there; `given`
    are raw shards to be believed."""
    params = said.meant(params)
    shards, suites, models = shards_of(params), list(params["suites"]), params["models"]
    found: dict[str, Expected] = {}
    contents: dict[str, Content] = {}

    def add(stage: str, instance: str, artifact: str, inputs: dict[str, tuple[str, ...]], paths: dict[str, str], **more: Any) -> None:
        mark = [marks[stage]] if stage in ("train", "report") else [marks[stage], marks["END"]]
        wanted = params_of(stage, instance, params)
        read = {name: [_at(contents, receipts, path) for path in paths] for name, paths in inputs.items()}
        made, facts = body(stage, instance, wanted, read, mark, **more)
        outputs = {paths[name]: (given or {}).get(paths[name], content) for name, content in made.items()}
        contents.update(outputs)
        found[f"{stage} {instance}"] = Expected(stage, instance, artifact, inputs, outputs, facts, wanted)

    def over(pattern: str, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(pattern.format(name) for name in names)

    for suite in suites:
        add("suite", suite, "suites", {}, {"suite": f"suites/{suite}.txt"})
    for number, shard in enumerate(shards):
        mine = [(name, sources[name]) for name in files_of(sources, number, len(shards))]
        add("gather", shard, "corpus-raw", {}, {"documents": f"corpus/raw/{shard}.txt"}, sources=mine)
        paths = {"documents": f"corpus/shaped/{shard}.txt", "decisions": f"corpus/decisions/{shard}.txt"}
        add("shape", shard, "corpus-shaped", {"documents": (f"corpus/raw/{shard}.txt",)}, paths)
    add("merge", "all", "corpus-merged", {"documents": over("corpus/shaped/{}.txt", shards)}, {"merged": "corpus/merged"}, order=shards)
    for shard in shards:
        read = {
            "documents": (f"corpus/shaped/{shard}.txt",),
            "merged": (f"corpus/merged/{shard}.txt",),
            "suites": over("suites/{}.txt", suites),
        }
        add("screen", shard, "corpus-screened", read, {"documents": f"corpus/screened/{shard}.txt"})
    for name in params["token_sets"]:
        for shard in shards:
            read = {"documents": (f"corpus/screened/{shard}.txt",)}
            add("pack", f"{name}/{shard}", f"tokens-{name}", read, {"tokens": f"tokens/{name}/{shard}.txt"})
    for model in said.in_order(models):
        read = {f"tokens:{name}": over(f"tokens/{name}/{{}}.txt", shards) for name in said.shares(models[model])}
        if models[model]["begin_from"] != "scratch":
            read["model"] = (f"models/{models[model]['begin_from']}",)
        add("train", model, f"models-{model}", read, {"model": f"models/{model}"})
        for suite in suites:
            read = {"model": (f"models/{model}",), "suite": (f"suites/{suite}.txt",)}
            add("judge", f"{model}/{suite}", f"eval-{model}", read, {"verdicts": f"eval/{model}/{suite}/verdicts.txt"})
    order = tuple(f"receipts/{stage}" for stage in STAGES if stage != "report")
    read = {
        "receipts": order,
        "logs": over("models/{}/log.txt", list(models)),
        "verdicts": tuple(f"eval/{model}/{suite}/verdicts.txt" for model in models for suite in suites),
    }
    add("report", "all", "report", read, {"report": "report"}, order=order)
    return found


def _at(contents: Mapping[str, Content], receipts: Mapping[str, bytes], path: str) -> Content:
    if path.startswith("receipts/"):
        return {name.removeprefix(f"{path}/"): data for name, data in receipts.items() if name.startswith(f"{path}/")}
    if path in contents:
        return contents[path]
    folder, _, name = path.rpartition("/")
    inside = contents[folder]
    assert isinstance(inside, dict)
    return inside[name]
