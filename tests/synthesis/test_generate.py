"""The generate stage against a server of the protocol: what is asked, what is never asked again, what the table says."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from synthesis_inputs import ask, corpus, job

from snow.errors import SnowError
from snow.synthesis import asking, requests
from tests.chat_server import ChatServer, completion, error, serving
from tests.stage_runs import ROOT, changed, params

OPENAI = {"generators.smollm2.backend": "openai", "generators.smollm2.model": "Org/Model", "generators.smollm2.revision": "r1"}
Run = Callable[..., tuple[list[dict[str, Any]], dict[str, Any]]]


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with serving() as server:
        monkeypatch.setenv("SNOW_GENERATOR_URL", server.url)
        yield server


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the stage in a folder of the test's own; returns the table's rows and the facts."""
    monkeypatch.chdir(tmp_path)
    made = corpus(tmp_path)

    def call(shard: int = 0, **changes: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        output = tmp_path / f"raw-{shard}.parquet"
        facts = ask(OPENAI | changes, made, output, shard)
        return pq.read_table(output).to_pylist(), facts

    return call


def test_each_request_shows_lines_of_a_selected_document_in_its_language(chat: ChatServer, run: Run, tmp_path: Path) -> None:
    rows, facts = run(**{"synthetic.inspired.requests": 12})
    selected = {row["id"]: row for row in pq.read_table(tmp_path / "selection.parquet").to_pylist()}
    contents = {
        row["id"]: row["content"] for shard in ("00000", "00001") for row in pq.read_table(tmp_path / f"{shard}.parquet").to_pylist()
    }
    assert [row["request"] for row in rows] == list(range(12))
    for row in rows:
        assert selected[row["document"]]["language"] == row["language"]
        assert row["seed"] in contents[row["document"]]
        assert row["seed"] in row["prompt"]
        assert row["language"] in row["prompt"]
        assert (row["model"], row["revision"], row["finish_reason"]) == ("Org/Model", "r1", "stop")
    assert sorted(body["messages"][0]["content"] for body in chat.asked) == sorted(row["prompt"] for row in rows)
    assert facts["languages"] == {"C": 6, "Python": 6}
    assert facts["requests"] == 12
    assert facts["finished"] == {"stop": 12}
    assert facts["completion_tokens"] == sum(row["completion_tokens"] for row in rows) > 0


def test_the_cost_is_said_before_anything_is_asked_and_then_how_fast_it_goes(
    chat: ChatServer, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run(**{"synthetic.inspired.requests": 3})
    said = capsys.readouterr().err
    assert "3 requests to Org/Model, 0 answered before; the others cost at most 960 tokens" in said
    assert re.search(r"3/3 \[00:\d\d<00:00, .*answer.*, \d+ tokens per second\]", said), said


def test_nothing_is_asked_twice_whatever_else_changes(chat: ChatServer, run: Run, tmp_path: Path) -> None:
    run(**{"synthetic.inspired.requests": 6})
    first = (tmp_path / "raw-0.parquet").read_bytes()
    assert len(chat.asked) == 6
    chat.reply = lambda body: completion("a different answer")
    run(**{"synthetic.inspired.requests": 6})
    run(**{"synthetic.inspired.requests": 6, "synthetic.inspired.concurrency": 1})
    assert len(chat.asked) == 6
    assert (tmp_path / "raw-0.parquet").read_bytes() == first
    more, _ = run(**{"synthetic.inspired.requests": 9})
    assert len(chat.asked) == 9
    assert [row["text"] for row in more[6:]] == ["a different answer"] * 3


def test_shards_share_the_requests_and_the_answers(chat: ChatServer, run: Run) -> None:
    whole, _ = run(**{"synthetic.inspired.requests": 7})
    halves = [run(shard, **{"synthetic.inspired.requests": 7, "synthetic.inspired.shards": 2})[0] for shard in (0, 1)]
    assert halves[0] + halves[1] == whole
    assert [row["request"] for row in halves[1]] == [3, 4, 5, 6]
    assert len(chat.asked) == 7


def test_another_sampling_is_another_question(chat: ChatServer, run: Run) -> None:
    run(**{"synthetic.inspired.requests": 2})
    run(**{"synthetic.inspired.requests": 2, "generators.smollm2.temperature": 0.5})
    assert len(chat.asked) == 4


def test_refusals_and_empty_answers_are_kept_and_counted(chat: ChatServer, run: Run) -> None:
    replies = [completion("", "stop"), completion(None, refusal="No."), completion("x", "length"), completion(None, "content_filter")]
    chat.reply = lambda body: replies.pop()
    rows, facts = run(**{"synthetic.inspired.requests": 4, "synthetic.inspired.concurrency": 1})
    assert len(rows) == 4
    assert facts["finished"] == {"content_filter": 1, "length": 1, "refusal": 1, "stop": 1}
    assert facts["empty"] == 2


FILTERED = (400, {"error": {"code": "content_filter", "message": "The prompt triggered the content management policy."}})


def test_a_refused_prompt_is_an_answer_that_is_counted_and_not_asked_for_again(chat: ChatServer, run: Run) -> None:
    chat.reply = lambda body: FILTERED if body["seed"] % 5 == 0 else completion("fine")
    rows, facts = run(**{"synthetic.inspired.requests": 40})
    refused = sum(seed % 5 == 0 for seed in chat.seeds())
    assert facts["finished"] == {"content_filter": refused, "stop": 40 - refused}
    assert 0 < refused < 20
    assert {(row["text"], row["completion_tokens"]) for row in rows if row["finish_reason"] != "stop"} == {
        ("The prompt triggered the content management policy.", 0)
    }
    assert len(chat.asked) == 40
    run(**{"synthetic.inspired.requests": 40})
    assert len(chat.asked) == 40


def test_where_most_are_refused_the_run_ends_and_nothing_is_remembered(chat: ChatServer, run: Run) -> None:
    chat.reply = lambda body: error(400, "max_tokens is not supported")
    message = r"refused 2\d requests and answered 0; the last was refused for http_400: max_tokens is not supported; check the generator"
    with pytest.raises(SnowError, match=message):
        run(**{"synthetic.inspired.requests": 60, "synthetic.inspired.concurrency": 2})
    assert len(chat.asked) <= 22, "went on asking"
    with pytest.raises(SnowError, match="refused 3 requests and answered 0"):
        run(**{"synthetic.inspired.requests": 3})
    chat.reply = lambda body: completion("fine")
    _, facts = run(**{"synthetic.inspired.requests": 60})
    assert facts["finished"] == {"stop": 60}


def test_the_last_request_may_be_refused_when_all_others_were_answered(chat: ChatServer, run: Run) -> None:
    run(**{"synthetic.inspired.requests": 6})
    chat.reply = lambda body: FILTERED
    _, facts = run(**{"synthetic.inspired.requests": 7})
    assert facts["finished"] == {"content_filter": 1, "stop": 6}


def test_after_a_failure_the_answers_received_are_kept(chat: ChatServer, run: Run) -> None:
    replies = itertools.count()

    def reply(body: dict[str, Any]) -> Any:
        return error(404, "no such model") if next(replies) >= 5 else completion("fine")

    chat.reply = reply
    with pytest.raises(SnowError, match="answered 404: no such model"):
        run(**{"synthetic.inspired.requests": 40, "synthetic.inspired.concurrency": 2})
    assert len(chat.asked) <= 7, "went on asking after the failure"
    chat.reply = lambda body: completion("fine")
    before = len(chat.asked)
    run(**{"synthetic.inspired.requests": 40})
    assert len(chat.asked) - before == 35


def test_a_killed_run_asks_only_the_rest(chat: ChatServer, run: Run, tmp_path: Path) -> None:
    changes = {"synthetic.inspired.requests": 30, "synthetic.inspired.concurrency": 2}
    inputs = {"documents": [tmp_path / f"0000{shard}.parquet" for shard in (0, 1)], "selection": tmp_path / "selection.parquet"}
    requests.run(job("requests", "inspired", OPENAI | changes, inputs, {"requests": tmp_path / "requests"}))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(changed(OPENAI | changes)))
    command = [sys.executable, "-m", "snow", "generate", "inspired/00000", "--input", "requests", "requests/00000.parquet"]
    command += ["--output", "generations", "raw-0.parquet"]
    chat.delay = 0.1
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SNOW_PARAMS": "params.yaml"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(chat.asked) < 10 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended by itself before the kill"
    time.sleep(0.3)  # what the server had in hand
    asked_before = chat.seeds()
    stored = sum(file.read_text().count("\n") for file in tmp_path.glob(".snow/answers/*/*.jsonl"))
    assert 8 <= stored < 30
    assert len(asked_before) - stored <= 2, "more than the two requests under way were lost"
    chat.delay = 0.0
    rows, _ = run(**changes)
    asked_after = chat.seeds()[len(asked_before) :]
    assert len(rows) == 30
    assert len(asked_after) == 30 - stored
    assert len(set(asked_before) & set(asked_after)) == len(asked_before) - stored


def test_a_selection_of_another_corpus_is_named(chat: ChatServer, run: Run, tmp_path: Path) -> None:
    first = tmp_path / "00000.parquet"
    pq.write_table(pq.read_table(first).slice(0, 0), first)
    with pytest.raises(SnowError, match=r"00000\.parquet has no document [0-9a-f]{32}, which the selection names"):
        run(**{"synthetic.inspired.requests": 4})


def test_an_empty_selection_is_named(chat: ChatServer, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "selection.parquet"
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    with pytest.raises(SnowError, match="no selected documents"):
        run()


def test_without_an_address_the_openai_backend_says_what_to_set(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNOW_GENERATOR_URL", raising=False)
    with pytest.raises(SnowError, match="SNOW_GENERATOR_URL is not set"):
        run()
    monkeypatch.setenv("SNOW_GENERATOR_URL", "localhost:8000")
    with pytest.raises(SnowError, match="not an http:// or https:// address"):
        run()


def test_the_address_may_leave_out_the_version(chat: ChatServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOW_GENERATOR_URL", chat.url.removesuffix("v1"))
    run(**{"synthetic.inspired.requests": 1})
    assert len(chat.asked) == 1


def test_local_weights_are_named_by_their_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, content in (("a", b"weights"), ("b", b"weights"), ("c", b"others")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tiny.gguf").write_bytes(content)

    def model(place: str, **changes: Any) -> Any:
        return asking.identify(params({"generators.smollm2.model": place, **changes}).generators["smollm2"])[0]

    assert model("a/tiny.gguf").name == "tiny"
    assert model("a/tiny.gguf") == model("b/tiny.gguf") != model("c/tiny.gguf")
    assert model("a/tiny.gguf", **{"generators.smollm2.revision": "v1"}) == model("a/tiny.gguf"), "a revision is a hub name's"
    (tmp_path / "a" / "tiny.bin").write_bytes(b"")
    with pytest.raises(SnowError, match=r"needs a \.gguf file"):
        model("a/tiny.bin")
