"""What a stage's code says it reads of params.yaml is what its rows give it, and what its jobs' keys are made of."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from snow import params as settings
from snow.graph import Job
from snow.reserved import SCRATCH
from snow.stages import STAGES
from tests import stage_runs

ROOT = Path(__file__).parent.parent


@cache
def pocket() -> settings.Params:
    """The pocket run's params, and a model of others and redaction, so that every stage has jobs."""
    markers = dict.fromkeys(("email", "ip_address", "key", "password"), "<GONE>")
    return stage_runs.params({"evaluation.compare_with": {"peer": {"pretrained": "team/peer"}}, "redaction": markers})


@cache
def jobs(name: str) -> list[Job]:
    """Every job of a stage."""
    return list(STAGES[name].jobs(pocket()))


def module_of(name: str) -> ast.Module:
    return ast.parse((ROOT / f"{STAGES[name].module.replace('.', '/')}.py").read_text())


def declared(module: ast.Module) -> set[str] | None:
    """The names annotated in the module's `Params`, None where there is none."""
    found = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Params"]
    if not found:
        return None
    [protocol] = found
    assert [ast.unparse(base) for base in protocol.bases] == ["Protocol"]
    return {node.target.id for node in protocol.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}


def taken(module: ast.Module) -> str:
    """The type of what the module's `run` takes."""
    [run] = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "run"]
    [argument] = run.args.args
    assert argument.annotation is not None
    return ast.unparse(argument.annotation)


@pytest.mark.parametrize("name", STAGES)
def test_a_module_declares_exactly_the_params_of_its_rows(name: str) -> None:
    module = module_of(name)
    names = declared(module)
    assert taken(module) == ("Job[None]" if names is None else "Job[Params]")
    assert names != set(), "a stage that reads no params has no Params"
    assert jobs(name)
    for job in jobs(name):
        assert job.stage == name
        scratch = name != "pretrain" or pocket().models[job.instance].begin_from == SCRATCH  # others have the architecture of their start
        assert job.params.keys() == (names or set()) - (set() if scratch else {"architecture"}), job.name


@pytest.mark.parametrize("name", STAGES)
def test_what_stays_out_of_a_key_is_a_param_of_its_rows(name: str) -> None:
    params, stage = pocket(), STAGES[name]
    for job in jobs(name):
        whole = settings.subset(params, job.params.values())
        left = settings.subset(params, job.params.values(), stage.unkeyed_of(job))
        assert left.keys() <= whole.keys()
        assert (whole != left) == bool(stage.unkeyed), job.name
