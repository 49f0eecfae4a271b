# make demo   a virtual environment, the package, and the demo in it
# make test   the same for the tests, WORKERS of them at a time; `make test ARGS="-m slow"` runs the slow ones
# make docs   the documentation in both languages, in build/site, with every link checked
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
BIN = $(VENV)/bin
NATIVE = $(wildcard src/glmkit/kernels/native/*.cpp)
# The compiler's arguments are written once, in pyproject.toml.
NATIVE_ARGS = $(shell $(PYTHON) -c 'import tomllib; table = tomllib.load(open("pyproject.toml", "rb")); \
	print(*table["tool"]["setuptools"]["ext-modules"][0]["extra-compile-args"])')
PIP = $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test docs lint types sanitize fuzz soak clean

demo: $(VENV)/.installed
	$(BIN)/glmkit demo

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

docs: $(VENV)/.installed-docs
	$(BIN)/python docs/stage.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check src tests
	$(BIN)/ruff check src tests
	for file in $(NATIVE); do $(CXX) -fPIC $(NATIVE_ARGS) -Werror -c $$file -o /dev/null || exit 1; done

types: $(VENV)/.installed-dev
	$(BIN)/mypy

# The tests of the compiled kernels, built so that a read beyond a tensor or an undefined operation ends the run.
SANITIZED = $(CURDIR)/build/sanitized
SANITIZE = $(NATIVE_ARGS) -Werror -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined

sanitize: $(VENV)/.installed-dev
	rm -rf $(SANITIZED) && mkdir -p $(SANITIZED)
	cp -r src/glmkit $(SANITIZED) && rm -f $(SANITIZED)/glmkit/kernels/_native*
	$(CXX) -shared -fPIC $(SANITIZE) $(NATIVE) -o $(SANITIZED)/glmkit/kernels/_native.so
	LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 \
		PYTHONPATH=$(SANITIZED) $(BIN)/python -m pytest tests/unit/kernels tests/unit/nn -s -p no:cacheprovider

# A server of tiny models for MINUTES: under requests that Schemathesis makes up from /openapi.json, and under all kinds
# of clients with an eye on memory, files and threads. Short ones are among the slow tests.
fuzz: MINUTES ?= 10
fuzz: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.serve.fuzz --minutes $(MINUTES)

soak: MINUTES ?= 30
soak: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.serve.soak --minutes $(MINUTES)

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[dev]"
	touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[docs]"
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
