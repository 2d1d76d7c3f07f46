"""`snow evaluate`: a model from the hub, with nothing of a recipe but its params, judged in a folder of its own, once."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from snow.errors import SnowError
from snow.evaluate import anywhere
from tests.conftest import ROOT
from tests.evaluate import peers
from tests.hub_server import serving
from tests.stage_runs import params

ONE = "1" * 40


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params and a cache, and no recipe that was ever run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    shown = params({"evaluation.completion.max_new_tokens": 8, "evaluation.bits.max_tokens": 1000}).model_dump(mode="json")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(shown))
    return tmp_path


def evaluate(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    unset = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "SNOW_", "TRANSFORMERS_"))}
    environment = unset | {"HF_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)} | variables
    command = [ROOT / ".envs/base/bin/python", "-m", "snow", "evaluate", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_a_model_of_the_hub_is_judged_once(project: Path) -> None:
    words = ("team/peer@main", "--suites", "humaneval", "--limit", "3")
    with serving("team/peer") as server:
        server.commits, server.branches["main"] = {ONE: peers.starcoder(project / "published")}, ONE
        done = evaluate(project, *words, HF_ENDPOINT=server.url)
    assert done.returncode == 0, done.stderr
    assert "humaneval: 3 prompts, 1.19 kB, at most 24 new tokens; bits per byte of 164 solutions" in done.stdout
    assert re.search(r"humaneval +base +0\.0% +0\.0% to 56\.1% +0 +3 ", done.stdout)
    assert "Only the first 3 tasks" in done.stdout
    folder = project / "evaluations/team-peer-main"
    assert len((folder / "eval/team-peer-main/humaneval/verdicts.jsonl").read_text().splitlines()) == 3
    told = json.loads((folder / "receipts/obtain/team-peer-main.json").read_text())
    assert told["spec"]["sources"] == {"pretrained": ONE}
    assert not [path for path in ("models", "eval", "suites", "receipts") if (project / path).exists()]

    again = evaluate(project, *words, HF_HUB_OFFLINE="1")
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout
    assert again.stderr.count("is there already") == 5, again.stderr
    more = evaluate(project, *words[:-1], "4", HF_HUB_OFFLINE="1")
    assert more.returncode == 0, more.stderr
    assert more.stderr.count("is there already") == 3, "suite, model and bits"
    assert "0        4" in more.stdout


def test_what_cannot_begin_is_one_sentence(project: Path) -> None:
    refused = evaluate(project, "team/peer", "--limit", "3", HF_ENDPOINT="http://127.0.0.1:9")
    assert refused.returncode == 2
    assert "team/peer is no file here, and the hub does not say which commit its revision main is" in refused.stderr
    assert "Traceback" not in refused.stderr
    given = params({})
    with pytest.raises(SnowError, match=r"there is no suite 'words' under evaluation\.suites; it has humaneval"):
        anywhere.prepare(given, "team/peer", ["words"], None, None)
    with pytest.raises(SnowError, match="models/phase1 is not made yet; make it with `snakemake models-phase1`"):
        anywhere.prepare(given, "phase1", None, None, None)
    with pytest.raises(SnowError, match=r"evaluation\.completion\.limit: Input should be greater than 0"):
        anywhere.prepare(given, "team/other", None, None, 0)
    assert not (project / "evaluations/team-other").exists()


def test_a_model_of_the_recipe_is_read_where_it_lies(project: Path) -> None:
    (project / "models/phase1").mkdir(parents=True)
    (project / "elsewhere/phase1").mkdir(parents=True)
    own = anywhere.prepare(params({}), "phase1", None, Path("out"), None)
    assert own.place("models/phase1") == Path("models/phase1")
    assert own.place("eval/phase1/bits.json") == Path("out/eval/phase1/bits.json")
    other = anywhere.prepare(params({}), "elsewhere/phase1", None, None, None)
    assert (other.name, other.own) == ("other-phase1", False), "a folder that has an arm's name is none of the recipe's"
    assert other.params.evaluation.compare_with["other-phase1"].pretrained == "elsewhere/phase1"
