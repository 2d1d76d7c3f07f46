"""The toy recipe's stages, in the form of the real table."""

from __future__ import annotations

from dataclasses import dataclass

from snow.errors import SnowError


@dataclass(frozen=True)
class Stage:
    """One kind of job; the fields mean what they mean in the real recipe."""

    name: str
    module: str
    params: tuple[str, ...] = ()
    unkeyed: tuple[str, ...] = ()
    fingerprint: str | None = None
    packages: tuple[str, ...] = ()
    env: str = "base"
    distributed: bool = False

    def reads(self, instance: str) -> tuple[str, ...]:
        """The params keys one job of this stage reads."""
        return tuple(key.format(instance=instance.split("/")[0]) for key in self.params)


_STAGES = (
    Stage("gather", "snow.toy.gather", ("shards", "sources"), fingerprint="snow.toy.fingerprint"),
    Stage("shape", "snow.toy.shape", ("shape",)),
    Stage("merge", "snow.toy.merge"),
    Stage("suite", "snow.toy.suite", ("suites.{instance}",)),
    Stage("screen", "snow.toy.screen", ("screen",)),
    Stage("train", "snow.toy.train", ("train.{instance}",)),
    Stage("judge", "snow.toy.judge", ("judge",), unkeyed=("judge.processes",)),
    Stage("report", "snow.toy.report", ("report",)),
)
STAGES = {stage.name: stage for stage in _STAGES}


def stage(name: str) -> Stage:
    """The stage of that name; an unknown one is an error that lists the known."""
    if name not in STAGES:
        raise SnowError(f"there is no stage {name!r}; the stages are {', '.join(STAGES)}")
    return STAGES[name]
