"""How a model computes a training step: fused kernels and a fused loss on a GPU, compiled layers, activations computed again.

Each changes speed and memory and nothing else but rounding; `docs/training.md` has the loss curves beside each other. On a CPU no
kernel is imported.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

import torch
from transformers.modeling_layers import GradientCheckpointingLayer

from snow.errors import SnowError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from snow.arms import Engine


def install(network: PreTrainedModel, settings: Engine, device: torch.device) -> None:
    """Make `network` compute its steps on `device` as the params say, in place. SnowError where it cannot."""
    layers = [module for module in network.modules() if isinstance(module, GradientCheckpointingLayer)]
    if settings.activation_checkpointing != "none":
        _checkpoint(network, every=2 if settings.activation_checkpointing == "selective" else 1)
    if device.type == "cuda" and settings.kernels == "liger":
        _fuse(network, settings)
    if settings.compile:
        for layer in layers:
            layer.compile()


def _checkpoint(network: PreTrainedModel, every: int) -> None:
    try:
        network.activation_checkpointing_enable({"use_reentrant": False}, every_n_layers=every)
    except ValueError as error:
        raise SnowError(f"engine.activation_checkpointing: {network.config.model_type} has none; set it to none") from error


def _fuse(network: PreTrainedModel, settings: Engine) -> None:
    """Liger's kernels (arXiv 2410.10989). A compiled layer keeps its own operations, which the compiler fuses; the loss is Liger's."""
    from liger_kernel.transformers.monkey_patch import MODEL_TYPE_TO_APPLY_LIGER_FN, _apply_liger_kernel_to_instance

    if network.config.model_type not in MODEL_TYPE_TO_APPLY_LIGER_FN:
        print(f"engine.kernels: liger has none for {network.config.model_type}, so they are torch's", file=sys.stderr)
        return
    layers = {"rope": False, "rms_norm": False, "swiglu": False} if settings.compile else {}
    _apply_liger_kernel_to_instance(network, fused_linear_cross_entropy=True, **layers)
    network.forward = functools.partial(network.forward, accum_dtype=torch.float32)


def fused(network: torch.nn.Module) -> bool:
    """Whether the network's forward pass gives the mean loss of shifted labels without the logits."""
    return isinstance(network.forward, functools.partial)
