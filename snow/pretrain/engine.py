"""DeepSpeed around a model: the process group, the optimizer, the configuration. What is computed does not depend on the
number of workers; `Engine` in params says only how it is distributed, and in which precision.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from snow.pretrain import kernels

os.environ.setdefault("DS_ACCELERATOR", "cuda" if torch.cuda.is_available() else "cpu")  # else DeepSpeed guesses aloud
import deepspeed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from snow.arms import Model


@dataclass(frozen=True)
class Worker:
    """One process of a job: its number, how many there are, and its device."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this is the one process that writes and speaks."""
        return self.rank == 0


def join(threads: int) -> Worker:
    """Enter the process group that the launcher's variables describe (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT).

    Without a launcher the group is this process alone, opens no port and computes with `threads` threads, whatever
    OMP_NUM_THREADS says: on a CPU their number decides how sums are split, and so the last bits of the weights.
    """
    _quiet()
    cuda = torch.cuda.is_available()
    local = int(os.environ.setdefault("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    else:
        deepspeed.ops.__compatible_ops__ = {}  # else it compiles for a minute an all-reduce that only inference calls
    if "RANK" not in os.environ:
        torch.set_num_threads(threads)
    if not dist.is_initialized():
        backend = "nccl" if cuda else "gloo"
        if "RANK" in os.environ:
            dist.init_process_group(backend)
        else:
            dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    deepspeed.init_distributed(dist_backend="nccl" if cuda else "gloo", verbose=False)
    return Worker(dist.get_rank(), dist.get_world_size(), device)


def _quiet() -> None:
    """DeepSpeed's and torch's remarks on themselves are not about the run."""
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")


def start(model: PreTrainedModel, settings: Model, micro: int, worker: Worker, universal: bool = False) -> Any:
    """A DeepSpeed engine for `model` with a fresh AdamW that takes `micro` sequences at a time; `universal` prepares it for a checkpoint
    of another number of workers."""
    kernels.install(model, settings.engine, worker.device)
    config = _config(settings, micro, worker, universal)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the memory at each step of its start
        engine, *_ = deepspeed.initialize(model=model, optimizer=_optimizer(model, settings, worker), config=config)
    return engine


def _optimizer(model: torch.nn.Module, settings: Model, worker: Worker) -> torch.optim.Optimizer:
    """AdamW, with weight decay on what `weight_decay_on` names."""
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}

    def decays(parameter: torch.nn.Parameter) -> bool:
        matrix = parameter.ndim > 1
        return {"all": True, "matrices": matrix, "layers": matrix and id(parameter) not in embeddings}[settings.weight_decay_on]

    decayed = [parameter for parameter in model.parameters() if decays(parameter)]
    others = [parameter for parameter in model.parameters() if not decays(parameter)]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, *([{"params": others, "weight_decay": 0.0}] if others else [])]
    common = {"lr": settings.schedule.max_lr, "betas": (settings.beta1, settings.beta2)}
    if settings.engine.offload_optimizer and settings.engine.zero_stage:
        from deepspeed.ops.adam import DeepSpeedCPUAdam  # compiled on first use, several times faster than torch's on CPU

        return DeepSpeedCPUAdam(groups, **common)
    return torch.optim.AdamW(groups, fused=worker.device.type == "cuda", **common)


def _config(settings: Model, micro: int, worker: Worker, universal: bool) -> dict[str, Any]:
    stage = settings.engine.zero_stage
    zero: dict[str, Any] = {"stage": stage}
    if settings.engine.offload_optimizer and stage:
        zero["offload_optimizer"] = {"device": "cpu"}
    config: dict[str, Any] = {
        "train_batch_size": settings.batch_size,
        "train_micro_batch_size_per_gpu": micro,
        "gradient_accumulation_steps": settings.batch_size // (micro * worker.size),
        "gradient_clipping": settings.gradient_clip,
        "zero_optimization": zero,
        # The check waits for the device at every step; what it finds makes DeepSpeed leave the weights as they are.
        "bf16": {"enabled": settings.engine.precision == "bf16", "check_grad_overflow": settings.on_nonfinite == "skip"},
        "steps_per_print": None,
        "checkpoint": {"load_universal": universal},
    }
    if settings.engine.precision == "bf16" and stage:
        config["data_types"] = {"grad_accum_dtype": "fp32"}  # stage 0 accumulates in bf16; DeepSpeed has no other way there
    return config


def computes_bf16_slowly(worker: Worker) -> bool:
    """Whether bf16 is emulated here: on a CPU without AVX-512 a matrix product was 25 to 60 times slower than in float32."""
    return worker.device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported()


def set_learning_rate(engine: Any, rate: float) -> None:
    """The rate of the next step."""
    for group in engine.optimizer.param_groups:
        group["lr"] = rate


def unclipped_norm(engine: Any) -> torch.Tensor | None:
    """The norm of the gradient between backward and step where DeepSpeed does not record it (float32 without ZeRO), else None."""
    if engine.zero_optimization() or engine.bfloat16_enabled():
        return None
    return torch.nn.utils.get_total_norm([parameter.grad for parameter in engine.module.parameters() if parameter.grad is not None])


def step_without_effect(engine: Any) -> None:
    """A step that leaves weights and optimizer as they are, for a gradient that is not finite, which DeepSpeed drops only under ZeRO."""
    optimizer = engine.optimizer
    step = optimizer.step
    optimizer.step = lambda: None
    try:
        engine.step()
    finally:
        optimizer.step = step


def weights(engine: Any, worker: Worker) -> dict[str, torch.Tensor]:
    """The model's parameters whole and on the CPU, in the engine's precision; complete on the leader, empty elsewhere.

    A collective: all workers call it. Gathers one parameter at a time, so ZeRO 3 needs no room for a second model.
    """
    state = {}
    for name, parameter in engine.module.named_parameters():
        with deepspeed.zero.GatheredParameters([parameter], enabled=hasattr(parameter, "ds_id")):
            if worker.leads:
                state[name] = parameter.detach().cpu().clone()
    return state


def total(value: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over all workers, in place."""
    dist.all_reduce(value)
    return value


def highest(value: int, worker: Worker) -> int:
    """The highest of all workers' values, told between their processors, so that no device is waited for."""
    if worker.size == 1:
        return value
    told = torch.tensor(value)
    dist.all_reduce(told, dist.ReduceOp.MAX, group=_processors())
    return int(told)


@functools.cache
def _processors() -> Any:
    """The group of all workers that carries tensors on the CPU; made by all of them at its first use."""
    return None if dist.get_backend() == "gloo" else dist.new_group(backend="gloo")


def wait_for_all() -> None:
    """Return when every worker has come this far."""
    dist.barrier()
