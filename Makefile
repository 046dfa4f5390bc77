# make install, demo, test, docs, notebook, bench: all with only Python 3.11, make and the package registry.
# make audit-dependencies asks PyPI's database of vulnerabilities about everything that is installed for development.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: install demo test lint docs notebook bench audit-dependencies clean

# the command heatproof in .venv/bin, for models of your own and of torchvision and timm
install: $(VENV)/install.stamp

demo: $(VENV)/demo.stamp
	$(BIN)/heatproof demo --out runs/demo

test: $(VENV)/dev.stamp lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# the site, in site/index.html; every link is checked
docs: $(VENV)/docs.stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# strict: what the database does not know is an error, not a pass; +cpu is the build of a version that it knows
audit-dependencies: $(VENV)/dev.stamp $(VENV)/audit.stamp
	$(BIN)/python -m pip check
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+[[:alnum:].]*$$//' > $(VENV)/installed.txt
	$(VENV)/audit/bin/pip-audit --strict --no-deps --disable-pip -r $(VENV)/installed.txt

# make bench ROW="audit cgi" runs the rows whose ids start so; all of them take less than an hour
bench: $(VENV)/bench.stamp
	$(BIN)/python -m benchmarks $(ROW)

# runs docs/tutorial.ipynb from nothing and keeps what it shows; tests/test_notebook.py says whether that is up to date
notebook: $(VENV)/dev.stamp
	rm -rf docs/runs/tutorial
	$(BIN)/jupyter nbconvert --to notebook --inplace --execute --ExecutePreprocessor.record_timing=False docs/tutorial.ipynb

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/install.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[vision]'
	@$(BIN)/python -c "import torchvision" 2> /dev/null || $(VISION_OPS)
	touch $@

$(VENV)/docs.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[docs]'
	touch $@

$(VENV)/demo.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[demo]'
	touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[demo,vision,dev]'
	$(VISION_OPS)
	$(BROWSER)
	touch $@

# in an environment of its own, so that it is not audited itself and brings nothing into the other
$(VENV)/audit.stamp: | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install -q 'pip-audit>=2.7'
	touch $@

$(VENV)/bench.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[bench]'
	$(VISION_OPS)
	touch $@

# the .pth file lets torchvision's wheel import against a CPU build of torch, in this environment only
define VISION_OPS
$(BIN)/python -c "import site; open(site.getsitepackages()[0] + '/vision_ops.pth', 'w').write('import sys; sys.path.append(\"$(CURDIR)/tests\"); import _vision_ops\n')"
endef

# the tests that open pages are skipped where there is no browser; a CI machine of Debian's that is ours to change gets one
define BROWSER
@if [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null \
	&& ! command -v chromium > /dev/null && ! command -v google-chrome > /dev/null; \
	then apt-get update -q && apt-get install -y -q chromium; fi
endef

clean:
	rm -rf $(VENV) runs site
