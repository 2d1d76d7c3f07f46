# `make pocket` and `make test` do all their own set-up under .envs/; nothing is installed outside this folder.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
UV := .envs/uv/bin/uv
UV_VERSION := 0.13.9
# On a GPU machine the CUDA lock is used; uv needs to be told of local wheels, pip's own setting is not read by it.
ACCELERATOR ?= $(if $(shell command -v nvidia-smi),cuda,cpu)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_LINK_MODE ?= hardlink
export DVC_NO_ANALYTICS = 1

.PHONY: pocket test test-vllm envs lint check-system clean

pocket: check-system .envs/base/.done .envs/torch/.done .envs/eval/.done
	.envs/base/bin/snakemake all

test: check-system .envs/base/.done .envs/torch/.done .envs/eval/.done .envs/dev/.done
	.envs/dev/bin/python -m pytest

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

# The lock is complete, so --no-deps: nothing is resolved again, and no package can bring a second torch.
.envs/%/.done: envs/%.txt pyproject.toml .envs/uv/.done
	$(UV) venv --quiet --clear --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .envs/$*
	$(UV) pip install --quiet --no-deps --compile-bytecode --python .envs/$*/bin/python -r envs/$*.txt
	$(UV) pip install --quiet --no-deps --python .envs/$*/bin/python --editable .
	@touch $@
