"""What a stage's row gives is what its module says it reads, and its jobs' own names are the instances that find them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from snow import params as settings
from snow.stages import STAGES, stage

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def params() -> settings.Params:
    return settings.load(ROOT / "params.yaml")


def declared(module: ast.Module) -> set[str]:
    """The names annotated in a module's Protocol `Params`; none where it has no such class."""
    classes = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Params"]
    return {
        line.target.id for each in classes for line in each.body if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    }


@pytest.mark.parametrize("name", STAGES)
def test_the_protocol_of_a_module_has_the_names_of_its_rows(name: str, params: settings.Params) -> None:
    module = ast.parse((ROOT / (STAGES[name].module.replace(".", "/") + ".py")).read_text())
    (run,) = (node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "run")
    (job,) = run.args.args
    jobs = list(STAGES[name].jobs(params))
    assert jobs
    for each in jobs:
        assert set(each.params) == declared(module), each.name
    assert job.annotation is not None
    assert ast.unparse(job.annotation) == ("Job[Params]" if jobs[0].params else "Job[None]")


@pytest.mark.parametrize("name", STAGES)
def test_every_param_of_a_row_is_there(name: str, params: settings.Params) -> None:
    for job in STAGES[name].jobs(params):
        assert job.stage == name
        assert stage(name).job(params, job.instance) == job
        assert set(vars(settings.view(params, job.params))) == set(job.params)
        settings.subset(params, job.params.values(), stage(name).unkeyed_of(job))  # raises for a key that is not there
