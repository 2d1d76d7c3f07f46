"""Fitting the annotator's head: exactly on frozen embeddings, or together with the encoder; and the ROC-AUC it is judged by."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from snow.errors import SnowError
from snow.quality.encoder import Encoder, forward, pad
from snow.quality.head import Head
from snow.quality.windows import Window, length

MAX_STEPS = 200


def logistic(embeddings: np.ndarray, labels: np.ndarray, ridge: float) -> Head:
    """The head that minimises the summed log loss plus `ridge` / 2 times the squared weights of the standardised embeddings.

    The minimum is unique and Newton's method finds it, so the head depends on no learning rate, order or seed. `embeddings`
    (rows, size) float32, `labels` (rows,) of 0 and 1, both present. The standardisation is folded into the head.
    """
    scaler = StandardScaler().fit(embeddings.astype(np.float64))
    model = LogisticRegression(C=1 / ridge, solver="newton-cholesky", tol=1e-8, max_iter=MAX_STEPS)
    model.fit(scaler.transform(embeddings.astype(np.float64)), labels)
    if model.n_iter_[0] >= MAX_STEPS:
        raise SnowError(f"the annotator's head did not converge in {MAX_STEPS} steps; increase `ridge` of its training")
    weight = model.coef_[0] / scaler.scale_
    bias = model.intercept_ - weight @ scaler.mean_
    return Head(weight.astype(np.float32), bias.astype(np.float32))


def finetune(
    encoder: Encoder, windows: Sequence[Window], labels: np.ndarray, seed: int, epochs: int, batch_size: int, learning_rate: float
) -> Head:
    """Train encoder and head together with AdamW, the learning rate falling linearly to 0; the encoder is changed in place.

    Order and dropout follow from the seed; the head starts at zero.
    """
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    layer = torch.nn.Linear(encoder.size, 1).to(encoder.device)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.AdamW([*encoder.model.parameters(), *layer.parameters()], lr=learning_rate)
    steps = epochs * -(-len(windows) // batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    encoder.model.train()
    bar = tqdm(total=steps, desc="training", unit="step", mininterval=5, file=sys.stderr)
    for _ in range(epochs):
        permutation = order.permutation(len(windows))
        for start in range(0, len(permutation), batch_size):
            rows = permutation[start : start + batch_size]
            batch = [windows[row] for row in rows]
            ids, mask = pad(encoder, batch, max(map(length, batch)))
            logits = layer(forward(encoder, ids, mask))[:, 0]
            target = torch.from_numpy(labels[rows].astype(np.float32)).to(encoder.device)
            torch.nn.functional.binary_cross_entropy_with_logits(logits, target).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            bar.update()
    bar.close()
    encoder.model.eval()
    weight, bias = layer.weight.detach()[0].cpu().numpy(), layer.bias.detach().cpu().numpy()
    return Head(weight.copy(), bias.copy())


def roc_auc(positives: Sequence[float] | np.ndarray, negatives: Sequence[float] | np.ndarray) -> float | None:
    """P(a positive scores above a negative), ties counting half, to 4 decimals; None when either is empty."""
    if not len(positives) or not len(negatives):
        return None
    labels = np.repeat([1, 0], [len(positives), len(negatives)])
    return round(float(roc_auc_score(labels, np.concatenate([positives, negatives]))), 4)
