"""The toy recipe is one the machinery takes for its own, and its copy of the rules' common part is the real one's."""

from __future__ import annotations

import re

from ..conftest import ROOT
from .ground import Ground


def test_its_graph_its_rules_and_its_dvc_yaml_agree(ground: Ground) -> None:
    done = ground.commands.run("snow", "check", cwd=ground.finished / "work")
    assert done.status == 0, done.output


def test_what_the_rules_start_with_is_the_real_ones() -> None:
    real, toy = ((ROOT / folder / "rules/common.smk").read_text() for folder in ("", "tests/model/project"))
    wanted = r"(?ms)\A.*?^# Thousands|^try:.*?^GRAPH = .*?\n|^growing = .*?^wildcard_constraints"
    blocks = [re.findall(wanted, text) for text in (real, toy)]
    assert blocks[0] == blocks[1]
    assert len(blocks[0]) == 3
