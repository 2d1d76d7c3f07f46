"""What a param names decides the result by its content: every byte of it enters the key, where it lies does not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from snow import hub, references, source_code
from snow import params as settings
from snow.caching import spec
from snow.stages import STAGES
from snow.tokens import tokenizer as tokenizers

from .conftest import ROOT
from .hub_server import serving
from .tokens.token_jobs import SPECIAL

ONE, TWO = "1" * 40, "2" * 40


def params(**changes: Any) -> settings.Params:
    """The repository's params with dotted changes."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key, value in changes.items():
        *parents, last = key.split(".")
        section: Any = values
        for parent in parents:
            section = section[parent]
        section[last] = value
    return settings.check(values, "params.yaml")


def sources(stage: str, **changes: Any) -> Any:
    """What the key of a stage's first job has of the world outside the repository."""
    wanted = params(**changes)
    job = next(STAGES[stage].jobs(wanted))
    return spec.sources(STAGES[stage], wanted, [job])[job.instance]


def positives(**values: Any) -> dict[str, Any]:
    return {"annotators.hqins.training.positives": [{"name": "set", "kind": "json", "field": "code", "limit": 9, **values}]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, and a hub cache with nothing in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("one", "two"):
        (tmp_path / name / "inner").mkdir(parents=True)
        for file in ("tokenizer.json", "model.gguf", "inner/config.json", "set.jsonl"):
            (tmp_path / name / file).write_text(file)
    return tmp_path


NAMED: dict[str, tuple[str, str, Callable[[str], dict[str, Any]]]] = {
    "tokenizer folder": ("tokenizer", "tokenizer.json", lambda place: {"tokenizers.bpe.pretrained": place}),
    "tokenizer GGUF": ("tokenizer", "model.gguf", lambda place: {"tokenizers.bpe.pretrained": f"{place}/model.gguf"}),
    "encoder": ("annotate", "inner/config.json", lambda place: {"annotators.hqins.training.encoder": place}),
    "positives": ("annotate", "set.jsonl", lambda place: positives(path=f"{place}/set.jsonl")),
    "positives folder": ("annotate", "set.jsonl", lambda place: positives(kind="huggingface", path=place)),
    "model of others": ("obtain", "inner/config.json", lambda place: {"evaluation.compare_with": {"peer": {"pretrained": place}}}),
    "GGUF": ("generate", "model.gguf", lambda place: {"generators.smollm2.model": f"{place}/model.gguf"}),
    "vLLM": ("generate", "inner/config.json", lambda place: {"generators.smollm2.model": place, "generators.smollm2.backend": "vllm"}),
    "data set": (
        "collect",
        "set.jsonl",
        lambda place: {"sources": [{"name": "s", "kind": "huggingface", "paths": [place], "fields": {"content": "code"}}]},
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_byte_of_what_a_param_names_is_in_the_key_and_its_place_is_not(name: str, folder: Path) -> None:
    stage, file, changes = NAMED[name]
    before = sources(stage, **changes("one"))
    if name != "data set":  # which names its units
        assert sources(stage, **changes("two")) == before
    (folder / "one/.git").mkdir()
    (folder / "one/.git/index").write_text("x")
    (folder / "one/__pycache__").mkdir()
    (folder / "one/__pycache__/x.pyc").write_text("x")
    assert sources(stage, **changes("one")) == before
    with (folder / "one" / file).open("a") as stream:
        stream.write("x")
    after = sources(stage, **changes("one"))
    assert not spec.same_sources(json.loads(json.dumps(before)), after)
    shutil.rmtree(folder / "one")
    if name != "data set":
        assert spec.same_sources(json.loads(json.dumps(before)), sources(stage, **changes("one"))), "weights that were not kept"


def test_links_count_by_what_they_point_at(folder: Path) -> None:
    before = sources("annotate", **{"annotators.hqins.training.encoder": "one"})
    shutil.move("one/inner", "elsewhere")
    (folder / "one/inner").symlink_to(folder / "elsewhere")
    (folder / "one/inner/above").symlink_to(folder / "one")
    assert sources("annotate", **{"annotators.hqins.training.encoder": "one"}) == before
    (folder / "elsewhere/config.json").write_text("other")
    assert sources("annotate", **{"annotators.hqins.training.encoder": "one"}) != before


def install(folder: Path, content: str) -> None:
    """A package of weights in an environment."""
    weights = folder / "lib/python3.11/site-packages/heavy_weights/model"
    weights.mkdir(parents=True, exist_ok=True)
    (weights / "model.bin").write_text(content)
    (weights.parent / "__init__.py").write_text("raise ImportError('it is not to be imported')")
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/python").touch()


def test_a_package_counts_by_its_content_where_the_stage_reads_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(folder / ".envs/base"))
    install(folder / ".envs/base", "not read")
    named = {"annotators.hqins.training.encoder": "package:heavy_weights/model"}
    assert sources("annotate", **named)["encoder"] is None, "the environment torch is not installed"
    install(folder / ".envs/torch", "one")
    before = sources("annotate", **named)["encoder"]
    assert before is not None
    install(folder / ".envs/base", "other")
    assert sources("annotate", **named)["encoder"] == before
    install(folder / ".envs/torch", "two")
    assert sources("annotate", **named)["encoder"] not in (None, before)


def test_weights_are_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from snow import digest

    assert sources("annotate", **{"annotators.hqins.training.encoder": "one"}) == sources(
        "annotate", **{"annotators.hqins.training.encoder": "one"}
    )
    monkeypatch.setattr(digest, "file_md5", lambda path: pytest.fail(f"{path} was read again"))
    assert references.content("one", "torch")


def keep(cache: Path, repository: str, revision: str, commit: str) -> None:
    """What the hub's cache knows after a download."""
    path = cache / repository / "refs" / revision
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(commit)


def test_a_hub_name_is_the_commit_this_machine_has(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub.commit("model", "team/tok", None) is None
    assert hub.commit("model", "team/tok", ONE) == ONE
    keep(folder / "cache", "models--team--tok", "main", ONE)
    keep(folder / "cache", "models--team--tok", "refs/pr/1", TWO)
    keep(folder / "cache", "datasets--team--tok", "main", TWO)
    assert hub.commit("model", "team/tok", None) == ONE
    assert hub.commit("model", "team/tok", "refs/pr/1") == TWO
    assert hub.commit("dataset", "team/tok", None) == TWO
    assert sources("tokenizer", **{"tokenizers.bpe.pretrained": "team/tok"}) == {"pretrained": ONE}
    assert sources("annotate", **positives(kind="huggingface", path="team/tok"))["positives"] == [TWO]
    vllm = {"generators.smollm2.backend": "vllm", "generators.smollm2.model": "team/tok"}
    assert sources("generate", **vllm) == {"model": ONE}
    keep(folder / "cache", "models--team--tok", "main", "torn")
    assert hub.commit("model", "team/tok", None) is None
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.setenv("HF_HOME", str(folder / "home"))
    keep(folder / "home/hub", "models--gpt2", "main", TWO)
    assert hub.commit("model", "gpt2", None) == TWO


def test_what_is_not_known_here_is_as_it_was_and_nothing_else_is() -> None:
    old = {"model": ONE, "sets": [["a", TWO], ["b", None]]}
    assert spec.same_sources(old, {"model": None, "sets": [["a", None], ["b", None]]})
    assert not spec.same_sources(old, {"model": TWO, "sets": [["a", None], ["b", None]]})
    assert not spec.same_sources(old, {"model": None, "sets": [["a", None], ["b", ONE]]}), "it was made when nobody knew"
    assert not spec.same_sources(old, {"model": None, "sets": [["a", None]]})
    assert not spec.same_sources(old, {"model": None})
    assert not spec.same_sources({"model": ONE}, old)
    assert not spec.same_sources(None, {"model": None})
    assert not spec.same_sources(old, None)
    assert spec.same_sources(None, None)


def test_the_place_of_the_hubs_cache_is_the_one_huggingface_hub_has(folder: Path) -> None:
    script = "from huggingface_hub import constants; from snow import hub; assert str(hub._cache()) == constants.HF_HUB_CACHE"
    unset = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME")}
    for given in ({}, {"HF_HOME": "~/h"}, {"XDG_CACHE_HOME": "/x"}, {"HUGGINGFACE_HUB_CACHE": "/y"}, {"HF_HUB_CACHE": "$HOME/z"}):
        subprocess.run([sys.executable, "-c", script], env=unset | given, check=True)


def test_commits_are_found_without_imports_and_outside_the_code_digest() -> None:
    script = "import sys, snow.references; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"huggingface_hub", "transformers", "requests"} & set(loaded)
    for stage in STAGES.values():
        assert not {"snow.references", "snow.environments", "snow.own_code"} & set(source_code.closure(stage.module)), stage.name


def run(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`snow tokenizer` by hand, in the environment the stage has."""
    words = "-m snow tokenizer bpe --output tokenizer out/tok --output receipt out/receipt.json"
    unset = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "SNOW_", "TRANSFORMERS_"))}
    environment = unset | {"HF_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)} | variables
    python = ROOT / ".envs/base/bin/python"
    return subprocess.run([python, *words.split()], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300)


def told(folder: Path) -> Any:
    return json.loads((folder / "out/receipt.json").read_text())["spec"]["sources"]["pretrained"]


def pretrained(folder: Path, text: str) -> Path:
    """A small tokenizer that transformers loads."""
    tokenizers.save(tokenizers.train([text] * 20, 300, SPECIAL), SPECIAL, folder)
    return folder


def write_params(folder: Path, **changes: Any) -> None:
    (folder / ".dvc").mkdir(exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params(**changes).model_dump(mode="json")))


def test_another_tokenizer_in_the_same_folder_is_executed_and_the_old_one_restored(folder: Path) -> None:
    place = folder / "a tokenizer"
    pretrained(place, "one two three")
    write_params(folder, **{"tokenizers.bpe.pretrained": str(place)})
    assert run(folder).returncode == 0
    first, known = (folder / "out/tok/tokenizer.json").read_bytes(), told(folder)
    assert "restored" in run(folder).stderr
    shutil.move(place, folder / "kept")
    pretrained(place, "eins zwei drei")
    done = run(folder)
    assert done.returncode == 0, done.stderr
    assert "restored" not in done.stderr
    assert (folder / "out/tok/tokenizer.json").read_bytes() != first
    assert told(folder) != known
    shutil.rmtree(place)
    shutil.move(folder / "kept", place)
    assert "restored" in run(folder).stderr
    assert (folder / "out/tok/tokenizer.json").read_bytes() == first


def test_a_job_records_the_commit_of_a_hub_name_and_loads_that_one(folder: Path) -> None:
    write_params(folder, **{"tokenizers.bpe.pretrained": "team/tok"})
    with serving("team/tok") as server:
        server.commits = {ONE: pretrained(folder / "c1", "one two three"), TWO: pretrained(folder / "c2", "eins zwei drei")}
        server.branches["main"] = ONE
        online = {"HF_ENDPOINT": server.url}
        done = run(folder, **online)
        assert done.returncode == 0, done.stderr
        assert told(folder) == ONE
        first = (folder / "out/tok/tokenizer.json").read_bytes()
        assert server.asked
        assert not [path for path in server.asked if "/resolve/" in path and f"/resolve/{ONE}/" not in path]
        assert "restored" in run(folder, **online).stderr

        server.branches["main"] = TWO
        assert run(folder, **online).returncode == 0
        assert told(folder) == TWO
        assert (folder / "out/tok/tokenizer.json").read_bytes() != first

        keep(folder / "home/hub", "models--team--tok", "main", ONE)
        before = len(server.asked)
        assert "restored" in run(folder, **online).stderr, "what this machine has is not asked for"
        assert len(server.asked) == before
        assert told(folder) == ONE

        write_params(folder, **{"tokenizers.bpe.pretrained": "team/nothing"})
        refused = run(folder, **online)
        assert refused.returncode == 2
        assert "snow tokenizer: team/nothing is no file here, and the hub does not say" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert sources("tokenizer", **{"tokenizers.bpe.pretrained": "team/tok"}) == {"pretrained": None}, "the main process asks nobody"
    write_params(folder, **{"tokenizers.bpe.pretrained": "team/tok", "tokenizers.bpe.revision": TWO})
    shutil.rmtree(folder / "out")
    offline = run(folder, HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stderr
    assert told(folder) == TWO
