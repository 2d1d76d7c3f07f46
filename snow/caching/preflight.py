"""Before anything runs: the files that DVC reads at the end of a run are such as it can read, and outputs lie where it accepts them.

`dvc commit` comes last, so what it stumbles over would be said after everything has been computed. DVC itself is not imported
here, it takes half a second; `tests/caching/test_preflight.py` holds what is refused here against what DVC refuses.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from snow import digest
from snow.caching.store import configuration_files
from snow.errors import SnowError

PIPELINE = Path("dvc.yaml")
LOCK = Path("dvc.lock")
PARAMS = Path("params.yaml")
MEMO = Path(".snow/parsed")
MARKER = re.compile(rb"(?m)^(<{7}|>{7}|\|{7}) ")
LEAST = 3  # characters that DVC takes for a hash
LOCK_KEYS = {"schema", "stages", "datasets"}
LOCK_STAGE_KEYS = {"cmd", "deps", "params", "outs"}
LOCK_ITEM_TYPES = {"md5": str | None, "hash": str, "size": int, "nfiles": int}
REMEDY = {  # after a merge that stopped, and for a file that is torn or of another shape
    LOCK: (
        "take one side with `git checkout --ours dvc.lock` or `git checkout --theirs dvc.lock`, then `snakemake all` writes what is right",
        "`git checkout dvc.lock` brings the committed one back, or delete it; the next run writes it anew",
    ),
    PIPELINE: (
        "edit it until it says what you want, or take one side with `git checkout --ours dvc.yaml` or `git checkout --theirs dvc.yaml`",
        "correct it there, or `git checkout dvc.yaml` brings the committed one back",
    ),
}
FOR_OTHERS = ("edit it until it says what you want", "correct it there")


def check() -> None:
    """Raises SnowError for the first of these: dvc.lock or dvc.yaml is no YAML of the shape that DVC reads, a configuration file of
    DVC cannot be parsed, or a folder above an output of dvc.yaml is a symbolic link. A project without .dvc has none of them."""
    if not Path(".dvc").is_dir() or not PIPELINE.exists():
        return
    pipeline = read_pipeline()
    if LOCK.exists():
        _shape(LOCK, _lock_faults(read(LOCK)))
    for file in configuration_files(Path(".dvc")):
        _parse_configuration(file)
    _no_link_above_outputs(pipeline)


def read_pipeline() -> Mapping[str, Any]:
    """dvc.yaml, which must be there. Raises SnowError when it is not of the shape that DVC reads."""
    pipeline = read(PIPELINE)
    _shape(PIPELINE, _pipeline_faults(pipeline))
    return pipeline


def check_params() -> None:
    """params.yaml before Snakemake reads it. Raises SnowError when it is no YAML mapping, as `read` does."""
    if not isinstance(read(PARAMS), dict):
        raise SnowError(f"{PARAMS}: expected a mapping of params at the top level; {FOR_OTHERS[1]}")


def read(path: Path) -> Any:
    """A YAML file's value, read as strictly as DVC does, and not to be changed: who reads the file again gets the same one. Raises
    SnowError for conflict markers, a key given twice, or no YAML."""
    try:
        raw = path.read_bytes()
        _refuse_markers(path, raw)
        return _remembered(path, raw)
    except OSError as error:
        raise SnowError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f", line {mark.line + 1}" if mark else ""
        said = problem or " ".join(str(error).split())
        raise SnowError(f"{path}{where} is not valid YAML ({said}); {REMEDY.get(path, FOR_OTHERS)[1]}") from None


@lru_cache(maxsize=3)  # dvc.lock, dvc.yaml, params.yaml: all read more than once in a run that has nothing to do
def _remembered(path: Path, raw: bytes) -> Any:
    """What YAML of this content says, from `.snow/parsed` where it was parsed before: JSON takes a thirtieth of the time."""
    memo, content = MEMO / f"{path.name}.json", hashlib.sha256(raw).hexdigest()
    try:
        remembered = json.loads(memo.read_bytes())
        if remembered["of"] == content:
            return remembered["value"]
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        pass  # not parsed yet, or a torn memo
    value = _parse(raw)
    if MEMO.parent.is_dir():
        text = json.dumps({"of": content, "value": value}, default=str)
        if json.loads(text)["value"] == value:  # not so for dates and keys that are no text
            digest.replace(memo, text)
    return value


def _parse(raw: bytes) -> Any:
    """YAML as DVC reads it: a key that is given twice is an error, not the last one's."""
    loader = yaml.CSafeLoader(raw)  # libyaml: 10 ms for a lock of 40 kB
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _refuse_repeated(root)  # before construction, which writes what `<<` merges into the nodes
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _refuse_repeated(root: yaml.Node) -> None:
    waiting, met = [root], {id(root)}  # an anchored node is met again by its aliases
    while waiting:
        node = waiting.pop()
        below = node.value if isinstance(node, yaml.SequenceNode) else []
        if isinstance(node, yaml.MappingNode):
            keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if len(keys) > len({key.value for key in keys}):
                twice = next(key for number, key in enumerate(keys) if key.value in {before.value for before in keys[:number]})
                raise yaml.MarkedYAMLError(problem=f"{twice.value} is given twice", problem_mark=twice.start_mark)
            below = [value for _, value in node.value]
        waiting += [one for one in below if id(one) not in met]
        met.update(map(id, below))


