"""Which environment a job needs is known before it begins, and how to install it."""

import sys
from pathlib import Path

import pytest

from snow import environments
from snow.errors import SnowError


def test_what_is_not_installed_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for env in ("base", "torch"):
        (tmp_path / f".envs/{env}/bin").mkdir(parents=True)
        (tmp_path / f".envs/{env}/bin/python").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".envs/base"))
    environments.require(["base", "torch"])
    assert environments.python_of("torch") == tmp_path / ".envs/torch/bin/python"
    with pytest.raises(SnowError, match=r"no environment eval and no bigcodebench in .*; run `make envs \.envs/bigcodebench/\.done`"):
        environments.require(["base", "eval", "bigcodebench"])
    with pytest.raises(SnowError, match="run `make envs`"):
        environments.python_of("eval")


def test_an_environment_of_the_users_own_is_left_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    environments.require(["bigcodebench"])
    assert environments.python_of("bigcodebench") is None
