"""A training step and packing beside their plain forms, in one run: `python bench/pretrain.py [--check] [--paper]`.

Training: our DeepSpeed step against a hand-written PyTorch loop over the same model, batches and precision. Packing:
`snow.tokens.segments` against Hugging Face `datasets` mapping the same tokenizer over the same files. Rounds alternate, so
that both meet the same machine, and the best counts: per CPU second with one thread, or per second of a GPU. `--paper` takes
the 1.3B model of scales/paper.yaml, for a GPU. `--check` exits with status 1 when a ratio is below bench/floors.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
import torch
import torch.nn.functional as F
import yaml
from transformers import AutoTokenizer, LlamaForCausalLM

from snow import overlay
from snow import params as settings
from snow.arms import Model
from snow.pretrain import engine, kernels, loss, micro_batch, model
from snow.schema import Params
from snow.tokens import segments, vocabulary

ROOT = Path(__file__).parents[1]
SPECIAL = ("<|endoftext|>", "<repo_name>", "<file_sep>")
UNITS = {"training": "tokens/s", "packing": "MB/s"}
CLOCK = time.perf_counter if torch.cuda.is_available() else time.process_time


def scale(paper: bool) -> Params:
    """The pocket run's params, or the paper's laid over them."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    if paper:
        values = overlay.merged(values, yaml.safe_load((ROOT / "scales" / "paper.yaml").read_text()))
    return settings.check(values, "bench")


def deepspeed_step(network: LlamaForCausalLM, phase: Model, worker: engine.Worker) -> Callable[[torch.Tensor], torch.Tensor]:
    """Our optimizer step on one batch: int64 [batch_size, sequence_length + 1]."""
    micro = micro_batch.first(phase, worker)
    running = engine.start(network, phase, micro, worker)

    def step(rows: torch.Tensor) -> float:
        mean = torch.zeros(())
        for part in rows.split(micro):
            mean = loss.Objective().mean(running, part)
            running.backward(mean)
            running.step()
        return mean.detach()

    return step


def plain_step(network: LlamaForCausalLM, phase: Model, worker: engine.Worker) -> Callable[[torch.Tensor], torch.Tensor]:
    """The same step by hand with the same kernels: float32 AdamW over the weights, or over float32 copies of bf16 weights."""
    half = phase.engine.precision == "bf16"
    network.to(worker.device)
    masters = [weight.detach().clone().requires_grad_() for weight in network.parameters()] if half else list(network.parameters())
    network.to(model.DTYPES[phase.engine.precision])
    kernels.install(network, phase.engine, worker.device)
    weights = list(network.parameters())
    fused = worker.device.type == "cuda"
    betas = (phase.beta1, phase.beta2)
    optimizer = torch.optim.AdamW(masters, phase.schedule.max_lr, betas, weight_decay=phase.weight_decay, fused=fused)
    micro = micro_batch.first(phase, worker)

    def step(rows: torch.Tensor) -> torch.Tensor:
        parts, total = rows.split(micro), torch.zeros((), device=worker.device)
        for part in parts:
            if kernels.fused(network):
                mean = network(input_ids=part[:, :-1], shift_labels=part[:, 1:].contiguous(), use_cache=False, return_dict=True).loss
            else:
                logits = network(input_ids=part[:, :-1], use_cache=False).logits
                mean = F.cross_entropy(logits.float().flatten(0, 1), part[:, 1:].flatten())
            (mean / len(parts)).backward()
            total += mean.detach() / len(parts)
            if half:
                _gather(masters, weights)
        torch.nn.utils.clip_grad_norm_(masters, phase.gradient_clip, foreach=True)
        optimizer.step()
        optimizer.zero_grad()
        if half:
            with torch.no_grad():
                torch._foreach_copy_(weights, masters)
        return total

    return step


def _gather(masters: list[torch.Tensor], weights: list[Any]) -> None:
    """Add the weights' gradients to those of their float32 copies."""
    gradients = [weight.grad for weight in weights]
    if masters[0].grad is None:
        for master, gradient in zip(masters, gradients, strict=True):
            master.grad = gradient.float()
    else:
        torch._foreach_add_([master.grad for master in masters], gradients)
    for weight in weights:
        weight.grad = None


