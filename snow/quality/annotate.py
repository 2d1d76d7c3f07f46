"""`annotate`: the quality annotator, an encoder with a linear head that tells high-quality code from random code [P 2.3].

Positives and negatives are windowed alike: of every training text one section (top, middle or bottom, by a seeded hash of its
id) of at most `window_tokens`, so a licence header, which only the top has, is a third of what the head sees, as it is a third
of what it scores. Validation texts are scored as the corpus is: the mean over the three sections.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np
from tqdm import tqdm

from snow.corpus import benchmarks
from snow.corpus.heldout import Heldout, read_heldout
from snow.errors import SnowError
from snow.quality import encoder as encoders
from snow.quality import fit, head, negatives, positives, validate
from snow.quality.encoder import Encoder
from snow.quality.head import Head
from snow.quality.windows import SECTIONS, Section, Window, windows
from snow.suites.tasks import read_suite
from snow.tokens.seeded import SPAN, draw

if TYPE_CHECKING:
    from snow.arms import Training
    from snow.job import Job
    from snow.schema import Decontamination

T = TypeVar("T")


def section_of(seed: int, name: str) -> Section:
    """Which section of the text `name` the head is trained on."""
    return SECTIONS[draw(seed, "section", name) * len(SECTIONS) // SPAN]


def split(drawn: Sequence[T], fraction: float) -> tuple[Sequence[T], Sequence[T]]:
    """(training, validation) of what is in a random order: the first `fraction` of it, at least one, validates."""
    count = max(1, round(fraction * len(drawn)))
    return drawn[count:], drawn[:count]


def training_windows(encoder: Encoder, texts: Iterable[tuple[str, str]], seed: int, window_tokens: int) -> list[Window]:
    """One window for every (id, text), of the section drawn for its id."""
    requests: Iterator[tuple[str, Section]] = ((text, section_of(seed, name)) for name, text in texts)
    return list(windows(encoder.tokenizer, requests, window_tokens))


def train(encoder: Encoder, good: Sequence[Window], bad: Sequence[Window], settings: Training, seed: int) -> Head:
    """The head, and with `finetune` the encoder too, on windows of positives and negatives."""
    labels = np.repeat([1, 0], [len(good), len(bad)])
    if settings.finetune is not None:
        tuning = settings.finetune
        return fit.finetune(encoder, [*good, *bad], labels, seed, tuning.epochs, tuning.batch_size, tuning.learning_rate)
    with tqdm(total=len({*good, *bad}), desc="embedding", unit="window", mininterval=5, file=sys.stderr) as bar:
        embeddings = encoders.embed(encoder, [*good, *bad], settings.window_tokens, bar.update)
    return fit.logistic(embeddings, labels, settings.ridge)


def choose_positives(
    settings: Training, scripts: bool, seed: int, known: benchmarks.Benchmarks
) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """All sets' texts by id, in the order they were drawn, and the counts of each set. A set without a usable text is a SnowError."""
    chosen: dict[str, str] = {}
    counts = {}
    for source in settings.positives:
        texts, counts[source.name] = positives.choose(
            positives.read(source, scripts), source.limit, seed, lambda text: bool(known.find(text))
        )
        if not texts:
            raise SnowError(f"positives {source.name}: no usable text in {source.path} ({counts[source.name]})")
        chosen |= texts
    return {name: chosen[name] for name in sorted(chosen, key=lambda name: (draw(seed, "positives", name), name))}, counts


class Params(Protocol):
    seed: int
    training: Training
    decontamination: Decontamination
    notebooks: Literal["cells", "json"]


def run(job: Job[Params]) -> dict[str, Any]:
    """documents (all shards), heldout, suites -> annotator, a folder that transformers' AutoModel opens."""
    settings, seed, size = job.params.training, job.params.seed, job.params.training.window_tokens
    key = f"annotators.{job.instance}.training"
    paths, suites = job.inputs.get("documents", ()), job.inputs.get("suites", ())
    encoder = encoders.load(settings.encoder, settings.revision, job.threads)
    if size > encoder.max_tokens:
        raise SnowError(f"{key}.window_tokens is {size}, but {settings.encoder} takes at most {encoder.max_tokens}")
    known = benchmarks.read(suites, job.params.decontamination)
    good, counts = choose_positives(settings, job.params.notebooks == "cells", seed, known)
    good_names, good_validation = split(list(good), settings.validation_fraction)
    bad, unseen = draw_negatives(paths, read_heldout(job.input("heldout")), settings, seed)
    bad, bad_validation = split(bad, settings.validation_fraction)
    if not good_names or not bad:
        raise SnowError(f"{key}: a validation_fraction of so few positives or negatives leaves none to train on; raise limit and negatives")
    tasks = {path.stem: [task.program for task in read_suite(path)] for path in suites}
    scored = len(good_validation) + len(bad_validation) + len(unseen) + 2 * sum(map(len, tasks.values()))
    print(
        f"annotate: {len(good_names) + len(bad)} windows of {size} tokens to train on, "
        f"at most {len(SECTIONS) * scored} to validate on, on {encoder.device.type}",
        file=sys.stderr,
    )
    good_windows = training_windows(encoder, ((name, good[name]) for name in good_names), seed, size)
    bad_windows = training_windows(encoder, ((each.id, content) for each, _, content in negatives.fetch(paths, bad)), seed, size)
    fitted = train(encoder, good_windows, bad_windows, settings, seed)

    validating = tqdm(desc="validating", unit="window", mininterval=5, file=sys.stderr)

    def score(texts: Sequence[str]) -> np.ndarray:
        return head.section_scores(encoder, fitted, texts, SECTIONS, size, validating.update).mean(axis=1)

    held = score([good[name] for name in good_validation]), score([text for _, _, text in negatives.fetch(paths, bad_validation)])
    texts, languages = zip(*((text, language) for _, language, text in negatives.fetch(paths, unseen)), strict=True)
    others = validate.Unseen(texts, languages, score(texts))
    description = {
        "encoder": settings.encoder,
        "pooling": encoder.pooling,
        "window_tokens": size,
        "training": {"positives": len(good_names), "negatives": len(bad)},
    }
    facts = {
        **description,
        "positives": counts,
        "validation": {
            "split": {"positives": len(good_validation), "negatives": len(bad_validation), "auc": fit.roc_auc(*held)},
            "suites": {suite: validate.suite(solutions, others, score, seed) for suite, solutions in tasks.items()},
            "unseen_above_half": round(float((others.scores > 0.5).mean()), 4),
        },
    }
    validating.close()
    # What it was validated on is told by the receipt alone: one suite more must not make every document be scored again.
    head.save(encoder, fitted, description, job.output("annotator"))
    return facts


def draw_negatives(
    paths: Sequence[Path], heldout: Heldout, settings: Training, seed: int
) -> tuple[Sequence[negatives.Drawn], Sequence[negatives.Drawn]]:
    """(negatives, documents the annotator never sees), disjoint and not held out. SnowError when there are too few."""
    wanted = settings.negatives + settings.validation_negatives
    drawn = negatives.sample(negatives.candidates(paths, heldout), wanted, seed)
    if len(drawn) < wanted:
        raise SnowError(
            f"the corpus has {len(drawn)} documents that are not held out, but an annotator's negatives and "
            f"validation_negatives ask for {wanted}; lower them"
        )
    return drawn[: settings.negatives], drawn[settings.negatives :]
