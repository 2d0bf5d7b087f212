# make demo [VIDEO=path]   locate -> render -> verify on a clip, results in out/
# make test                set up, lint, test, and the floor of coverage
# make test-extras         the extras that need torch in an environment of their own, and their tests
# make lint                style, types, imports, and known weaknesses in what is pinned, where they can be asked for
# make bench               speed, memory and quality beside a bare transcode; searches; many, long and large files
# make fuzz                22,000 changed manifests, receipts and media in a watched process, 200,000 guided by coverage
# make corpus              every file in the folder VERIDACT_MEDIA through locate, render and verify
# make sbom · make audit   the components as CycloneDX in out/ · known weaknesses in them, where the network allows
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BASE := .venv-base
TOOLS := .venv-tools
EXTRAS := .venv-extras
SOURCES := pyproject.toml $(shell find veridact schema locate render -name '*.py' -o -name '*.json' -o -name '*.txt')
DEBIAN := libgl1 libglib2.0-0 libxcb1
TEST_DEBIAN := $(DEBIAN) espeak-ng ffmpeg libimage-exiftool-perl mediainfo
VIDEO ?= out/portrait.mp4
COVERAGE := out/coverage
FLOOR := 90
HALF := $(addprefix tests/,hostile sandbox api packaging audit tools cli)
OTHER_HALF := $(filter-out $(HALF) tests/conftest.py tests/__pycache__,$(wildcard tests/*))

.PHONY: demo test test-extras lint bench fuzz corpus sbom audit clean

# Debian packages that the models' libraries need; where they are all there, or this is no Debian, nothing is done.
define debian
missing=$$(dpkg-query -W -f '$${Package} $${Status}\n' $(1) 2>/dev/null | awk '$$NF == "installed" {print $$1}' \
  | sort | comm -13 - <(printf '%s\n' $(1) | sort) || true); \
if [ -n "$$missing" ] && command -v apt-get >/dev/null; then \
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
fi
endef

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { apt-get update -qq && apt-get install -y -qq python3-venv && $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

$(VENV)/.user: $(BIN)/python $(SOURCES)
	$(call debian,$(DEBIAN))
	$(BIN)/pip install --quiet '.[locate]'
	rm -rf build *.egg-info
	touch $@

$(VENV)/.dev: $(VENV)/.user
	$(call debian,$(TEST_DEBIAN))
	$(BIN)/pip install --quiet '.[heic]'
	rm -rf build *.egg-info
	$(BIN)/pip install --quiet --group dev
	touch $@

# The base installation alone, for the test that it renders without any model library.
$(BASE)/.done: $(BIN)/python $(SOURCES)
	$(PYTHON) -m venv $(BASE)
	$(BASE)/bin/pip install --quiet .
	rm -rf build *.egg-info
	touch $@

# torch is named first, so that a small CPU build is taken where there is one. whisperx wants torch 2.8 and cannot stand
# beside it; its back end is tested on recorded results.
$(EXTRAS)/.done: $(BIN)/python $(SOURCES)
	$(call debian,$(TEST_DEBIAN))
	test -x $(EXTRAS)/bin/python || $(PYTHON) -m venv $(EXTRAS)
	$(EXTRAS)/bin/pip install --quiet --upgrade 'pip>=25.1'
	$(EXTRAS)/bin/pip install --quiet torch==2.13.0
	$(EXTRAS)/bin/pip install --quiet '.[locate,aws,heic,ultralytics]' torch==2.13.0
	$(EXTRAS)/bin/pip install --quiet --group dev
	rm -rf build *.egg-info
	touch $@

demo: $(VENV)/.user
	mkdir -p out && rm -f out/manifest.json out/sheet.png out/redacted.mp4 out/redacted.mp4.audit.jsonl
	test -e '$(VIDEO)' || $(BIN)/python docs/demo.py clip '$(VIDEO)'
	$(BIN)/locate '$(VIDEO)' > out/manifest.json
	$(BIN)/render '$(VIDEO)' out/manifest.json out/redacted.mp4
	$(BIN)/veridact verify out/redacted.mp4.audit.jsonl --input '$(VIDEO)' \
	  --manifest out/manifest.json --output out/redacted.mp4 --rerun
	$(BIN)/python docs/demo.py sheet out/redacted.mp4 out/manifest.json out/sheet.png
	@echo 'see out/: redacted.mp4, manifest.json, redacted.mp4.audit.jsonl and sheet.png'

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory audit

# The tests run in two halves side by side, one for each core. Lines and branches of what decides bytes are counted;
# below the floor of either package the tests have failed.
test: lint $(BASE)/.done
	rm -rf $(COVERAGE) && mkdir -p $(COVERAGE)
	@$(BIN)/coverage run -m pytest $(HALF) > $(COVERAGE)/half.log 2>&1 & half=$$!; code=0; \
	$(BIN)/coverage run -m pytest $(OTHER_HALF) || code=$$?; \
	wait $$half || code=$$?; cat $(COVERAGE)/half.log; exit $$code
	$(BIN)/coverage combine --quiet
	@code=0; for package in schema render; do \
	  echo "coverage of $$package, lines and branches:"; \
	  $(BIN)/coverage report --include="$$package/*" --fail-under=$(FLOOR) || code=1; \
	done; exit $$code

test-extras: $(EXTRAS)/.done
	$(EXTRAS)/bin/python -m pytest -m extra

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/run.py

fuzz: $(VENV)/.dev
	$(BIN)/python -m benchmarks.fuzz
	@if $(BIN)/pip install --quiet --group fuzz; then $(BIN)/python -m benchmarks.fuzz_guided; \
	else echo 'atheris cannot be installed here: the coverage-guided part is left out'; fi

corpus: $(VENV)/.dev
	$(BIN)/python benchmarks/corpus.py

# Tools that examine packages live in an environment of their own, and never list themselves.
$(TOOLS)/.done: $(BIN)/python
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet 'cyclonedx-bom>=7,<8' 'pip-audit>=2.9,<3'
	touch $@

sbom: $(TOOLS)/.done
	mkdir -p out
	for list in requirements/*.txt; do \
	  $(TOOLS)/bin/cyclonedx-py requirements $$list --output-reproducible -o out/sbom-$$(basename $$list .txt).json; \
	done

audit: $(TOOLS)/.done
	@for list in requirements/*.txt; do \
	  code=0; output=$$($(TOOLS)/bin/pip-audit --disable-pip --require-hashes -r $$list 2>&1) || code=$$?; \
	  if grep -qi 'known vulnerabilities in' <<< "$$output"; then echo "$$output"; exit 1; \
	  elif [ $$code != 0 ] || grep -q 'could not be audited' <<< "$$output"; then \
	    echo "$$list: not audited, or not wholly: the database of weaknesses cannot be asked from here"; \
	  else echo "$$list: no known weakness"; fi; \
	done

clean:
	rm -rf $(VENV) $(BASE) $(EXTRAS) $(TOOLS) out build *.egg-info
