"""OpenCoder's measures are what their definitions say, and take time linear in the text."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest
from corpus_stages import standard_library

from snow.corpus import words


def spelled_out(text: list[str], n: int) -> tuple[float, float]:
    """Characters in the most frequent run of n words, and in all runs that occur again, as shares: RedPajama's loops."""
    total = sum(map(len, text)) or 1
    runs = [tuple(text[start : start + n]) for start in range(len(text) - n + 1)]
    counts = Counter(runs)
    best = counts.most_common(1)
    top = sum(map(len, best[0][0])) * best[0][1] / total if best and best[0][1] > 1 else 0
    covered = {place for start, run in enumerate(runs) if counts[run] > 1 for place in range(start, start + n)}
    return top, sum(len(text[place]) for place in covered) / total


def test_repetition_is_what_redpajama_counts() -> None:
    rng = random.Random(0)
    texts = [rng.choices(("a", "bb", "ccc"), k=rng.randint(0, 60)) for _ in range(200)]
    texts += [words._WORD.findall(text.lower())[:3000] for _, text in standard_library(5)]
    for text in texts:
        found = words.repetition(text)
        for n in words.TOP:
            assert found[f"top_{n}grams"] == pytest.approx(spelled_out(text, n)[0])
        for n in words.DUPLICATE:
            assert found[f"duplicate_{n}grams"] == pytest.approx(spelled_out(text, n)[1])
        assert found["words"] == len(text)
        assert found["unique_words"] == len(set(text)) / max(len(text), 1)


def test_strings_lines_and_marks() -> None:
    text = "# TODO: more\nx = 'abcd'\nassert x\n}\n}\ny = 0x1F\n" + "z = z + 1\n" * 2 + "# assert and 'not a string'\n"
    found = words.literals(text, "Python")
    assert found["todo_lines"] == 1 / 9
    assert found["assert_lines"] == 1 / 7  # lines outside comments that are not empty
    assert found["duplicate_lines"] == 2 / 7
    code = len(text) - len("# TODO: more") - len("# assert and 'not a string'")
    assert found["strings"] == 4 / code
    assert found["hex_words"] == 4 / code
    sentence = " ".join(["word"] * 21)
    assert words.literals(f"x = '{sentence}'\ny = 'a {'b' * 21} https://{'c' * 30}'\n", "Zig")["long_string_lines"] == 1 / 2
    line = f"y = 'a {'b' * 21} https://{'c' * 30}'\n"
    assert words.literals(line, "Zig")["long_words"] == 21 / len(line)


@pytest.mark.parametrize("part", ["'''", '"""', "'", '"', "'''\"", "a ", "a", "0x", "\n", "'a\n", "漢"])
def test_a_hostile_document_takes_a_few_seconds_at_most(part: str) -> None:
    text = part * (1_000_000 // len(part))
    start = time.process_time()
    words.measure(text, "Python")
    assert time.process_time() - start < 5
