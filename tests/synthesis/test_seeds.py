"""Requests stay what they were when more are asked for, languages get their shares, seeds are real lines that fit the prompt."""

from __future__ import annotations

import itertools
import re
from collections import Counter

import pytest
from synthesis_inputs import documents

from snow.errors import SnowError
from snow.synthesis import seeds
from tests.stage_runs import params

TOKENS = {"Python": 9000, "C": 600, "Shell": 300, "Go": 100}


@pytest.mark.parametrize("count", [1, 7, 40, 1000])
def test_every_prefix_of_the_requests_has_python_at_its_share_and_the_rest_in_proportion(count: int) -> None:
    shares = seeds.language_shares(TOKENS, 0.5)
    assert shares == pytest.approx({"Python": 0.5, "C": 0.3, "Shell": 0.15, "Go": 0.05})
    counts = Counter(language for language, _ in itertools.islice(seeds.languages(shares), count))
    assert all(abs(counts[language] - share * count) <= 1 for language, share in shares.items())


def test_one_side_alone_gets_all_requests() -> None:
    assert seeds.language_shares({"Python": 5}, 0.5) == {"Python": 1.0}
    assert seeds.language_shares({"C": 1, "Go": 3}, 0.5) == {"C": 0.25, "Go": 0.75}
    assert seeds.language_shares(TOKENS, 1.0) == {"Python": 1.0}
    assert seeds.language_shares({"Python": 0}, 0.5) == {}


@pytest.mark.parametrize("size", [1, 2, 12, 97, 100])
def test_all_documents_are_used_once_before_one_is_used_again(size: int) -> None:
    for lap in range(3):
        assert {seeds.position(turn, size, 0, "C") for turn in range(lap * size, (lap + 1) * size)} == set(range(size))


def test_a_snippet_is_a_run_of_lines_of_its_document_and_not_blank() -> None:
    for number, document in enumerate(documents()):
        text = seeds.snippet(document["content"], 15, 600, 0, number)
        assert text in document["content"]
        assert text.strip()
        assert text.count("\n") < 15
        assert len(text.encode()) <= 600


def test_snippets_differ_between_requests_and_repeat_for_the_same_request() -> None:
    content = "\n".join(f"line {number}" for number in range(200))
    drawn = [seeds.snippet(content, 15, 600, 0, number) for number in range(50)]
    assert len(set(drawn)) > 40
    assert drawn == [seeds.snippet(content, 15, 600, 0, number) for number in range(50)]
    assert {text.count("\n") + 1 for text in drawn} >= {1, 15}


def test_a_line_that_does_not_fit_is_cut_between_characters() -> None:
    text = seeds.snippet("ü" * 1000, 15, 301, 0, 0)
    assert text == "ü" * 150


def test_a_mostly_blank_document_still_gives_its_lines() -> None:
    assert seeds.snippet("\n" * 5000 + "x = 1\n" + "\n" * 5000, 3, 100, 0, 0) == "x = 1"


def test_placeholders_in_the_seed_are_left_alone() -> None:
    assert seeds.render("{language}: {seed} {other} {}", "Go", 'f"{seed}{language}"') == 'Go: f"{seed}{language}" {other} {}'


@pytest.mark.parametrize("name", ["language", "seed"])
def test_a_prompt_without_its_placeholder_is_refused(name: str) -> None:
    prompt = params({}).prompts["problem"].replace(f"{{{name}}}", "")
    with pytest.raises(SnowError, match=re.escape(f"prompts.problem has no {{{name}}}")):
        params({"prompts.problem": prompt})


def test_a_context_too_small_for_any_seed_is_refused() -> None:
    with pytest.raises(SnowError, match=r"synthetic\.inspired: generators\.smollm2\.context_tokens 600 leaves -?[0-9]+ bytes for the seed"):
        params({"generators.smollm2.context_tokens": 600})
