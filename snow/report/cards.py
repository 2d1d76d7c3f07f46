"""The data card and the model card: what a reader of the corpus or of a checkpoint must know, with the run's own numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from snow.report import funnel, heldout
from snow.report.content import Table
from snow.report.format import cell, count, general, short
from snow.report.markdown import escaped, markdown_table
from snow.report.markup import printable
from snow.report.run import Run, schedule_words

DECAYED = {"matrices": "matrices", "layers": "the layers' matrices", "all": "all weights"}
PREFERENCE = "- Selection prefers what resembles the annotator's positives. It is a preference, not a measure of correctness."
ONE_SEED = "- One run of each model with one seed: how much results vary from seed to seed was not measured."


def _front(**fields: Any) -> str:
    """The metadata block model hubs read; JSON values are YAML values."""
    lines = (f"{name}: {printable(json.dumps(value, ensure_ascii=False))}" for name, value in fields.items())
    return "\n".join(["---", *lines, "---"])


def _join(parts: Sequence[str]) -> str:
    return "\n\n".join(parts) + "\n"


def data_card(title: str, run: Run, tables: Mapping[str, Table]) -> str:
    """The corpus and the synthetic documents, as a Markdown file with the metadata of a Hugging Face data set."""
    holdout = run.receipts.one("holdout")
    languages, licenses = sorted(holdout["bytes"]), sorted(run.params["licenses"]["allow"])
    written = ", and code files written by a language model from fragments of it" if run.synthetic_sets else ""
    return _join(
        [
            _front(pretty_name=title, license="other", task_categories=["text-generation"], tags=["code", "pretraining"]),
            f"# {escaped(title)}: data card",
            "## What it is",
            escaped(
                f"Source code in {len(languages)} languages ({', '.join(languages)}), collected from the sources below, filtered, "
                f"deduplicated and decontaminated after the Arctic-SnowCoder recipe (arXiv 2409.02326){written}. One row is one file: "
                "id, repo, path, language, license, content, size."
            ),
            markdown_table(tables["funnel"]),
            markdown_table(tables["token_sets"]),
            "## Where it comes from",
            markdown_table(tables["sources"]),
            escaped(
                "Only files under a permissive licence are kept, as far as the licence could be recognised; a file that says nothing, "
                f"or something unknown, is left out. Allowed: {', '.join(licenses)}. Each row names its own licence, and its notices "
                "still apply to it."
            ),
            "## How it was made",
            *_steps(run.params, tables),
            *_synthetic(run, tables),
            "## Held out",
            escaped(
                f"{heldout.units(holdout)} are trained on by no model and measure them all. No annotator sees them, nor does a tokenizer "
                f"trained here. The held-out text {heldout.mixed(holdout)}.{heldout.apart(holdout)}"
            ),
            "## What to know before using it",
            "\n".join(
                [
                    *_private(run, tables),
                    "- Decontamination finds a benchmark's own text, not a paraphrase of it, and only of the suites listed above.",
                    "- Licences are read from licence files, manifests and the comment at each file's top, by a program.",
                    *([PREFERENCE] if run.declared.selections else []),
                ]
            ),
        ]
    )


def _steps(params: Mapping[str, Any], tables: Mapping[str, Table]) -> list[str]:
    dedup = params["dedup"]
    return [
        escaped(
            "Filters look at size, line lengths, the share of letters, encoded data, marks of generated files and, for Python, whether "
            "it parses; a reason below is the name of the threshold under filters in the report's params. Deduplication drops exact "
            f"copies and near-duplicates: MinHash with {count(dedup['permutations'])} permutations over {dedup['ngram']}-grams of "
            f"tokens, estimated Jaccard similarity of {general(dedup['threshold'])} or more."
        ),
        markdown_table(tables["dropped"]),
        escaped(" ".join(tables["decontamination"].notes)),
        markdown_table(tables["decontamination"]),
    ]


def _private(run: Run, tables: Mapping[str, Table]) -> list[str]:
    """What was done about personal data, secrets and malware, and who opted out."""
    if run.redacted:
        found = ", ".join(f"{count(row[1])} of {row[0]}" for row in tables["redacted"].rows)
        said = (
            f"Personal data and secrets were replaced by markers ({found}), by a program that misses some; names of people were not looked "
            "for, nor malware."
        )
    else:
        said = "No step looks for personal data, credentials or malware; assume the documents hold what public code holds."
    return [f"- {escaped(sentence)}" for sentence in [said, *funnel.opted_out(run.receipts)]]


def _synthetic(run: Run, tables: Mapping[str, Table]) -> list[str]:
    parts = ["## Synthetic documents"] if run.synthetic_sets else []
    for name in run.synthetic_sets:
        settings = run.declared.synthetic[name]
        generator = run.params["generators"][settings.generator]
        parts += [
            escaped(
                f"{name}: written by {_written_by(run, name)} at temperature {general(generator['temperature'])}, top-p "
                f"{general(generator['top_p'])}, at most {count(generator['max_tokens'])} tokens, from up to "
                f"{count(settings.seed_lines)} consecutive lines of a document of the selection {settings.seeds} each. They were "
                "parsed where there is a parser for their language, never executed, and may be wrong. Their licence column says "
                "synthetic; the terms of the generating model apply."
            ),
            markdown_table(tables[f"synthesis:{name}"]),
        ]
    return parts


def _written_by(run: Run, name: str) -> str:
    """The generator as its receipts name it, with its revision where that is known."""
    pairs = {(str(facts.get("model")), facts.get("revision")) for facts in run.receipts.instances("generate", f"{name}/").values()}
    named = sorted(f"{model} (revision {revision})" if revision else model for model, revision in pairs)
    return " and ".join(named)


def model_card(title: str, run: Run, tables: Mapping[str, Table], result: str, worth: Sequence[str]) -> str:
    """All checkpoints of the run, as a Markdown file with the metadata of a Hugging Face model; `result` and `worth` are the report's."""
    last = run.last
    languages = ", ".join(sorted(run.receipts.one("holdout")["bytes"]))
    return _join(
        [
            _front(license="other", **_base(run), library_name="transformers", pipeline_tag="text-generation", tags=["code"]),
            f"# {escaped(title)}: model card",
            "## What it is",
            escaped(
                f"{_origin(run)} after the Arctic-SnowCoder recipe (arXiv 2409.02326) on code in {languages}. They continue text; they "
                "follow no instructions."
            ),
            "\n".join(f"- `models/{name}`: {escaped(run.meaning(name))}" for name in run.models),
            f"The published one is `models/{last}`:",
            "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            f'tokenizer = AutoTokenizer.from_pretrained("models/{last}")\n'
            f'model = AutoModelForCausalLM.from_pretrained("models/{last}")\n```',
            "## Architecture",
            escaped(_architecture(run)),
            "## Training",
            markdown_table(tables["training"]),
            _recipe(run),
            "## Evaluation",
            escaped(result),
            markdown_table(tables["pass"]),
            escaped(" ".join(tables["pass"].notes)),
            markdown_table(tables["bits"]),
            escaped(" ".join(tables["bits"].notes)),
            markdown_table(tables["preference"]),
            escaped(" ".join(tables["preference"].notes)),
            *map(escaped, worth),
            "## What to know before using it",
            "\n".join(
                [
                    "- Code it writes may be wrong, insecure, or a copy of training data; run it in a sandbox only.",
                    "- It was measured on Python benchmarks and on held-out files of its own corpus, and on nothing else.",
                    *([] if any(map(run.replicas, run.path)) else [ONE_SEED]),
                    "- The data card says what it was trained on, and under which licences.",
                ]
            ),
        ]
    )