def _refuse_markers(path: Path, raw: bytes) -> None:
    found = MARKER.search(raw)
    if found:
        line = raw.count(b"\n", 0, found.start()) + 1
        raise SnowError(f"{path}, line {line}: a merge left its conflict markers; {REMEDY.get(path, FOR_OTHERS)[0]}")


def _shape(path: Path, faults: Iterator[str]) -> None:
    fault = next(faults, None)
    if fault is not None:
        raise SnowError(f"{path}: {fault}; {REMEDY[path][1]}")


def _pipeline_faults(told: Any) -> Iterator[str]:
    stages = told.get("stages") if isinstance(told, dict) else None
    if not isinstance(stages, dict) or not stages:
        yield "it has no stages"
        return
    for name, stage in stages.items():
        if not isinstance(stage, dict) or not ("cmd" in stage or "foreach" in stage):
            yield f"stage {name} has no cmd"
        elif not all(isinstance(stage.get(part, []), list) for part in ("deps", "outs", "params")):
            yield f"stage {name}: deps, outs and params must be lists"


def _lock_faults(told: Any) -> Iterator[str]:
    if not isinstance(told, dict) or told.get("schema") != "2.0":
        yield "it does not say schema: '2.0'"
        return
    yield from (f"{key} is no key of it" for key in told if key not in LOCK_KEYS)
    stages = told.get("stages", {})
    if not isinstance(stages, dict):
        yield "its stages are no mapping"
        return
    for name, stage in stages.items():
        if not isinstance(stage, dict) or not isinstance(stage.get("cmd"), (str, list)):
            yield f"stage {name} has no cmd"
            return
        yield from (f"stage {name}: {key} is no key of a stage" for key in stage if key not in LOCK_STAGE_KEYS)
        items = [item for part in ("deps", "outs") for item in _list(stage.get(part, []))]
        if not all(isinstance(item, dict) and isinstance(item.get("path"), str) for item in items):
            yield f"stage {name}: one of its deps or outs has no path"
            return
        for item in items:
            wrong = (key for key, kind in LOCK_ITEM_TYPES.items() if key in item and not isinstance(item[key], kind))
            yield from (f"stage {name}: {key} of {item['path']} is {item[key]!r}" for key in wrong)
            if 0 < len(item.get("md5") or "") < LEAST:
                yield f"stage {name}: md5 of {item['path']} is {item['md5']!r}, which is cut off"
        params = stage.get("params", {})
        if not isinstance(params, dict) or not all(isinstance(values, dict) for values in params.values()):
            yield f"stage {name}: its params are no mapping"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [None]


def _parse_configuration(path: Path) -> None:
    from configobj import ConfigObj, ConfigObjError  # what DVC parses it with

    try:
        raw = path.read_bytes()
        _refuse_markers(path, raw)
        ConfigObj(raw.decode().splitlines(), raise_errors=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise SnowError(f"{path} cannot be read: {error.strerror}") from None
    except (ConfigObjError, UnicodeDecodeError) as error:
        raise SnowError(f"DVC cannot parse {path} ({str(error).rstrip('.')}); {FOR_OTHERS[1]}") from None


def _no_link_above_outputs(pipeline: Mapping[str, Any]) -> None:
    """DVC writes a .gitignore beside each output and refuses when that is outside the repository; an output may itself be a link."""
    patterns = {parent for out in output_patterns(pipeline) for parent in _above(out)}
    for pattern in sorted(patterns):
        for folder in sorted(Path().glob(pattern)):
            if folder.is_symlink():
                raise SnowError(
                    f"{folder} is a link to {os.readlink(folder)}, and DVC accepts no outputs below a link: remove it and clone onto that "
                    f"disk, or keep only the bytes there: `dvc cache dir --local FOLDER` on that disk and "
                    f"`dvc config --local cache.type symlink`"
                )


def output_patterns(pipeline: Mapping[str, Any]) -> Iterator[str]:
    """The outputs of a dvc.yaml as patterns of paths, `*` where a template stands."""
    for stage in pipeline["stages"].values():
        for out in stage.get("outs", stage.get("do", {}).get("outs", [])):
            for path in out if isinstance(out, dict) else [out]:  # {path: options} or the path
                yield re.sub(r"\$\{.*?\}", "*", str(path))


def output_folders() -> list[Path]:
    """The folders that are outputs of dvc.yaml and lie there; none without one."""
    patterns = output_patterns(read(PIPELINE)) if PIPELINE.exists() else ()
    return sorted({path for pattern in patterns for path in Path().glob(pattern) if path.is_dir() and not path.is_symlink()})


def _above(path: str) -> Iterable[str]:
    return (parent.as_posix() for parent in Path(path).parents if parent != Path())
