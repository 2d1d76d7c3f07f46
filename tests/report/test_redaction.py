"""What the report and the data card say of personal data, secrets, and who opted out."""

from __future__ import annotations

from pathlib import Path

import pytest
import recorded
from reading import build, change, read_page, receipt_of, tables

MARKERS = {"email": "<EMAIL>", "ip_address": "<IP_ADDRESS>", "key": "<KEY>", "password": None}
REDACTED = {
    "documents_in": 800,
    "documents": 800,
    "bytes_in": 8_000_000,
    "bytes": 7_990_000,
    "dropped": {},
    "kinds": {
        "email": {"documents": 200, "found": 700},
        "ip_address": {"documents": 10, "found": 20},
        "key": {"documents": 0, "found": 0},
    },
    "languages": {"Python": {"email": 700, "ip_address": 20}},
}


def test_what_was_replaced_is_told_by_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = recorded.facts_of
    monkeypatch.setattr(recorded, "facts_of", lambda *of: REDACTED if of[1].stage == "redact" else others(*of))
    values = recorded.BASE | {"redaction": MARKERS}
    report = build(tmp_path, recorded.write(tmp_path, values=values), values=values)
    told = tables(report)
    assert [(row["kind"], row["found"], row["documents"], row["share"]) for row in told["redacted"]] == [
        ("email", 1_400, 400, 0.25),
        ("ip address", 40, 20, 0.0125),
        ("key", 0, 0, 0),
    ]
    steps = {row["step"]: row for row in told["funnel"]}
    assert (steps["redacted"]["documents"], steps["redacted"]["bytes"], steps["redacted"]["dropped"]) == (1_600, 15_980_000, 0)
    card = (report / "data_card.md").read_text()
    assert "replaced by markers (1,400 of email, 40 of ip address, 0 of key)" in card
    assert "No step looks for personal data" not in card


def test_without_redaction_nothing_is_promised(tmp_path: Path) -> None:
    report = build(tmp_path, recorded.write(tmp_path))
    assert "redacted" not in tables(report)
    card = (report / "data_card.md").read_text()
    assert "No step looks for personal data, credentials or malware" in card
    assert "opt_out" not in card


def test_entries_that_match_nothing_anywhere_are_counted(tmp_path: Path) -> None:
    inputs = recorded.write(tmp_path)
    for shard, matched in (("00000", {"a/b": 3}), ("00001", {"a/b": 1, "c/d": 2})):
        facts = {"opt_out": {"repositories": {"entries": 40, "matched": matched}, "hashes": {"entries": 1, "matched": {}}}}
        change(receipt_of(inputs, f"filter/{shard}"), lambda receipt, facts=facts: receipt["facts"].update(facts))
    report = build(tmp_path, inputs)
    said = "opt_out.repositories: of 40 listed, 2 leave out 6 documents and 38 match no repository of the corpus."
    assert said in read_page(report).text
    assert said in (report / "data_card.md").read_text().replace("\\", "")
    assert "opt_out.hashes: of 1 listed, 0 leave out 0 documents and 1 match no document of the corpus." in read_page(report).text
