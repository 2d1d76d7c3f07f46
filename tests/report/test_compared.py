"""A model of others in the report: beside ours where something is evaluated, marked, and nowhere else."""

from __future__ import annotations

import recorded
from reading import build, change, read_page, receipt_of, tables

from snow import overlay
from snow import params as settings


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


def test_a_run_that_begins_from_it_says_so_and_has_no_architecture_of_its_own(tmp_path):
    values = overlay.merged(recorded.BASE, settings.read(recorded.ROOT / "experiments/continue.yaml"))
    report = build(tmp_path, recorded.write(tmp_path, values=values), values=values)
    found = tables(report)
    base = "HuggingFaceTB-SmolLM2-135M"
    origins = {row["model"]: row["begin_from"] for row in found["training"]}
    assert origins == {"phase2": base, "control": base, "phase3": "phase2"}
    assert f"{base} (compared)" in {row["model"] for row in found["pass"]}, "what the phases are worth is seen beside it"
    card = (report / "model_card.md").read_text()
    assert "continued from HuggingFaceTB/SmolLM2-135M at 1111" in card
    assert 'base_model: "HuggingFaceTB/SmolLM2-135M"' in card
    assert "from scratch" not in card
    assert f"continued from {base} on best" in read_page(report).text
