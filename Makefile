# make demo and make test: each, alone on a fresh machine with Python 3.11 or later, makes .venv, installs and runs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TEST_PROCESSES ?= 2
OUT ?= runs/demo
PROTOCOL ?= runs/protocol
PART ?=
FORMS ?= runs/forms
LOSSES ?= runs/losses
MAFE_FORMS ?= runs/mafe-forms
TRUE_SIZE ?= runs/true-size

.PHONY: demo docs notebook protocol protocol-data protocol-runs protocol-page transport-form motion-forms mafe-losses mafe-forms true-size parity test test-slow lint types wheel clean help

help:
	@echo "make demo    install, then the whole chain on phantoms: data, generator, cache, benchmark, report (OUT=$(OUT); CPU=1: PyTorch without CUDA)"
	@echo "make protocol  the evidence on phantoms, for many hours: hearts, generators, tuning, seven benchmarks, then docs/evidence/phantom.md (PROTOCOL=$(PROTOCOL))"
	@echo "make motion-forms  generators whose motion has other forms, at about equal training cost, then docs/evidence/motion-forms.md (FORMS=$(FORMS))"
	@echo "make mafe-losses  generators by MAFE's losses, then docs/evidence/mafe-losses.md (FORMS=$(FORMS), LOSSES=$(LOSSES))"
	@echo "make mafe-forms   five short trainings by the form of MAFE's losses, about 2 hours of a CPU core, then docs/evidence/mafe-forms.md (MAFE_FORMS=$(MAFE_FORMS))"
	@echo "make true-size    every job once on 10,030 videos, hours and 22 GB of disk, then docs/evidence/true-size.md (TRUE_SIZE=$(TRUE_SIZE))"
	@echo "make parity  the suite against the reference's code, of clones that ECHO_AUGMENT_EMAVFI, _MCDM and _ECHOSYN name"
	@echo "make test    install, then the test suite and the examples of the docstrings"
	@echo "make test-slow  everything that is marked slow (minutes each), and how long each test takes"
	@echo "make lint    ruff, format and rules"
	@echo "make types   mypy on the package as installed, strict on cache, augmentor and the statistics"
	@echo "make docs    the site of docs/ into build/site, strictly: a dead link is an error"
	@echo "make notebook  run examples/first_look.ipynb, for minutes"
	@echo "make wheel   build sdist and wheel into dist/, and check them"
	@echo "make clean   remove .venv and what was built"

