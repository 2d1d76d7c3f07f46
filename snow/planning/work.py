"""What a job has to do, as one number that its cost is in proportion to, and what that takes of processors or GPUs.

| stage | the number |
|---|---|
| collect, partition, measure, filter, redact, minhash, unique, decontaminate | bytes of text read |
| duplicates, holdout, select | documents of the corpus |
| tokenizer, pack | bytes of text turned into tokens |
| pretrain | FLOP, validations included |
| annotate, score, bits, preference, generate | FLOP of going forwards, 2 N a token |
| complete | passes through the model: tokens one after the other, a batch at a time |
| requests, refine, judge, mutate | requests, answers, solutions |
"""

from __future__ import annotations

import math
from collections.abc import Callable

from snow.evaluate import protocols
from snow.graph import Job
from snow.params import Params
from snow.planning import shapes, training
from snow.planning.sizes import Sizes
from snow.planning.units import Gpu, Table
from snow.schema import Completion
from snow.suites.checkers import CHECKERS

TASK_TOKENS = 250  # of HumanEval's prompt with its solution, in a vocabulary of code
SUITE_TASKS = {"human-eval": 164, "evalplus-humaneval": 164, "evalplus-mbpp": 378, "evoeval": 500, "bigcodebench": 1140}  # [P 3.1]
GPU_STAGES = ("pretrain", "annotate", "score", "generate", "complete", "bits", "preference")


