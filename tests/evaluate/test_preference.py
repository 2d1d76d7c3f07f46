"""A model that knows nothing finds the right solution among broken ones half of the time, one that knows them always."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from snow.errors import SnowError
from snow.evaluate.mutants import exchanges
from snow.suites.tasks import Task
from snow.tokens import tokenizer as tokens
from tests.evaluate.models import memorise
from tests.stage_runs import run
from tests.tokens.token_jobs import SPECIAL

VOCABULARY = 400


@pytest.fixture(scope="module")
def mutants(tasks: list[Task], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four exchanges of every task of HumanEval, not judged: whether they fail is nothing that a model is asked."""
    path, drawn = tmp_path_factory.mktemp("mutants") / "humaneval.jsonl", {task.task_id: [*islice(exchanges(task, 0), 4)] for task in tasks}
    rows = [{"task_id": of, "broken": [mutant._asdict() for mutant in some]} for of, some in drawn.items() if some]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def untrained(tasks: list[Task], folder: Path) -> LlamaForCausalLM:
    """A tiny model with random weights; its tokenizer is in the folder."""
    tokens.save(tokens.train((task.prompt + task.solution for task in tasks), VOCABULARY, SPECIAL), SPECIAL, folder)
    torch.manual_seed(0)
    layers: dict[str, Any] = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 32, "max_position_embeddings": 1024}
    return LlamaForCausalLM(LlamaConfig(**sizes, **layers, initializer_range=0.3, tie_word_embeddings=False, bos_token_id=None))


def told(folder: Path, model: Path, suite: Path, mutants: Path, **changes: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """(rows, facts)."""
    output = folder / "preference.jsonl"
    inputs = {"model": model, "suite": suite, "mutants": mutants}
    facts = run("preference", "phase1/humaneval", folder, inputs, {"preference": output}, changes)
    return [json.loads(line) for line in output.read_text().splitlines()], facts


def test_a_random_model_is_right_about_half_of_the_pairs(tasks: list[Task], humaneval: Path, mutants: Path, tmp_path: Path) -> None:
    untrained(tasks, tmp_path).save_pretrained(tmp_path)
    rows, facts = told(tmp_path, tmp_path, humaneval, mutants)
    assert facts["tasks"] == len(rows) > 130
    assert facts["pairs"] == sum(len(row["broken"]) for row in rows) > 450
    assert facts["ties"] < 10
    assert 0.43 < facts["value"] < 0.57
    assert facts["low"] < 0.5 < facts["high"]


def test_a_model_that_knows_how_often_each_token_occurs_is_right_about_half(
    tasks: list[Task], humaneval: Path, mutants: Path, tmp_path: Path
) -> None:
    """Such a model sees the same tokens in both: all pairs are ties."""
    model = untrained(tasks, tmp_path)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    ids = torch.tensor([id for task in tasks for id in tokenizer.encode(task.solution)])
    counts = torch.bincount(ids, minlength=VOCABULARY) + 0.1
    with torch.no_grad():  # every token is the same to it, so that what it says next never changes
        model.model.embed_tokens.weight[:] = torch.ones(32)
        state = model.model(input_ids=torch.zeros(1, 1, dtype=torch.int64)).last_hidden_state[0, 0]
        model.lm_head.weight[:] = counts.log()[:, None] * state / state.dot(state)
    model.save_pretrained(tmp_path)
    _, facts = told(tmp_path, tmp_path, humaneval, mutants)
    assert facts["pairs"] > 450
    assert facts["ties"] >= facts["pairs"] - 2, "sums in another order may differ in their last bit"
    assert facts["value"] == pytest.approx(0.5, abs=0.005)


@pytest.fixture(scope="module")
def learned(tasks: list[Task], tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Task], Path]:
    """Ten short tasks, and a model that knows their solutions by heart."""
    short = sorted((task for task in tasks if [*islice(exchanges(task, 0), 1)]), key=lambda task: len(task.prompt + task.solution))[:10]
    return short, memorise([task.prompt + task.solution for task in short], tmp_path_factory.mktemp("model"))


def test_a_model_that_knows_the_solutions_prefers_them(
    learned: tuple[list[Task], Path], humaneval: Path, mutants: Path, tmp_path: Path
) -> None:
    short, model = learned
    known = {task.task_id for task in short}
    chosen = tmp_path / "mutants.jsonl"
    chosen.write_text("".join(f"{line}\n" for line in mutants.read_text().splitlines() if json.loads(line)["task_id"] in known))
    rows, facts = told(tmp_path, model, humaneval, chosen)
    assert {row["task_id"] for row in rows} == known
    assert facts["value"] > 0.9
    assert facts["low"] > 0.5
    for row in rows:
        less = [row["right"] > each for each in row["broken"]]
        assert row["preferred"] == sum(less) / len(less)


def test_batches_change_nothing(learned: tuple[list[Task], Path], humaneval: Path, mutants: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text("".join(line + "\n" for line in mutants.read_text().splitlines()[:8]))
    read = [told(tmp_path / f"{size}", learned[1], humaneval, few, **{"evaluation.preference.batch_size": size})[0] for size in (1, 7)]
    for one, other in zip(*read, strict=True):
        assert one["preferred"] == other["preferred"]
        assert one["broken"] == pytest.approx(other["broken"], abs=2e-3)


def test_equals_are_ties_and_a_suite_without_mutants_has_no_value(
    learned: tuple[list[Task], Path], humaneval: Path, tasks: list[Task], tmp_path: Path
) -> None:
    same = [{"solution": tasks[0].solution}, {"solution": "    ß" + tasks[0].solution}]
    (tmp_path / "same.jsonl").write_text(json.dumps({"task_id": tasks[0].task_id, "broken": same}) + "\n")
    [row], facts = told(tmp_path, learned[1], humaneval, tmp_path / "same.jsonl")
    assert (row["preferred"], facts["ties"], facts["pairs"]) == (0.75, 1, 2)
    (tmp_path / "none.jsonl").write_text("")
    rows, facts = told(tmp_path, learned[1], humaneval, tmp_path / "none.jsonl")
    assert (rows, facts) == ([], {"value": None, "low": None, "high": None, "tasks": 0, "pairs": 0, "ties": 0})


def test_mutants_of_another_suite_and_windows_beyond_the_model_are_refused(
    learned: tuple[list[Task], Path], humaneval: Path, mutants: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.jsonl").write_text('{"task_id": "Mbpp/2", "broken": [{"solution": ""}]}\n')
    with pytest.raises(SnowError, match=r"other\.jsonl, row 1: no mutants of a task of this suite \(KeyError\('Mbpp/2'\)\)"):
        told(tmp_path, learned[1], humaneval, tmp_path / "other.jsonl")
    with pytest.raises(SnowError, match="exceeds the model's 1024 positions"):
        told(tmp_path, learned[1], humaneval, mutants, **{"evaluation.bits.sequence_length": 2048})
