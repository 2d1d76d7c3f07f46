"""Scoring documents beside the usual loop, on the same files and the same weights, in one run: `python bench/score.py [--check]`.

The peer is what one writes with transformers alone: `AutoModelForSequenceClassification` over batches of documents in their
order, every file tokenised as a whole, its three sections padded together. Both give the same sections of the same length, in
float32; our bfloat16 is shown beside them. A second peer scores only the beginning of every file, as FineWeb-Edu does, a
third of the work. Rounds alternate and the best counts: CPU seconds on a processor, wall seconds on a GPU. `--check` compares
the ratio to the first peer with the floor in bench/floors.json and exits with status 1 below it. `--stand-in` asks instead what it
brings to cut the next windows while a GPU embeds: in place of the encoder stands a wait as long as the cutting takes on this machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

sys.path.insert(0, str(Path(__file__).parents[1]))
from snow import packaged
from snow.ahead import ahead
from snow.params import load
from snow.quality import encoder as encoders
from snow.quality import head
from snow.quality.encoder import Encoder
from snow.quality.head import Head
from snow.quality.windows import Section, all_sections

ROOT = Path(__file__).parents[1]
BATCH = {"cpu": 16, "cuda": 256}
ROUNDS = 2


def installed(count: int) -> list[str]:
    """Every n-th Python file of this environment's packages, `count` of them."""
    files = sorted(Path(sysconfig.get_path("purelib")).rglob("*.py"))
    texts = (path.read_text(errors="replace") for path in files[:: max(1, len(files) // count)])
    return [text for text in texts if len(text) >= 100][:count]


def sections_of(ids: list[int], inner: int) -> list[list[int]]:
    """Top, middle and bottom of a whole document's ids."""
    middle = max(0, len(ids) // 2 - inner // 2)
    return [ids[:inner], ids[middle : middle + inner], ids[-inner:]]


def usual_loop(encoder: Encoder, classifier: torch.nn.Module, texts: list[str], window: int, top_only: bool) -> np.ndarray:
    tokenizer, size = encoder.tokenizer, BATCH[encoder.device.type]
    scores = []
    for start in range(0, len(texts), size):
        batch = texts[start : start + size]
        if top_only:
            inputs = tokenizer(batch, truncation=True, max_length=window, padding=True, return_tensors="pt")
        else:
            whole = tokenizer(batch, add_special_tokens=False)["input_ids"]
            windows = [section for ids in whole for section in sections_of(ids, window - 2)]
            framed = [[tokenizer.cls_token_id, *ids, tokenizer.sep_token_id] for ids in windows]
            inputs = tokenizer.pad({"input_ids": framed}, return_tensors="pt")
        with torch.inference_mode():
            logits = classifier(**inputs.to(encoder.device)).logits[:, 0]
        scores.append(torch.sigmoid(logits.float()).cpu().numpy().reshape(len(batch), -1).mean(axis=1))
    return np.concatenate(scores)


def overlap(encoder: Encoder, texts: list[str], window: int, sections: tuple[Section, ...]) -> int:
    """Wall seconds for batches that are cut and then waited for, and for those that are cut while the one before is waited for."""
    batches = [texts[start : start + 50] for start in range(0, len(texts), 50)]

    def cut(batch: list[str]) -> None:
        all_sections(encoder.tokenizer, batch, sections, window)

    def one_by_one(pause: float) -> None:
        for batch in batches:
            cut(batch)
            time.sleep(pause)

    def overlapping(pause: float) -> None:
        for _ in ahead(batches, cut):
            time.sleep(pause)

    best: dict[Callable[[float], None], float] = {one_by_one: float("inf"), overlapping: float("inf")}
    pause = 0.0
    for turn in range(ROUNDS + 1):
        begin = time.perf_counter()
        one_by_one(0.0)
        pause = (time.perf_counter() - begin) / len(batches)
        for method in best if turn else ():  # the first round warms up
            begin = time.perf_counter()
            method(pause)
            best[method] = min(best[method], time.perf_counter() - begin)
    print(f"{len(texts) * len(sections) / pause / len(batches):.0f} windows/s are cut; while a GPU as fast embeds, scoring is", end=" ")
    print(f"{best[one_by_one] / best[overlapping]:.2f} times as fast as one after the other")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=150)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--stand-in", action="store_true")
    options = parser.parse_args()
    annotator = load(ROOT / "params.yaml").annotators["hqins"]
    window, sections, reference = annotator.scoring.window_tokens, annotator.scoring.sections, annotator.training.encoder
    exact, rough = (encoders.load(reference, annotator.training.revision, options.threads, precision) for precision in ("fp32", "bf16"))
    texts = installed(options.documents)
    if options.stand_in:
        return overlap(exact, texts, window, sections)
    place = packaged.locate(reference) if reference.startswith(packaged.PREFIX) else reference
    classifier = AutoModelForSequenceClassification.from_pretrained(place, num_labels=1, dtype=torch.float32).eval().to(exact.device)
    flat = Head(np.zeros(exact.size, np.float32), np.zeros(1, np.float32))  # its values cost nothing
    methods: dict[str, Callable[[], object]] = {
        "snow, fp32": lambda: head.section_scores(exact, flat, texts, sections, window),
        "usual loop, fp32": lambda: usual_loop(exact, classifier, texts, window, False),
        "snow, bf16": lambda: head.section_scores(rough, flat, texts, sections, window),
        "usual loop, fp32, top only": lambda: usual_loop(exact, classifier, texts, window, True),
    }
    clock = time.perf_counter if exact.device.type == "cuda" else time.process_time
    best = dict.fromkeys(methods, float("inf"))
    for _ in range(ROUNDS):
        for name, method in methods.items():
            start = clock()
            method()
            best[name] = min(best[name], clock() - start)
    mine, peer, *_ = best.values()
    megabytes = sum(map(len, texts)) / 1e6
    print(f"{len(texts)} documents, {megabytes:.1f} MB, windows of {window} tokens, {exact.device.type}, {options.threads} threads\n")
    print("| method | documents/s | ours in fp32 is faster by |\n|---|---:|---:|")
    for name, seconds in best.items():
        print(f"| {name} | {len(texts) / seconds:.1f} | {seconds / mine:.2f} |")
    floor = json.loads((ROOT / "bench" / "floors.json").read_text())["score"]["usual loop"]
    if peer / mine >= floor:
        return 0
    print(f"{peer / mine:.2f} times the usual loop, the floor is {floor}", file=sys.stderr)
    return 1 if options.check else 0


if __name__ == "__main__":
    sys.exit(main())
