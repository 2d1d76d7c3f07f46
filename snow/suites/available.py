"""A suite's data, looked at before a run's first job: it is there, is the pinned one, and has tasks that decontamination can find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snow import environments
from snow.corpus import benchmarks
from snow.suites import fetch
from snow.suites.tasks import tasks_of

if TYPE_CHECKING:
    from snow.params import Params


def check(params: Params, instance: str, env: str) -> None:
    """SnowError, one sentence that names the suite, when its job or the decontamination against it would end in one."""
    key = f"evaluation.suites.{instance}"
    data = fetch.content(params.evaluation.suites[instance], key, environments.site_packages(env))
    benchmarks.index({instance: tasks_of(data, f"{key}.data")}, params.decontamination)
