"""A model of others in the report: beside ours where something is evaluated, marked, and nowhere else."""

from __future__ import annotations

import recorded
from reading import build, change, read_page, receipt_of, tables

from snow import overlay


def test_it_stands_in_every_table_of_the_evaluation_and_in_no_other(tmp_path):
    values = overlay.merged(recorded.BASE, {"evaluation": {"compare_with": {"peer": {"pretrained": "team/peer", "revision": "main"}}}})
    inputs = recorded.write(tmp_path, values=values)
    verdicts, receipt = tmp_path / "eval/peer/humaneval/verdicts.jsonl", receipt_of(inputs, "judge/peer/humaneval")
    verdicts.write_text(verdicts.read_text().replace('"fail"', '"pass"', 3))
    change(receipt, lambda told: told.update(facts=recorded.judged(3)))
    report = build(tmp_path, inputs, values=values)
    found = tables(report)
    assert [row["model"] for row in found["pass"]] == [*recorded.BASE["models"], "peer (compared)"]
    assert [row["value"] for row in found["pass"]][-2:] == [0.0, round(3 / 164, 6)]
    assert {row["models"] for row in found["solved"]} == {"peer (compared)"}
    assert found["bits"][0]["bits:peer"] == 2.444
    assert "peer (compared)" in {row["model"] for row in found["completions"]}
    assert [row["model"] for row in found["training"]] == list(recorded.BASE["models"])
    page = read_page(report)
    assert "peer is compared and was not trained here: team/peer at 1111" in page.text
    assert "None of 656 programs passes. A model this small" in page.text, "the sentence is about the models trained here"
    assert "No program passes its tests" in page.text
    assert "peer (compared)" in page.tables["bits"][0] + page.tables["bits"][1]
    assert "heldout-peer" in {row["set"] for row in found["token_sets"]}
