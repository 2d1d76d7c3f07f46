"""`snow check`: the Snakemake rules say what `snow.jobs` says, and dvc.yaml is what params.yaml and the code make it.

The rules are asked through Snakemake itself: a forced dry run prints every job's command.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable

from snow import cli, stages
from snow.caching import pipeline
from snow.errors import SnowError
from snow.graph import Graph
from snow.params import Params

Asked = tuple[dict[str, tuple[str, ...]], dict[str, str]]  # inputs by name, outputs by name


def commands(graph: Graph) -> dict[str, Asked]:
    """What the rules ask `snow` for, by `stage instance`: every `snow` command line of `snakemake --forceall --dry-run all`."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--printshellcmds", "--forceall", "--", "all"]
    quiet = os.environ | {"HF_HUB_OFFLINE": "1"}  # what these jobs need is nobody's question here
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SnowError(f"the rules do not build a graph: {done.stderr.strip().splitlines()[-1]}")
    asked = {}
    for line in re.findall(rf"(?m)^Shell command: (snow (?:{'|'.join(graph.instances)}) .+)$", done.stdout + done.stderr):
        words = shlex.split(line.partition(" > ")[0])[1:]
        options = cli.parser().parse_args(words)
        inputs = {name: tuple(map(str, paths)) for name, paths in cli.inputs_of(options).items()}
        asked[f"{options.command} {options.instance}"] = (inputs, dict(options.output))
    return asked


def findings(graph: Graph) -> Iterable[str]:
    """One sentence per rule's command line that is not the job the graph has."""
    asked = commands(graph)
    for job in graph.jobs:
        outputs = {**job.outputs, "receipt": job.receipt}
        inputs, made = asked.get(job.name, ({}, {}))
        if not made:
            yield f"rules/: no rule makes {job.name}, which snow/jobs.py lists"
        elif made != outputs:
            yield f"rules/: {job.name} writes {made}; snow/jobs.py says {outputs}"
        for name in sorted({*inputs, *job.inputs}):
            if inputs.get(name, ()) != job.inputs.get(name, ()):
                yield f"rules/: {job.name} reads --input {name} {inputs.get(name, ())}; snow/jobs.py says {job.inputs.get(name, ())}"
    yield from (f"rules/: {name} is no job of snow/jobs.py" for name in asked if name not in graph.by_name)


def run(params: Params, rewrite: bool) -> int:
    """Print the findings; 0 when there are none."""
    wanted = pipeline.text()
    if rewrite:
        pipeline.write(wanted)
    told = list(findings(stages.graph(params)))
    if not pipeline.agrees(wanted):
        told.append("dvc.yaml: it is not what params.yaml and the code say; run `snow check --fix` and commit it")
    print("\n".join(told) if told else "dvc.yaml and the rules agree")
    return 1 if told else 0