# The stamps follow pyproject.toml: a changed dependency installs again, nothing else does. On Linux the index's torch brings
# CUDA's libraries; CPU=1 takes torch and torchvision, which must be of one release, from PyTorch's own index instead.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SIZE = $(if $(CPU),about 2 GB,$(if $(filter Linux,$(shell uname -s)),6 to 7 GB (CUDA; CPU=1 installs PyTorch without it: about 2 GB),about 2 GB))
define install
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@echo "installing into $(VENV): $(SIZE), some minutes; once"
	$(PYTHON) -m venv $(VENV)
	$(if $(CPU),$(PIP) --index-url https://download.pytorch.org/whl/cpu "torch>=2.6" "torchvision>=0.21")
	$(PIP) -e ".[$(1)]"
	@$(BIN)/python -W ignore -c 'import torch, torchvision' || { echo "torch and torchvision are not of one release: remove $(VENV), or install both anew" >&2; exit 1; }
endef

$(VENV)/.recipes: pyproject.toml
	$(call install,recipes)
	touch $@

$(VENV)/.installed: pyproject.toml
	$(call install,dev)
	touch $@ $(VENV)/.recipes

demo: $(VENV)/.recipes
	$(BIN)/echo-augment demo out=$(OUT)

# With make -j, too: the parts share hearts, generators and clips.
.NOTPARALLEL:

# Every step resumes: after anything, the same command goes on. Two processes on one machine or two:
#   make protocol-runs PART="rank=0 world=2" & make protocol-runs PART="rank=1 world=2"; wait; make protocol
# Each takes the seeds of its turn; generators and tuning are one's work, for which the other waits. The figures are the same.
protocol: protocol-runs protocol-page

phantoms = $(BIN)/echo-augment phantom out=$(PROTOCOL)/$(1) seed=$(2) population=$(3) n=$(4) splits=[$(5)] recording=table label_noise=4.0
comma := ,

protocol-data: $(VENV)/.recipes
	$(call phantoms,A-20,20,A,540,0.3704$(comma)0.1852$(comma)0.4444)
	$(call phantoms,A-21,21,A,900,0.6333$(comma)0.1$(comma)0.2667)
	$(call phantoms,A-22,22,A,900,0.6333$(comma)0.1$(comma)0.2667)
	$(call phantoms,B-21,21,B,900,0.6333$(comma)0.1$(comma)0.2667)

# The folder of a part and its experiment; those with -more and -small take over what the first ones tuned.
PARTS := ef-16:protocol_16 masks:protocol_masks ef-64:protocol_64 shift:protocol_shift ef-16-more:protocol_16_more ef-16-small:protocol_16_small ef-64-small:protocol_64_small

protocol-runs: protocol-data
	@set -e; for part in $(PARTS); do \
		set -x; $(BIN)/echo-augment benchmark experiment=$${part#*:} out=$(PROTOCOL)/$${part%%:*} $(PART); { set +x; } 2>/dev/null; \
	done

protocol-page: $(VENV)/.recipes
	$(BIN)/python -m echo_augment.evaluation.studies.protocol_page $(PROTOCOL) docs/evidence

# Trainings of the generator that share hearts, re-ID and the bundled codec. One thread each: after `make transport-form` the
# trainings of the two recipes below it can be started by hand, two at a time.
CODEC := augmentor/mcdm/weights/tiny/vae
train_form = OMP_NUM_THREADS=1 $(BIN)/echo-augment train-generator data.n=1200 data.root=$(FORMS)/phantom precision=no \
	codec=$(CODEC) preset.mafe.steps=700
fidelity = OMP_NUM_THREADS=1 $(BIN)/echo-augment fidelity generator=$(1)/generator out=$(1)/fidelity seed=1 $(2)
FROM_0 := pairs=100 curve=[0,1,4]
FROM_1 := pairs=100 curve=[1,4,16]
FEW := pairs=100 curve=[1,4]
# A form without a transport gets its time as steps of the denoiser.
other = $(train_form) preset.code=$(1) $(2) preset.denoiser.steps=430 reuse=$(FORMS)/transport out=$(FORMS)/$(1)

transport-form: $(VENV)/.recipes
	$(train_form) preset.transport.steps=2000 preset.denoiser.steps=100 out=$(FORMS)/transport

motion-forms: transport-form
	$(call other,vector,preset.denoiser.motion=vector)
	$(call other,mafe)
	$(call other,flow)
	$(call fidelity,$(FORMS)/transport,$(FROM_0))
	$(call fidelity,$(FORMS)/vector,$(FROM_1))
	$(call fidelity,$(FORMS)/mafe,$(FEW))
	$(call fidelity,$(FORMS)/flow,$(FROM_1))
	$(BIN)/python -m echo_augment.evaluation.studies.motion_forms $(FORMS) docs/evidence

# Shares hearts, latents and re-ID with the forms. A transport alone makes clips, so the denoiser has one step.
mafe-losses: transport-form
	$(train_form) -m losses=interp,reid,flow,both preset.transport.flow=mafe preset.transport.steps=1000 \
		preset.denoiser.steps=1 reuse=$(FORMS)/transport out=$(LOSSES)
	$(call fidelity,$(LOSSES)/0,pairs=60)
	$(call fidelity,$(LOSSES)/1,pairs=60)
	$(call fidelity,$(LOSSES)/2,pairs=60)
	$(call fidelity,$(LOSSES)/3,pairs=60)
	$(BIN)/python -m echo_augment.evaluation.studies.mafe_losses $(LOSSES) docs/evidence

# The forms of re-identification and flow loss, each changed alone; the others share the hearts, latents and re-ID of `ours`.
# The steps are these recipes' own, far fewer than the preset's, so that rows compare with each other alone.
form = OMP_NUM_THREADS=1 $(BIN)/echo-augment train-generator data.n=800 data.root=$(MAFE_FORMS)/phantom precision=no codec=$(CODEC) \
	preset.mafe.steps=600 preset.transport.steps=500 preset.transport.batch=32 preset.denoiser.steps=1 out=$(MAFE_FORMS)/$(1)
other_form = $(call form,$(1)) reuse=$(MAFE_FORMS)/ours $(2)

mafe-forms: $(VENV)/.recipes
	$(call form,ours)
	$(call other_form,reid-cosine,preset.mafe.losses.reid_distance=cosine)
	$(call other_form,reid-raw,preset.mafe.losses.reid_unit=false)
	$(call other_form,flow-pair,preset.mafe.losses.flow_target=pair)
	$(call other_form,flow-pixels,preset.mafe.losses.flow_unit=false)
	$(call fidelity,$(MAFE_FORMS)/ours,pairs=60)
	$(call fidelity,$(MAFE_FORMS)/reid-cosine,pairs=60)
	$(call fidelity,$(MAFE_FORMS)/reid-raw,pairs=60)
	$(call fidelity,$(MAFE_FORMS)/flow-pair,pairs=60)
	$(call fidelity,$(MAFE_FORMS)/flow-pixels,pairs=60)
	$(BIN)/python -m echo_augment.evaluation.studies.mafe_forms $(MAFE_FORMS) docs/evidence

# Killed, the same command goes on, inside a step too.
true-size: $(VENV)/.recipes
	$(BIN)/python -m echo_augment.evaluation.studies.true_size $(TRUE_SIZE) docs/evidence

# Skips what no variable names a clone for; prints the largest difference of each row.
parity: $(VENV)/.installed
	$(BIN)/python -m pytest -q -s tests/parity

# Two processes of one thread each: the suite of one process takes twice as long on two cores.
test: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not slow" -n $(TEST_PROCESSES) --dist loadfile --durations=10

test-slow: $(VENV)/.installed
	$(BIN)/python -m pytest -q -m slow --durations=0

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The package maps folders, so mypy reads it as users get it: installed, not from the checkout.
types: $(VENV)/.installed
	rm -rf build/types build/lib
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/types .
	cd build/types && MYPYPATH=. ../../$(BIN)/mypy --config-file ../../pyproject.toml -p echo_augment

docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

notebook: $(VENV)/.installed
	$(BIN)/python -m pytest -q -m slow tests/examples/test_notebook.py

wheel: $(VENV)/.installed
	rm -rf build/lib dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	@test -z "$$(find dist -name '*.whl' -size +30M)" || { echo "the wheel is over 30 MB" >&2; exit 1; }

clean:
	rm -rf $(VENV) build dist *.egg-info
