"""What the report says of programs that pass, and of those that cannot."""

from __future__ import annotations

import recorded
from reading import build, change, read_page, receipt_of, tables


def test_a_large_model_that_solves_nothing_is_not_excused(tmp_path):
    inputs = recorded.write(tmp_path)
    for model in recorded.MODELS:
        change(
            receipt_of(inputs, f"pretrain/{model}"), lambda receipt: receipt["facts"].update(parameters=1_300_000_000, tokens=400 * 10**9)
        )
    text = read_page(build(tmp_path, inputs)).text
    assert "None of 1,148 programs passes. The suites' own solutions do" in text
    assert "this small" not in text


def test_solved_tasks_are_named(tmp_path):
    page = read_page(build(tmp_path, recorded.write(tmp_path, passed=2)))
    assert "2 of 1,148 programs pass" in page.text
    assert ["humaneval", "HumanEval/1", "phase3"] in page.tables["solved"]
    assert "None of" not in page.text


def test_categories_have_a_row_each_and_their_mean(tmp_path):
    inputs = recorded.write(tmp_path)
    rate = {"passed": 0, "samples": 82, "tasks": 82, "value": 0.0, "low": 0.0, "high": 0.045}
    rates = {"difficult": rate, "subtle": rate, "mean": rate | {"samples": 164, "tasks": 164}}
    change(receipt_of(inputs, "judge/phase1/humaneval"), lambda receipt: receipt["facts"].update({"pass@1": rates}))
    report = build(tmp_path, inputs)
    rows = [(row["tests"], row["tasks"]) for row in tables(report)["pass"] if row["model"] == "phase1"]
    assert rows == [("difficult", 82), ("subtle", 82), ("mean", 164)]
    text = read_page(report).text
    assert "A suite's mean is that of its categories" in text
    assert "Only the first tasks of a suite were tried" not in text, "all of them were, if not in one category"


def test_pass_at_10_and_empty_completions_are_said(tmp_path):
    inputs = recorded.write(tmp_path)
    rate = {"passed": 3, "samples": 1640, "tasks": 164, "value": 0.018, "low": 0.0, "high": 0.045}
    change(receipt_of(inputs, "judge/phase1/humaneval"), lambda receipt: receipt["facts"].update({"pass@10": {"base": rate}}))
    change(receipt_of(inputs, "complete/phase1/humaneval"), lambda receipt: receipt["facts"].update({"empty": 13}))
    report = build(tmp_path, inputs)
    assert [(row["model"], row["k"], row["value"]) for row in tables(report)["more"]] == [("phase1", "10", 0.018)]
    assert "Some completions are empty and cannot pass: phase1 on humaneval 13 of 164" in read_page(report).text
    assert "more" not in tables(build(tmp_path / "plain", recorded.write(tmp_path / "plain")))
