"""The toy recipe is one the machinery takes for its own."""

from __future__ import annotations

from .ground import Ground


def test_its_graph_its_rules_and_its_dvc_yaml_agree(ground: Ground) -> None:
    done = ground.commands.run("snow", "check", cwd=ground.finished / "work")
    assert done.status == 0, done.output
