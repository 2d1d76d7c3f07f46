"""Completions are the model's own greedy text, whatever shares the batch, up to where EvalPlus would cut them."""

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from snow.errors import SnowError
from snow.evaluate import loading, protocols
from snow.evaluate.decoding import GREEDY, TAIL, Completion, Request, Sampling, batches, complete, cut
from snow.evaluate.loading import Checkpoint
from snow.evaluate.sandbox import Sandbox
from snow.suites.tasks import Task
from snow.synthesis.endpoint import Endpoint
from tests.chat_server import Reply, error, serving
from tests.evaluate.judging import judge_of
from tests.evaluate.models import memorise
from tests.stage_runs import run

# Tasks the model has learned, and what follows their solutions in its memory.
KNOWN = {0: "\n\ndef check(candidate):\n    assert candidate\n", 2: "", 3: '\nif __name__ == "__main__":\n    pass\n', 7: "\nprint(1)\n"}


@pytest.fixture(scope="session")
def model(tasks: list[Task], tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [tasks[number].prompt.rstrip("\n") + "\n" + tasks[number].solution.rstrip("\n") + after for number, after in KNOWN.items()]
    return memorise(texts, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def suite(humaneval: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first eight tasks."""
    path = tmp_path_factory.mktemp("suite") / "humaneval.jsonl"
    path.write_text("".join(line + "\n" for line in humaneval.read_text().splitlines()[:8]))
    return path


def completed(folder: Path, model: Path, suite: Path, **changes: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows and the facts of the stage."""
    output = folder / "completions.jsonl"
    inputs = {"model": model, "suite": suite}
    facts = run("complete", "phase1/humaneval", folder, inputs, {"completions": output}, {"evaluation.completion": changes})
    return [json.loads(line) for line in output.read_text().splitlines()], facts


def decoded(
    checkpoint: Checkpoint, prompts: list[list[int]], stops: tuple[str, ...], longest: int, batch_size: int, sampling: Sampling = GREEDY
) -> dict[int, Completion]:
    """The completion of each prompt, whose index is its seed."""
    requests = [Request(ids, seed) for seed, ids in enumerate(prompts)]
    found: dict[int, Completion] = {}
    for made in complete(checkpoint, requests, stops, longest, sampling, batches(requests, batch_size)):
        found |= made
    return found


def test_a_model_that_knows_the_solutions_passes_from_prompt_to_verdict(
    model: Path, suite: Path, tasks: list[Task], sandbox: Sandbox, tmp_path: Path
) -> None:
    rows, facts = completed(tmp_path, model, suite, max_new_tokens=200)
    assert [row["task_id"] for row in rows] == [task.task_id for task in tasks[:8]]
    for number in KNOWN:
        prompt = tasks[number].prompt.rstrip("\n")
        assert rows[number]["solution"].rstrip() == prompt + "\n" + tasks[number].solution.rstrip("\n")
        assert rows[number]["solution"] == prompt + rows[number]["completion"]
        assert rows[number]["prompt_sha256"] == hashlib.sha256(prompt.encode()).hexdigest()
    assert facts["completions"] == 8
    assert facts["endings"]["stop"] >= 3
    assert facts["endings"]["end"] >= 1
    judge = judge_of(suite, sandbox, tmp_path)
    verdicts = list(judge.verdicts([(row["task_id"], row["solution"]) for row in rows], threads=2))
    assert {number for number, row in enumerate(verdicts) if row["status"] == "pass"} >= set(KNOWN)


def test_the_text_is_what_transformers_generates_for_the_prompt_alone(model: Path, tasks: list[Task]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    alone = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    prompts = [tasks[number].prompt.rstrip("\n") for number in range(12)]
    loaded = loading.load(model, threads=1)
    ours = decoded(loaded, [loaded.encode(prompt) for prompt in prompts], (), 40, batch_size=12)
    for index, prompt in enumerate(prompts):
        ids = torch.tensor([tokenizer.encode(prompt)])
        theirs = alone.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=40, do_sample=False)[0, ids.shape[1] :]
        assert ours[index].text == tokenizer.decode(theirs, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def test_neither_the_batch_nor_the_threads_change_a_text(model: Path, tasks: list[Task]) -> None:
    found: list[dict[int, Completion]] = []
    for threads, batch_size in ((1, 1), (1, 5), (2, 4), (1, 24)):
        loaded = loading.load(model, threads)
        prompts = [loaded.encode(task.prompt) for task in tasks[:24]]
        found.append(decoded(loaded, prompts, protocols.of("humaneval").stops, 48, batch_size))
    assert all(each == found[0] for each in found)


def test_a_run_repeats_itself_byte_for_byte(model: Path, suite: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    completed(first, model, suite)
    completed(second, model, suite)
    assert (first / "completions.jsonl").read_bytes() == (second / "completions.jsonl").read_bytes()


def test_limit_takes_the_first_tasks(model: Path, suite: Path, tmp_path: Path) -> None:
    rows, _ = completed(tmp_path, model, suite, limit=2, max_new_tokens=4)
    assert [row["task_id"] for row in rows] == ["HumanEval/0", "HumanEval/1"]


def test_the_newline_after_the_prompt_is_the_users_choice(tasks: list[Task]) -> None:
    assert protocols.prompt(tasks[2], "kept") == tasks[2].prompt
    assert protocols.prompt(tasks[2], "removed") + "\n" == tasks[2].prompt
    assert protocols.prompt(tasks[2], "one") == tasks[2].prompt.lstrip("\n")


def test_prompts_that_do_not_fit_lose_their_beginning_and_are_counted(model: Path, suite: Path, tmp_path: Path) -> None:
    _, facts = completed(tmp_path, model, suite, max_new_tokens=900)
    assert facts["truncated_prompts"] > 0
    with pytest.raises(SnowError, match="leaves no room for a prompt in the model's 1024 positions"):
        completed(tmp_path, model, suite, max_new_tokens=1024)


def test_special_token_names_in_a_prompt_are_text(model: Path) -> None:
    loaded = loading.load(model, threads=1)
    end = loaded.tokenizer.eos_token_id
    assert end not in loaded.encode("stop at <|endoftext|> here")


def test_completions_are_cut_at_the_first_stop_sequence() -> None:
    stops = protocols.of("humaneval").stops
    assert cut("    return 1\n\ndef other():\n    pass\nclass A: pass", stops) == "    return 1\n"
    assert cut("    return 1\n    print(2)", stops) == "    return 1\n    print(2)"
    assert all(len(stop.encode()) < TAIL for each in protocols.PROTOCOLS.values() for stop in each.stops)


def test_a_folder_without_a_model_is_named(suite: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(SnowError, match="not a Hugging Face model folder"):
        completed(tmp_path, tmp_path / "model", suite)


def test_tokens_are_drawn_as_often_as_they_are_likely(model: Path, tasks: list[Task]) -> None:
    loaded = loading.load(model, threads=1)
    ids = loaded.encode(tasks[9].prompt[:40])
    with torch.inference_mode():
        likely = torch.softmax(loaded.model(torch.tensor([ids])).logits[0, -1] / 1.5, -1)
    drawn = decoded(loaded, [ids] * 2000, (), 1, 500, Sampling(1.5, 1.0))
    counts = Counter(completion.text for completion in drawn.values() if completion.ending == "length")
    best, second = likely.topk(2).indices.tolist()
    for token in (best, second):
        share = counts[loaded.decode([token])] / 2000
        assert abs(share - likely[token].item()) < 4 * (likely[token].item() / 2000) ** 0.5
    reached = likely.sort(descending=True).values.cumsum(0)
    few = decoded(loaded, [ids] * 300, (), 1, 300, Sampling(1.5, 0.5))
    allowed = {loaded.decode([token]) for token in likely.topk(int((reached < 0.5).sum()) + 1).indices.tolist()}
    assert {completion.text for completion in few.values()} <= allowed


def test_samples_of_a_task_differ_and_are_the_same_whatever_they_are_drawn_beside(model: Path, suite: Path, tmp_path: Path) -> None:
    drawn = {"samples": 3, "temperature": 1.5, "top_p": 0.95, "max_new_tokens": 16, "limit": 4}
    first, facts = completed(tmp_path / "first", model, suite, **drawn, batch_size=12)
    second, _ = completed(tmp_path / "second", model, suite, **drawn, batch_size=5)
    assert first == second
    assert facts["completions"] == 12
    assert [(row["task_id"], row["sample"]) for row in first] == [(f"HumanEval/{task}", sample) for task in range(4) for sample in range(3)]
    assert len({row["completion"] for row in first if row["task_id"] == "HumanEval/1"}) == 3
    with pytest.raises(SnowError, match="samples: 3 greedy samples of a task are one"):
        completed(tmp_path, model, suite, samples=3)


def test_a_chat_model_is_asked_through_its_template(tasks: list[Task], suite: Path, tmp_path: Path) -> None:
    task = tasks[2]
    answer = f"def {task.entry_point}(x):\n    return x - int(x)"
    [asked, begun] = (message["content"] for message in protocols.conversation(task))
    model = memorise([f"\nuser: {asked}\nassistant: {begun}{answer}\n```\nThat is all."], tmp_path / "model")
    with pytest.raises(SnowError, match="has no chat template"):
        completed(tmp_path, model, suite, prompts="chat")
    (model / "chat_template.jinja").write_text(
        "{% for message in messages %}{{ '\\n' + message.role + ': ' + message.content }}{% endfor %}"
    )
    rows, facts = completed(tmp_path, model, suite, prompts="chat", max_new_tokens=300, limit=3)
    assert rows[2]["solution"] == answer  # alone, without the prompt
    assert facts["endings"]["stop"] >= 1


def test_a_prompt_in_words_is_no_code_block(tasks: list[Task]) -> None:
    words = replace(tasks[0], prompt="Add two numbers.\nYou should begin with:\n```\ndef f(a, b):\n```")
    assert protocols.conversation(words)[0]["content"].endswith(f"\n{words.prompt}")
    assert protocols.conversation(tasks[0])[0]["content"].endswith(f"```\n{tasks[0].prompt.strip()}\n```")


def test_a_server_gives_the_completions_of_the_model_itself(
    model: Path, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client of vLLM against a server of its protocol, behind which is the model."""
    loaded = loading.load(model, threads=1)

    def reply(body: dict[str, Any]) -> Reply:
        sampling = Sampling(body["temperature"], body["top_p"])
        [made] = complete(loaded, [Request(body["prompt"], body["seed"])], body["stop"], body["max_tokens"], sampling, [[0]])
        stopped = "\ndef " if made[0].ending == "stop" else None
        choice = {
            "index": 0,
            "text": made[0].text,
            "finish_reason": "length" if made[0].ending == "length" else "stop",
            "stop_reason": stopped,
        }
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": made[0].tokens, "total_tokens": 0}
        return 200, {"id": "1", "object": "text_completion", "created": 0, "model": "model", "choices": [choice], "usage": usage}

    with serving() as server:
        server.path, server.reply = "/v1/completions", reply

        @contextlib.contextmanager
        def started(options: dict[str, Any], log: Path) -> Iterator[Endpoint]:
            assert (options["backend"], options["weights"], options["context_tokens"]) == ("vllm", str(model), 1024)
            yield Endpoint(server.url, "key", local=True)

        monkeypatch.setattr("snow.synthesis.endpoint.started", started)
        for name, drawn in (("greedy", {}), ("drawn", {"samples": 2, "temperature": 1.0, "top_p": 0.9})):
            ours = completed(tmp_path / name, model, suite, **drawn)
            assert completed(tmp_path / name / "served", model, suite, **drawn, backend="vllm") == ours
        assert server.asked[0]["stop_token_ids"]
        count = len(server.asked)
        server.reply = lambda body: error(500, "out of memory")
        monkeypatch.setattr("snow.synthesis.client.RETRIES", 0)
        with pytest.raises(SnowError, match="answered 500: out of memory"):
            completed(tmp_path / "failing", model, suite, backend="vllm")
        assert len(server.asked) > count