def _base(run: Run) -> dict[str, str]:
    """What hubs read of the model that training began from, where that is one of others on a hub."""
    root = run.root(run.last)
    named = run.receipts.one("obtain", root) if root else {}
    return {"base_model": named["pretrained"]} if named.get("commit") else {}


def _origin(run: Run) -> str:
    root, size = run.root(run.last), short(run.trained(run.last)["parameters"])
    if root is None:
        return f"Llama-architecture language models of code, {size} parameters, pretrained from scratch"
    named = run.receipts.one("obtain", root)
    which = named["pretrained"] + (f" at {named['commit']}" if named["commit"] else "")
    return f"Language models of code, {size} parameters, continued from {which}, whose licence and limits still apply,"


def _architecture(run: Run) -> str:
    root, vocabulary = run.root(run.last), cell(run.vocabulary(run.last), "count")
    if root is not None:
        return f"That of {root}: {run.receipts.one('obtain', root)['architecture']}, vocabulary {vocabulary}."
    model = run.params["architecture"]
    return (
        f"Hidden size {count(model['hidden_size'])}, feed-forward {count(model['intermediate_size'])}, "
        f"{count(model['num_hidden_layers'])} layers, {count(model['num_attention_heads'])} heads "
        f"({count(model['num_key_value_heads'])} for keys and values), vocabulary {vocabulary}, context "
        f"{count(model['max_position_embeddings'])} tokens, {'tied' if model['tie_word_embeddings'] else 'separate'} embeddings."
    )


def _recipe(run: Run) -> str:
    return "\n".join(
        "- "
        + escaped(
            f"{name}: AdamW (betas {general(model.beta1)} and {general(model.beta2)}, weight decay {general(model.weight_decay)} on "
            f"{DECAYED[model.weight_decay_on]}, "
            f"gradients clipped at {general(model.gradient_clip)}), {count(model.batch_size)} sequences of {count(model.sequence_length)} "
            f"tokens a step, {'attention within documents, ' if model.document_masks else ''}"
            f"{f'z-loss {general(model.z_loss)}, ' if model.z_loss else ''}{schedule_words(model.schedule)}, {model.engine.precision}."
        )
        for name, model in run.models.items()
    )
