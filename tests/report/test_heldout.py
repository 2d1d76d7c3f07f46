"""What the report says of the held-out text: as much as the receipt of `holdout` bears, and no more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import recorded
from reading import build, read_page, tables

from snow.report import heldout


def receipt(**languages: dict[str, Any]) -> dict[str, Any]:
    """Facts of `holdout` of these languages."""
    empty = {"total": 1000, "heldout": 0, "repositories": 0, "folders": 0, "files": 0}
    counts = {"repositories": 9, "heldout_repositories": 2, "heldout_folders": 0, "heldout_files": 0}
    return counts | {"bytes": {name: empty | facts for name, facts in languages.items()}}


def whole(size: int) -> dict[str, int]:
    """A language of which that much is held out by repository."""
    return {"heldout": size, "repositories": size}


def test_only_equal_shares_of_all_languages_are_called_drawn_like_the_corpus() -> None:
    assert heldout.mixed(receipt(C=whole(50), Go=whole(60))) == "is drawn like the corpus, about 5.5% of every language"
    words = heldout.mixed(receipt(C=whole(50), Go=whole(20)))
    assert words.startswith("is 2.0% of the corpus' bytes in Go and 5.0% of those in C, so languages do not weigh in it as in the corpus")
    assert heldout.mixed(receipt(C=whole(50), Go=whole(50), Shell={})).endswith("; it has nothing of Shell")
    assert heldout.mixed(receipt(C=whole(50), Shell={})).startswith("is 5.0% of the corpus' bytes in C, so languages")


def test_units_are_named_and_what_they_leave_in_training() -> None:
    alone = receipt(C=whole(50))
    assert (heldout.units(alone), heldout.apart(alone)) == ("2 of 9 repositories", "")
    mixed = receipt(C=whole(30), Go={"heldout": 30, "folders": 20, "files": 10}) | {"heldout_folders": 3, "heldout_files": 1200}
    assert heldout.units(mixed) == "2 of 9 repositories, and of others 3 folders and 1,200 files"
    assert heldout.apart(mixed).startswith(" Of its bytes 50.0% are whole repositories; the rest comes from repositories of which other")
    assert heldout.of_language(mixed["bytes"]["Go"]) == "folders and files"


@pytest.mark.parametrize(
    ("files", "words"), [(1, "nothing: there is one file"), (3, "nothing: the smallest file has 90.0 kB, and 65.5 kB may go")]
)
def test_a_language_without_says_why(files: int, words: str) -> None:
    assert heldout.of_language({"nothing": {"files": files, "smallest": 90_000, "allowed": 65_536}}) == words


def test_page_and_card_say_it(tmp_path: Path) -> None:
    report = build(tmp_path, recorded.write(tmp_path))
    assert {row["language"]: row["heldout_by"] for row in tables(report)["languages"]} == {
        "Python": "repositories",
        "C++": "repositories and folders",
        "HTML": "nothing: the smallest file has 150 kB, and 65.5 kB may go",
    }
    card = re.sub(r"\\(.)", r"\1", (report / "data_card.md").read_text())
    for text in (read_page(report).text, card):
        assert "6 of 80 repositories, and of others 3 folders are" in text
        assert "The held-out text is 3.9% of the corpus' bytes in Python and 9.1% of those in C++" in text
        assert "drawn like the corpus" not in text
