"""A training step on one GPU with every way to make it faster, beside plain PyTorch loops: `python bench/gpu.py [SHAPE ...]`.

SHAPE is paper (1.36B parameters at sequences of 8192), evening (98M at 2048, the model of scales/small.yaml) or small (34M at 1024, 32
sequences a step). The plain loop is what one writes by hand: the same network and kernels, fused AdamW over float32 copies of bf16
weights, clipping. Each contestant is built, warmed up, timed over whole steps between two waits for the device, and gone before the next.
The text is this Python's standard library, a byte a token. `--curves` prints the loss of 50 steps with each setting beside torch's,
`--profile` where the time of a step goes, `--before FOLDER` the whole trainer of another checkout beside this one's, each in a process of
its own, as `--trainer small liger auto` runs it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

sys.path.insert(0, os.environ.get("SNOW_TREE", str(Path(__file__).parents[1])))
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama import modeling_llama

from snow.arms import Model
from snow.pretrain import engine

PEAK = 989e12  # bf16 FLOP/s of an H100 SXM, H200 the same (NVIDIA's data sheet, without sparsity)
SHAPES = {
    "evening": (
        {"vocab_size": 16384, "hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 12},
        2048,
        128,
    ),
    "paper": (
        {"vocab_size": 64000, "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 24, "num_attention_heads": 16},
        8192,
        8,
    ),
    "small": (
        {"vocab_size": 16384, "hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8, "num_attention_heads": 8},
        1024,
        32,
    ),
}
ORIGINAL = {name: getattr(modeling_llama, name) for name in ("apply_rotary_pos_emb", "LlamaRMSNorm", "LlamaMLP")}
PLAIN = {"kernels": "torch", "compile": False, "activation_checkpointing": "none"}
WAYS = {
    "torch": PLAIN,
    "liger": PLAIN | {"kernels": "liger"},
    "compile": PLAIN | {"compile": True},
    "liger, compile": PLAIN | {"kernels": "liger", "compile": True},
    "liger, selective": PLAIN | {"kernels": "liger", "activation_checkpointing": "selective"},
    "liger, full": PLAIN | {"kernels": "liger", "activation_checkpointing": "full"},
    "liger, document masks": PLAIN | {"kernels": "liger", "document_masks": True},
    "liger, document masks, flex": PLAIN | {"kernels": "liger", "document_masks": True, "attention": "flex_attention"},
}
BY_HAND = {"torch", "liger", "liger, compile"}  # what the plain loop has
RACES = {
    "evening": [("liger", 16), ("liger, compile", 16)],
    "paper": [
        ("torch", 1),
        ("liger", 1),
        ("liger, selective", 1),
        ("liger", 2),
        ("liger", 4),
        ("liger, document masks", 1),
        ("liger, document masks, flex", 1),
        ("liger, selective", 8),
        ("liger, full", 8),
    ],
    "small": [("torch", 8), ("liger", 8), ("liger", 32), ("liger, compile", 32), ("torch", 32)],
}


def config(shape: str) -> LlamaConfig:
    """The shape's Llama, with tied embeddings as the paper's."""
    values, length, _ = SHAPES[shape]
    return LlamaConfig(
        **values, max_position_embeddings=length, tie_word_embeddings=True, bos_token_id=None, eos_token_id=0, pad_token_id=0
    )


def network(shape: str) -> LlamaForCausalLM:
    """Built on the GPU, where drawing a billion weights takes no time."""
    torch.manual_seed(0)
    with torch.device("cuda"):
        return LlamaForCausalLM(config(shape))


def settings(shape: str, way: dict[str, Any], micro: int | str) -> Model:
    """A model's params."""
    _, length, batch = SHAPES[shape]
    known = {name: value for name, value in way.items() if name in Model.model_fields["engine"].annotation.model_fields}
    values = {
        "begin_from": "scratch",
        "train_on": "corpus",
        "tokens": 120 * batch * length,
        "repetitions": 100,
        "sequence_length": length,
        "batch_size": batch,
        "micro_batch_size": micro,
        "schedule": {"kind": "constant", "warmup_steps": 10, "max_lr": 3e-4, "min_lr": 3e-4},
        "beta1": 0.9,
        "beta2": 0.95,
        "weight_decay": 0.1,
        "weight_decay_on": "matrices",
        "z_loss": 0.0,
        "document_masks": way.get("document_masks", False),
        "gradient_clip": 1.0,
        "engine": {"zero_stage": 1, "precision": "bf16", "offload_optimizer": False, **known},
        "checkpoint_steps": 10**6,
        "validate_steps": 10**6,
        "validate_tokens": length,
        "on_nonfinite": "stop",
        "loss_spike": None,
    }
    return Model.model_validate({name: value for name, value in values.items() if name in Model.model_fields})


