# Everything happens in .venv, which the first target that needs it makes. Another Python: make demo PYTHON=python3.12

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
REQUIREMENTS := pyproject.toml constraints.txt

.DELETE_ON_ERROR:
.PHONY: help demo test test-all lint bench results default-model emodb-model speech-model pitch-model clean distclean

help:
	@echo 'make demo       recognize a clip of examples/ (installs no torch)'
	@echo 'make test       run the tests; make test ARGS="-k folds" runs some'
	@echo 'make test-all   run those that take minutes too, some also with transformers 4, which pip fetches'
	@echo 'make lint       ruff, mypy, import rules'
	@echo 'make bench      check every performance claim in benchmarks/'
	@echo 'make results    rebuild docs/RESULTS.md and the pages of results/ablations/ from predictions'
	@echo 'make default-model   train the embedded model again (hours); make emodb-model, that of EmoDB alone'
	@echo 'make speech-model    train the speech detector again (minutes)'
	@echo 'make pitch-model     export the pitch tracker of corpora stats again (seconds)'
	@echo 'make clean      delete caches and builds; make distclean deletes .venv too'

demo: $(VENV)/.base
	@$(BIN)/serkit predict examples/medium_german.wav

test: $(VENV)/.dev
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(ARGS)

test-all: $(VENV)/.dev
	@$(BIN)/pytest -m 'long or not long' $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.bench
	@status=0; \
	for script in benchmarks/[!_]*.py; do $(BIN)/python "$$script" || status=1; done; \
	exit $$status

results: $(VENV)/.dev
	@$(BIN)/serkit compare $(sort $(dir $(wildcard results/*/recipe.yaml))) --format page > docs/.RESULTS.md
	@mv docs/.RESULTS.md docs/RESULTS.md
	@for one in results/ablations/*/; do \
	  $(BIN)/serkit compare $$one*/ --against $${one}base --out $${one}README.md || exit; \
	done

# Takes hours; needs SERKIT_CORPORA. The first exported file is scored on the unseen corpus. The second has the same
# weights, and a card with that score and the scores on unseen speakers.
default-model: $(VENV)/.dev
	@rm -rf runs/default runs/default-3fold-crnn runs/tess-unseen-default
	@$(BIN)/serkit train default-3fold-crnn --out runs/default
	@$(BIN)/serkit export runs/default -o runs/default.onnx
	@$(BIN)/serkit evaluate runs/default.onnx --corpora tess --out runs/tess-unseen-default
	@$(BIN)/serkit evaluate default-3fold-crnn --out runs/default-3fold-crnn
	@$(BIN)/python tools/publish_run.py runs/default-3fold-crnn runs/tess-unseen-default
	@$(BIN)/serkit export runs/default -o src/serkit/assets/default.onnx \
	  --evidence results/default-3fold-crnn --evidence results/tess-unseen-default
	@$(BIN)/python tests/golden/make.py

speech-model: $(VENV)/.dev
	@PYTHONPATH=tools $(BIN)/python -m speech_detector -o src/serkit/assets/speech.onnx

pitch-model: $(VENV)/.dev
	@PYTHONPATH=tools $(BIN)/python -m pitch_tracker -o src/serkit/assets/pitch.onnx

emodb-model: $(VENV)/.dev
	@rm -rf runs/emodb runs/emodb-loso-crnn runs/ravdess-unseen-emodb
	@$(BIN)/serkit train emodb-loso-crnn --out runs/emodb
	@$(BIN)/serkit export runs/emodb -o runs/emodb.onnx
	@$(BIN)/serkit evaluate runs/emodb.onnx --corpora ravdess --out runs/ravdess-unseen-emodb
	@$(BIN)/serkit evaluate emodb-loso-crnn --out runs/emodb-loso-crnn
	@$(BIN)/python tools/publish_run.py runs/emodb-loso-crnn runs/ravdess-unseen-emodb
	@$(BIN)/serkit export runs/emodb -o src/serkit/assets/emodb.onnx --error-rate 15 \
	  --evidence results/emodb-loso-crnn --evidence results/ravdess-unseen-emodb
	@$(BIN)/python tests/golden/make.py

clean:
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache docs/.RESULTS.md
	@find benchmarks examples src tests tools -name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	@rm -rf $(VENV) src/serkit.egg-info

# The environment. Each stamp says that an install succeeded since the requirements last changed. All of them install
# serkit editable and add to what is there, so the larger two serve the demo as well, and the demo never takes them away.

$(BIN)/pip:
	@version=$$($(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || version='not there'; \
	case $$version in \
	  3.1[1-9].* | 3.[2-9][0-9].* | [4-9].*) ;; \
	  *) echo "serkit needs Python 3.11 or newer and $(PYTHON) is $$version;" \
	    "name another: make $(firstword $(MAKECMDGOALS)) PYTHON=python3.12" >&2; exit 2 ;; \
	esac
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.base: $(REQUIREMENTS) | $(BIN)/pip
	@echo 'Installing serkit into $(VENV) ...' >&2
	@$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.dev: $(REQUIREMENTS) | $(BIN)/pip
	@echo 'Installing serkit[dev] into $(VENV); with torch that takes minutes ...' >&2
	@$(PIP_INSTALL) -e '.[dev]'
	@touch $(VENV)/.base $@

$(VENV)/.bench: $(REQUIREMENTS) | $(BIN)/pip
	@echo 'Installing serkit[bench] into $(VENV); with torch that takes minutes ...' >&2
	@$(PIP_INSTALL) -e '.[bench]'
	@touch $(VENV)/.base $@