class Work:
    """The work of every job of one set of params."""

    def __init__(self, params: Params, sizes: Sizes, table: Table) -> None:
        self.params, self.sizes, self.table = params, sizes, table
        self.on_gpus = any(model.engine.precision == "bf16" for model in params.models.values())

    def amount(self, job: Job) -> float:
        """How much a job has to do, in the unit of its stage; NaN when that is not known."""
        known: dict[str, Callable[[str], float]] = {
            "collect": lambda _: self.sizes.raw.bytes / self.params.shards,
            "partition": lambda _: self.sizes.raw.bytes,
            "measure": lambda _: self.sizes.raw.bytes / self.params.shards,
            "filter": lambda _: self.sizes.raw.bytes / self.params.shards,
            "redact": lambda _: self.sizes.filtered.bytes / self.params.shards,
            "minhash": lambda _: self.sizes.filtered.bytes / self.params.shards,
            "duplicates": lambda _: self.sizes.filtered.documents,
            "unique": lambda _: self.sizes.filtered.bytes / self.params.shards,
            "decontaminate": lambda _: self.sizes.unique.bytes / self.params.shards,
            "holdout": lambda _: self.sizes.clean.documents,
            "select": lambda _: self.sizes.clean.documents,
            "tokenizer": self._tokenizer,
            "pack": self._pack,
            "pretrain": self._pretrain,
            "annotate": self._annotate,
            "score": self._score,
            "requests": lambda name: float(self.params.synthetic[name].requests),
            "generate": self._generate,
            "refine": lambda name: float(self.params.synthetic[name].requests),
            "complete": self._complete,
            "judge": lambda name: float(self._solutions(name.rpartition("/")[2])),
            "mutate": lambda name: float(self._tasks(name, self.params.evaluation.preference.limit) * self._mutants),
            "bits": self._bits,
            "preference": self._preference,
        }
        return known[job.stage](job.instance) if job.stage in known else 0.0

    def cores(self, job: Job) -> float:
        """Seconds of one core of the table's machine."""
        unit = self.table.unit(job.stage)
        return unit.start + unit.each * self.amount(job)

    def gpu_seconds(self, job: Job, gpu: Gpu) -> float | None:
        """Seconds of one GPU; None for a job that needs none. Training from what our step was measured to reach; going forwards by the
        same share of the peak; generation besides reads the weights for every token of a batch, at the bandwidth of the data sheet."""
        if not self.on_gpus or job.stage not in GPU_STAGES:
            return None
        if job.stage == "pretrain":
            return self.amount(job) / (gpu.peak_flops * self.share_of_peak(job.instance, gpu))
        if job.stage == "complete":
            model, suite = job.instance.split("/")
            return self._decoding(gpu, self.weights(model), self._solutions(suite), self._new_tokens(suite), self._completion.batch_size)
        if job.stage == "generate":
            asked = self.params.synthetic[job.instance.partition("/")[0]]
            requests = asked.requests / asked.shards
            return self._decoding(
                gpu, self._generator(asked.generator), requests, self.sizes.answer_tokens(asked.generator), asked.concurrency
            )
        name = job.instance.partition("/")[0]
        weights = self._encoder(name) if job.stage in ("annotate", "score") else self.weights(name)
        return self.amount(job) / (gpu.peak_flops * training.utilisation(gpu, 6.0 * weights))

    def share_of_peak(self, model: str, gpu: Gpu) -> float:
        """The share of a GPU's peak that training this model reaches."""
        return training.utilisation(gpu, training.token_flop(self.params, model))

    def out_bytes(self, job: Job) -> float:
        """Bytes of a job's outputs: of models by their weights, else as the table has it."""
        if job.stage == "pretrain":
            return self.weights(job.instance) * training.WEIGHT_BYTES[self.params.models[job.instance].engine.precision]
        if job.stage == "obtain":
            return self.weights(job.instance) * training.WEIGHT_BYTES["fp32"]
        if job.stage == "annotate":
            return self._encoder(job.instance) * training.WEIGHT_BYTES["fp32"]
        unit = self.table.unit(job.stage)
        return unit.out_start + unit.out_each * self.written(job)

    def written(self, job: Job) -> float:
        """What a job's outputs are in proportion to: what it does, or what it does it for."""
        name, _, suite = job.instance.partition("/")
        match job.stage:
            case "score":
                return self.sizes.clean.documents / self.params.shards
            case "generate":
                one = self.params.synthetic[name]
                return one.requests / one.shards * self.sizes.answer_tokens(one.generator)
            case "complete":
                return float(self._solutions(suite))
            case "preference":
                return float(self._tasks(suite, self.params.evaluation.preference.limit))
            case "bits":
                return 0.0
            case _:
                return self.amount(job)

    def weights(self, model: str) -> float:
        """Parameters of a model of the experiment, or of another's by the size in its name."""
        if model in self.params.models:
            return training.parameters_of(self.params, model)
        return shapes.of_others(self.params, model).weights

    @property
    def _completion(self) -> Completion:
        return self.params.evaluation.completion

    def _decoding(self, gpu: Gpu, weights: float, answers: float, tokens: float, together: float) -> float:
        computing = 2.0 * weights * answers * tokens / (gpu.peak_flops * training.utilisation(gpu, 6.0 * weights))
        return computing + math.ceil(answers / together) * tokens * 2.0 * weights / gpu.bandwidth

    def _tokenizer(self, name: str) -> float:
        one = self.params.tokenizers[name]
        return 0.0 if one.pretrained else min(float(one.sample_bytes), self.sizes.clean.bytes)

    def _pack(self, name: str) -> float:
        name = name.partition("/")[0]
        if name not in self.params.token_sets:
            return self.sizes.heldout_bytes / self.params.shards
        shards = 1 if self.params.token_sets[name].documents in self.params.synthetic else self.params.shards
        return self.sizes.packed(name).bytes / shards

    def _pretrain(self, name: str) -> float:
        model, trained = self.params.models[name], self.sizes.trained(name)
        steps = trained / (model.batch_size * model.sequence_length)
        validated = model.validate_tokens * math.ceil(steps / model.validate_steps)
        return training.token_flop(self.params, name) * (trained + validated / 3)

    def _annotate(self, name: str) -> float:
        one = self.params.annotators[name].training
        texts = sum(part.limit for part in one.positives) + one.negatives + one.validation_negatives
        texts += sum(self._tasks(suite, None) for suite in self.params.evaluation.suites)
        sections = len(self.params.annotators[name].scoring.sections)
        passes = 1 if one.finetune is None else 1 + 3 * one.finetune.epochs
        return 2.0 * self._encoder(name) * texts * sections * one.window_tokens * passes

    def _score(self, name: str) -> float:
        name = name.partition("/")[0]
        one = self.params.annotators[name].scoring
        tokens = self.sizes.clean.documents / self.params.shards * len(one.sections) * one.window_tokens
        return 2.0 * self._encoder(name) * tokens

    def _generate(self, name: str) -> float:
        one = self.params.synthetic[name.partition("/")[0]]
        return 2.0 * self._generator(one.generator) * one.requests / one.shards * self.sizes.answer_tokens(one.generator)

    def _complete(self, name: str) -> float:
        suite = name.rpartition("/")[2]
        return float(math.ceil(self._solutions(suite) / self._completion.batch_size) * self._new_tokens(suite))

    def _bits(self, name: str) -> float:
        tasks = sum(self._tasks(suite, None) for suite in self.params.evaluation.suites)
        return 2.0 * self.weights(name) * (self.params.evaluation.bits.max_tokens + tasks * TASK_TOKENS)

    def _preference(self, name: str) -> float:
        model, suite = name.split("/")
        tasks = self._tasks(suite, self.params.evaluation.preference.limit)
        return 2.0 * self.weights(model) * tasks * (1 + self._mutants) * TASK_TOKENS

    @property
    def _mutants(self) -> int:
        return self.params.evaluation.preference.mutants

    def _tasks(self, suite: str, limit: int | None) -> int:
        one = self.params.evaluation.suites[suite]
        tasks = self.sizes.tasks(suite) or (148 if one.hard else SUITE_TASKS[one.checker])
        return min(tasks, limit or tasks)

    def _solutions(self, suite: str) -> int:
        return self._tasks(suite, self._completion.limit) * self._completion.samples

    def _new_tokens(self, suite: str) -> int:
        kind = CHECKERS[self.params.evaluation.suites[suite].checker].kind
        return self._completion.max_new_tokens or protocols.of(kind).max_new_tokens

    def _encoder(self, annotator: str) -> float:
        reference = self.params.annotators[annotator].training.encoder
        return self.table.declared.encoders.get(reference) or shapes.size(reference, "*.safetensors", 4.0)

    def _generator(self, name: str) -> float:
        return shapes.size(self.params.generators[name].model, "*.gguf", 1.0)