def tokens() -> np.ndarray:
    """Bytes of the standard library's code, uint16."""
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    return np.frombuffer(b"\0".join(path.read_bytes() for path in paths), np.uint8).astype(np.uint16)


def batches(shape: str) -> Iterator[torch.Tensor]:
    """Rows of code on the GPU: int64 [batch, length + 1]."""
    _, length, batch = SHAPES[shape]
    text = tokens()
    text = np.tile(text, 1 + batch * (length + 1) // len(text))
    for step in range(10**6):
        starts = (np.arange(step * batch, (step + 1) * batch) * length) % (len(text) - length - 1)
        rows = np.stack([text[start : start + length + 1] for start in starts]).astype(np.int64)
        yield torch.from_numpy(rows).pin_memory().to("cuda", non_blocking=True)


def ours(shape: str, way: dict[str, Any], micro: int, worker: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """The stage's step."""
    from snow.pretrain.loss import Objective
    from snow.pretrain.train import _step

    given = settings(shape, way, micro)
    objective = Objective(0 if given.document_masks else None, given.z_loss)  # tokens() ends a file with a 0
    running = engine.start(network(shape), given, micro, worker)
    if "attention" in way:
        running.module.set_attn_implementation(way["attention"])

    def step(rows: torch.Tensor) -> torch.Tensor:
        return _step(running, objective, rows.split(micro), worker, None)[0]

    return step


def by_hand(shape: str, way: dict[str, Any], micro: int, worker: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """A plain loop with the same kernels."""
    from pretrain import plain_step  # not at the top: an older checkout's trainer is timed by this file too

    return plain_step(network(shape), settings(shape, way, micro), worker)


def measured(shape: str, step: Callable[[torch.Tensor], torch.Tensor], steps: int) -> tuple[float, float]:
    """(tokens per second, peak GB) after a warm-up."""
    _, length, batch = SHAPES[shape]
    rows = batches(shape)
    for _ in range(3):
        step(next(rows))
    made = [next(rows) for _ in range(steps)]
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    begun = time.perf_counter()
    for each in made:
        step(each)
    torch.cuda.synchronize()
    return steps * batch * length / (time.perf_counter() - begun), torch.cuda.max_memory_allocated() / 1e9


def race(shape: str, worker: Any) -> list[dict[str, Any]]:
    """A row for each contestant."""
    wanted, length, _ = SHAPES[shape]
    size = sum(weight.numel() for weight in _meta(shape))
    flop = 6 * size + 12 * wanted["num_hidden_layers"] * wanted["hidden_size"] * length
    found = []
    for name, micro in RACES[shape]:
        for who, make in (("snow", ours), *([("by hand", by_hand)] if name in BY_HAND else [])):
            _forget()
            before = torch.cuda.memory_allocated() / 1e9  # of a contestant that something still holds
            try:
                speed, memory = measured(shape, make(shape, WAYS[name], micro, worker), 40 if shape == "small" else 4)
                memory -= before
                row = {"tokens/s": round(speed), "MFU": round(speed * flop / PEAK, 3), "peak_GB": round(memory, 1)}
            except Exception as error:  # the others are measured
                row = {"error": f"{type(error).__name__}: {error}"[:300]}
            found.append({"shape": shape, "who": who, "kernels": name, "micro": micro, **row})
            print(found[-1], flush=True)
    return found


def _forget() -> None:
    """Nothing of a contestant is left to the next: Liger also changes the classes of transformers."""
    for name, value in ORIGINAL.items():
        setattr(modeling_llama, name, value)
    gc.collect()
    torch.cuda.empty_cache()
    torch._dynamo.reset()


def _meta(shape: str) -> list[torch.Tensor]:
    with torch.device("meta"):
        return list(LlamaForCausalLM(config(shape)).parameters())


def curves(worker: Any) -> list[dict[str, Any]]:
    """How far the loss of 50 steps goes from torch's with each setting."""
    found, reference = [], None
    for name, way in WAYS.items():
        if way.keys() != PLAIN.keys():
            continue  # its loss is another
        _forget()
        step, rows = ours("small", way, 32, worker), batches("small")
        losses = torch.stack([step(next(rows)) for _ in range(50)]).tolist()
        reference = reference or losses
        apart = max(abs(one - other) / other for one, other in zip(losses, reference, strict=True))
        found.append({"kernels": name, "first": losses[0], "last": losses[-1], "largest relative difference": apart})
        print(found[-1], flush=True)
    return found


class Text:
    """Tokens as a training reads them."""

    vocab_size = 16384

    def __init__(self) -> None:
        self.tokens = tokens()

    def __len__(self) -> int:
        return len(self.tokens)

    def read(self, start: int, count: int) -> np.ndarray:
        """int64 [count], around in a circle."""
        return np.take(self.tokens, np.arange(start, start + count), mode="wrap").astype(np.int64)


def trainer(shape: str, way: str, micro: int | str) -> dict[str, Any]:
    """The whole training loop of the checkout that is imported: milliseconds a step, and seconds to the first one."""
    begun = time.perf_counter()
    from snow.pretrain import data, heldout, loss
    from snow.pretrain import train as loop

    worker = engine.join(1)
    text, given = Text(), settings(shape, WAYS[way], micro)
    times: list[float] = []
    original = engine.set_learning_rate
    engine.set_learning_rate = lambda running, rate: (times.append(time.perf_counter()), original(running, rate))[1]
    held = heldout.choose(text, given.sequence_length, given.validate_tokens, np.ones(16384, np.int64))
    with tempfile.TemporaryDirectory() as work:
        values = {
            "name": "phase1",
            "parts": (data.Part("corpus", text, 1.0),),
            "stream": text,
            "heldout": held,
            "settings": given,
            "steps": 120,
        }
        values |= {"seed": 0, "worker": worker, "work": Path(work), "telemetry": None}
        if hasattr(loss, "Objective"):
            values["objective"] = loss.Objective()
        run = loop.Run(**{field.name: values[field.name] for field in fields(loop.Run)})
        with torch.device("cuda"):
            start = LlamaForCausalLM(config(shape))
        loop.train(start, run)
        found = sorted(Path(work).glob("micro_batch.json"))
        chosen = json.loads(found[0].read_text())["micro_batch_size"] if found else micro
    _, length, batch = SHAPES[shape]
    each = (times[110] - times[30]) / 80
    return {
        "shape": shape,
        "kernels": way,
        "micro": chosen,
        "ms": round(1000 * each, 1),
        "tokens/s": round(batch * length / each),
        "first_step_s": round(times[1] - begun, 1),
    }


def profiled(worker: Any) -> None:
    """Print where the GPU's time of a step of the paper's model goes, by kernel."""
    step, rows = ours("paper", WAYS["liger"], 1, worker), batches("paper")
    step(next(rows))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA, torch.profiler.ProfilerActivity.CPU]) as profile:
        step(next(rows))
        torch.cuda.synchronize()
    events = [event for event in profile.key_averages() if event.self_device_time_total > 0 and not event.key.startswith("aten::")]
    for event in sorted(events, key=lambda event: -event.self_device_time_total)[:25]:
        print(f"{event.self_device_time_total / 1000:9.1f} ms {event.count:6} {event.key[:110]}", flush=True)


def main() -> int:
    """Print a JSON object per measurement."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("shapes", nargs="*", choices=[*SHAPES, []])
    arguments.add_argument("--curves", action="store_true")
    arguments.add_argument("--profile", action="store_true")
    arguments.add_argument("--before")
    arguments.add_argument("--trainer", nargs=3, metavar=("SHAPE", "KERNELS", "MICRO"))
    given = arguments.parse_args()
    if given.trainer:
        shape, way, micro = given.trainer
        print(json.dumps(trainer(shape, way, micro if micro == "auto" else int(micro))), flush=True)
        return 0
    if given.before:
        this = Path(__file__).parents[1]
        for tree, way, micro in ((given.before, "torch", "8"), (this, "liger", "auto"), (this, "liger, compile", "32")):
            command = [sys.executable, __file__, "--trainer", "small", way, micro]
            done = subprocess.run(command, env=os.environ | {"SNOW_TREE": str(tree)}, capture_output=True, text=True, check=False)
            print(*(done.stdout.strip().splitlines()[-1:] or [done.stderr[-1500:]]), flush=True)
    worker = engine.join(1)
    print(torch.cuda.get_device_name(), torch.__version__, flush=True)
    if given.profile:
        profiled(worker)
    if given.curves:
        curves(worker)
    for shape in given.shapes:
        race(shape, worker)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
