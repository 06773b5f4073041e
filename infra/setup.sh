#!/usr/bin/env bash
# Makes .venv from requirements/lock.txt. Called by make; says what is missing before anything is downloaded.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3.11}

stop() { printf 'setup: %s\n' "$@" >&2; exit 1; }
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
  stop "Python 3.11 was not found as '$python'." "Install it (Debian: apt install python3.11-venv python3.11-dev; or pyenv install 3.11), or name it: make PYTHON=/path/to/python3.11"
[ "$version" = 3.11 ] || stop "'$python' is Python $version; TFX 1.21 with Kubeflow needs 3.11. Name one: make PYTHON=/path/to/python3.11"
"$python" -c 'import venv, ensurepip' 2>/dev/null || stop "'$python' has no venv module (Debian: apt install python3.11-venv)."
command -v g++ >/dev/null || stop "No C++ compiler: g++ builds one dependency (pyfarmhash). Debian: apt install g++"
"$python" -c 'import os, sysconfig, sys; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
  stop "Python.h is missing: pyfarmhash is built against it. Debian: apt install python3.11-dev"
free=$(df -Pk . | awk 'NR==2 {print int($4 / 1048576)}')
[ -d .venv/lib ] || [ "$free" -ge 6 ] || stop "Only $free GiB free on this disk; the environment takes 4 GiB and its download 1 GiB. Free some space."

echo "setup: installing into .venv (about 3 GB; a minute or two, once)" >&2
[ -x .venv/bin/python ] || "$python" -m venv .venv
[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
export VIRTUAL_ENV=$PWD/.venv
.venv/bin/uv pip sync --quiet --require-hashes requirements/lock.txt
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
.venv/bin/python infra/sql_util_shim.py
# TFX's first import takes a minute or two if its modules are compiled one by one as they are met.
.venv/bin/python -m compileall -q -j 0 .venv/lib/python3.11/site-packages >/dev/null || true
touch .venv/.installed
echo "setup: done" >&2
