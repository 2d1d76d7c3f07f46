"""At a thousand shards no command is longer than a person can look at, or a shell can take; what is many stands in a file."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from snow import cli
from snow import params as settings
from snow.overlay import merged
from snow.stages import STAGES, graph

from . import workspace

LONGEST = 1_500  # characters, at any number of shards; 20 kB are too many
OVERLAY = {
    "redaction": dict.fromkeys(("email", "ip_address", "key", "password"), "<GONE>"),
    "synthetic": {"inspired": {"shards": 20}},
    "models": {"mixed": {"like": "phase2", "train_on": {"best": 0.8, "synthetic": 0.2}}},
    "evaluation": {"compare_with": {"peer": {"pretrained": "team/peer"}}},
}


@pytest.mark.parametrize("shards", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_shell_line_is_long_and_each_means_its_jobs_files(shards: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, overlay = workspace.create(tmp_path / "clone"), OVERLAY | {"shards": shards}
    (clone.path / "many.yaml").write_text(yaml.safe_dump(overlay))
    done = clone.snakemake("-n", "-p", "--configfile", "many.yaml", "--", "all")
    lines = re.findall(r"(?m)^Shell command: (snow .+)$", done.stdout)
    assert max(map(len, lines)) < LONGEST
    monkeypatch.chdir(clone.path)
    jobs = graph(settings.check(merged(clone.params(), overlay), "many.yaml")).by_name
    parser, seen = cli.parser(), set()
    for line in lines:
        options = parser.parse_args(shlex.split(line.partition(" > ")[0])[1:])
        name = f"{options.command} {options.instance}"
        given = {key: tuple(map(str, paths)) for key, paths in cli.inputs_of(options).items()}
        assert given == {key: paths for key, paths in jobs[name].inputs.items() if paths}, name
        seen.add(name)
    assert seen == set(jobs)
    assert {name.partition(" ")[0] for name in seen} == set(STAGES)