def race(contestants: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The best rate of each over alternating rounds; a contestant returns work per second of one round."""
    best = dict.fromkeys(contestants, 0.0)
    for _ in range(rounds):
        for name, contestant in contestants.items():
            best[name] = max(best[name], contestant())
    return best


def training_rates(paper: bool, batch_size: int | None, micro: int | None, rounds: int) -> dict[str, float]:
    """Tokens per second of both steps."""
    params = scale(paper)
    phase = params.models["phase1"]
    changes = {"batch_size": batch_size or phase.batch_size, "micro_batch_size": micro or phase.micro_batch_size}
    phase = phase.model_copy(update=changes)
    worker = engine.join(threads=1)
    wanted = model.config(params.architecture, params.tokenizers["bpe"].vocab_size, 0)
    random = np.random.default_rng(0)
    rows = torch.from_numpy(random.integers(0, wanted.vocab_size, (phase.batch_size, phase.sequence_length + 1))).to(worker.device)

    def timed(step: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[], float]:
        step(rows)  # warm

        def contestant() -> float:
            began = CLOCK()
            for _ in range(3):
                float(step(rows))
            return 3 * phase.batch_size * phase.sequence_length / (CLOCK() - began)

        return contestant

    makers = {"snow": deepspeed_step, "plain PyTorch": plain_step}
    return race({name: timed(make(model.fresh(wanted, 0), phase, worker)) for name, make in makers.items()}, rounds)


def packing_rates(megabytes: float, rounds: int) -> dict[str, float]:
    """Megabytes of source code tokenized per second, from strings to token arrays, by both."""
    import datasets

    from snow.tokens import tokenizer as training

    datasets.disable_progress_bars()
    datasets.disable_caching()
    texts, size = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if size < megabytes * 1e6 and "lib2to3" not in path.parts and "test" not in path.parts:
            text = path.read_text(errors="replace")
            texts.append(text)
            size += len(text.encode())
    with tempfile.TemporaryDirectory() as name:
        training.save(training.train(texts[:300], 4096, SPECIAL), SPECIAL, Path(name))
        backend, wrapped = vocabulary.load(Path(name)), AutoTokenizer.from_pretrained(name)
    write = segments.writer(backend, segments.Layout(False, 0.0, 0.0, 0, vocabulary.token_id(backend, SPECIAL[0])))
    table = datasets.Dataset.from_dict({"content": texts})

    def ours() -> float:
        began = CLOCK()
        tokens = sum(len(array) for array in segments.encode((write("", "", "", text) for text in texts), backend, np.dtype("<u2")))
        assert tokens
        return size / 1e6 / (CLOCK() - began)

    def theirs() -> float:
        began = CLOCK()
        table.map(lambda batch: {"ids": wrapped(batch["content"])["input_ids"]}, batched=True, remove_columns=["content"])
        return size / 1e6 / (CLOCK() - began)

    return race({"snow": ours, "datasets.map": theirs}, rounds)


def main() -> int:
    """Print both contests; with --check, 1 when a ratio is below its floor."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("contests", nargs="*", default=list(UNITS), metavar="CONTEST", help=" or ".join(UNITS))
    arguments.add_argument("--check", action="store_true")
    arguments.add_argument("--paper", action="store_true")
    arguments.add_argument("--batch", type=int)
    arguments.add_argument("--micro", type=int)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--megabytes", type=float, default=8.0)
    given = arguments.parse_args()
    contests = {
        "training": lambda: training_rates(given.paper, given.batch, given.micro, given.rounds),
        "packing": lambda: packing_rates(given.megabytes, given.rounds),
    }
    floors = json.loads((ROOT / "bench" / "floors.json").read_text())["pretrain"]
    failed = False
    for name in given.contests:
        rates = contests[name]()
        ours, *others = rates.values()
        ratio = ours / max(others)
        failed |= ratio < floors[name]
        listed = ", ".join(f"{who} {rate:,.1f}" for who, rate in rates.items())
        print(f"{name}, {UNITS[name]}: {listed}; ratio {ratio:.2f}, floor {floors[name]}")
    return int(failed and given.check)


if __name__ == "__main__":
    raise SystemExit(main())
