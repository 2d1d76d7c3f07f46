# `make pocket` and `make test` do all their own set-up under .envs/; nothing is installed outside this folder.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
UV := .envs/uv/bin/uv
UV_VERSION := 0.13.9
# On a GPU machine torch comes with CUDA from its own lock. Elsewhere it is the CPU build: a wheel in a local folder that pip is
# told of (uv does not read pip's setting), else PyTorch's index of CPU builds, which uv knows by name.
ACCELERATOR ?= $(if $(shell command -v nvidia-smi),cuda,cpu)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
LOCAL_TORCH := $(if $(UV_FIND_LINKS),$(wildcard $(UV_FIND_LINKS)/torch-*+cpu*.whl))
BACKEND := $(if $(filter cuda,$(ACCELERATOR))$(LOCAL_TORCH),,--torch-backend cpu)
lock = envs/$(1)$(if $(filter torch-cuda,$(1)-$(ACCELERATOR)),-cuda).txt
export UV_LINK_MODE ?= hardlink
export DVC_NO_ANALYTICS = 1

.PHONY: pocket test test-all test-bigcodebench test-vllm envs lint check-system

pocket: check-system .envs/base/.done .envs/torch/.done .envs/eval/.done
	.envs/base/bin/snakemake all

# Three workers on two cores: a test waits a quarter of its time for the programs it starts, one of Slurm more.
test: check-system .envs/base/.done .envs/torch/.done .envs/eval/.done .envs/dev/.done
	.envs/dev/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not vllm and not slow"

# Also the whole recipe through Slurm, and what waits for Slurm's minutes.
test-all: check-system .envs/base/.done .envs/torch/.done .envs/eval/.done .envs/dev/.done
	.envs/dev/bin/python -m pytest

# Not part of `test`: an environment of 2.7 GB. Judges all of BigCodeBench's own solutions, on two cores in a quarter of an hour;
# goes on where it was interrupted.
BIGCODEBENCH ?= ../shared/benchmarks/BigCodeBench.jsonl.gz
test-bigcodebench: check-system .envs/bigcodebench/.done
	mkdir -p .snow
	gzip -cdf $(BIGCODEBENCH) > .snow/BigCodeBench.jsonl
	.envs/bigcodebench/bin/python bench/canonical.py .snow/BigCodeBench.jsonl .snow/BigCodeBench-verdicts.jsonl
	rm .snow/BigCodeBench-verdicts.jsonl

# Not part of `test`: a vLLM environment is 3 GB on CPU and more on a GPU.
test-vllm: check-system .envs/dev/.done .envs/torch/.done .envs/vllm-$(ACCELERATOR)/.done
	.envs/dev/bin/python -m pytest -m vllm

envs: check-system .envs/base/.done .envs/torch/.done .envs/eval/.done

lint: .envs/dev/.done
	.envs/dev/bin/ruff check . && .envs/dev/bin/ruff format --check . && .envs/dev/bin/pyright && .envs/dev/bin/snakefmt --check Snakefile rules

check-system:
	@bash envs/check-system

.envs/uv/.done:
	$(PYTHON) -m venv .envs/uv
	.envs/uv/bin/python -m pip --quiet install uv==$(UV_VERSION)
	@touch $@

# The lock is complete, so --no-deps: nothing is resolved again, and no package can bring a second torch. Compiled once, because a
# sandbox can write nothing and a first run should not wait; what is seldom or never imported is left out.
UNCOMPILED := site-packages/.*/tests?/|/transformers/models/(?!auto/|bert/|llama/)
.envs/%/.done: envs/%.txt envs/torch-cuda.txt pyproject.toml .envs/uv/.done
	$(UV) venv --quiet --clear --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .envs/$*
	$(UV) pip install --quiet --no-deps --python .envs/$*/bin/python $(BACKEND) -r $(call lock,$*)
	$(UV) pip install --quiet --no-deps --python .envs/$*/bin/python --editable .
	.envs/$*/bin/python -m compileall -qq -j 0 -x '$(UNCOMPILED)' .envs/$*/lib || true
	@touch $@
