# Makes .venv from requirements.lock and this checkout's command `ssd`, with uv if it is installed, else
# with venv and pip; does nothing if .venv is up to date. `make env` runs this in the repository's root: sh tools/make_env.sh [PYTHON]
#
# .venv/made-of names the Python, the lock file and the path that .venv was made of. It holds
# "unfinished" until everything is installed, so that an interrupted installation starts again.
# Exit status: 0 ready, 1 the installation failed, 2 something to fix first.

began=$(date +%s)

fail() {
  printf '%s\n' "$@" >&2
  exit 2
}

# Prints the path of the Python beneath a virtual environment, or why it cannot be used.
probe='
import os, platform, sys
reason = ""
if platform.python_implementation() != "CPython" or not (3, 10) <= sys.version_info[:2] < (3, 13):
    reason = "is " + platform.python_implementation() + " " + platform.python_version()
elif "uv" not in sys.argv:
    try:
        import ensurepip, venv
    except ImportError:
        reason = "lacks the module venv: sudo apt install python3.%d-venv" % sys.version_info[1]
base = os.path.join(sys.base_prefix, "bin", "python3.%d" % sys.version_info[1])
print(reason or (base if os.path.exists(base) else sys.executable))
sys.exit(1 if reason else 0)
'
uv=$(command -v uv)
case $uv in "$PWD"/.venv/*) uv= ;; esac # it would be removed together with .venv
if [ -n "$1" ]; then
  set -- "$1"
else
  set -- .venv/bin/python python3.12 python3.11 python3.10 python3 python \
    ${uv:+"$("$uv" python find --system --no-python-downloads '>=3.10,<3.13' 2>/dev/null)"}
fi
found=
for name; do
  [ -n "$name" ] || continue # uv found none
  python=$("$name" -E -s -c "$probe" ${uv:+uv} 2>/dev/null) && break
  found="$found
  $name ${python:-is not there or does not run}" python=
done
[ -n "$python" ] || fail \
  "No usable Python: MindSpore has wheels for CPython 3.10 to 3.12 only. Found:$found" \
  'Install one:' \
  '  uv python install 3.11                        (if you have uv)' \
  '  sudo apt install python3.11 python3.11-venv   (Debian 12, Ubuntu 22.04)' \
  '  sudo apt install python3.12 python3.12-venv   (Ubuntu 24.04)' \
  '  brew install python@3.11                      (macOS)' \
  'or name the one to use: make demo PYTHON=/path/to/python3.11'

location=$(cd .venv 2>/dev/null && pwd -P) || location=$(pwd -P)/.venv
made_of="$python $(cksum <requirements.lock) $location"
locked='--no-deps --require-hashes -r requirements.lock'
here='--no-deps --no-build-isolation --editable .' # requirements.lock has setuptools, which builds it
create() { # makes a new .venv with the given command; one made by hand stays
  [ -n "$by_hand" ] || {
    rm -rf .venv/bin .venv && mkdir .venv && echo unfinished >.venv/made-of && "$@" .venv
  }
}
with_uv() {
  create "$uv" venv --quiet --no-project --allow-existing --python "$python" &&
    "$uv" pip install --quiet --compile-bytecode --python .venv/bin/python $locked &&
    "$uv" pip install --quiet --offline --python .venv/bin/python $here
}
with_pip() {
  pip='.venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check'
  create "$python" -m venv && $pip --compile --use-pep517 $locked && $pip --no-index $here
}
made_before=$(cat .venv/made-of 2>/dev/null)
if [ "$made_before" != "$made_of" ] || ! .venv/bin/python -E -s -c '' 2>/dev/null; then
  [ ! -L .venv ] || fail ".venv is a link to $location, which does not fit this checkout." \
    'Remove the link (rm .venv), then run make again.'
  by_hand=
  [ ! -e .venv ] || [ -e .venv/made-of ] || by_hand=1
  [ -z "$by_hand" ] || [ "$(.venv/bin/python -E -s -c "$probe" uv)" = "$python" ] || fail \
    ".venv was not made by make, and its Python does not run or is not $python." \
    'Remove it (rm -rf .venv), then run make again.'
  echo "Making .venv with $python. The first time downloads about 1 GB and takes some minutes."
  if [ -z "$uv" ] || ! with_uv; then
    [ -z "$uv" ] || echo 'uv failed; trying with pip.' >&2
    with_pip || {
      echo 'The installation failed. The next make starts it again.' >&2
      exit 1
    }
  fi
  echo "$made_of" >.venv/made-of
fi
if [ ! -e .venv/ready ]; then
  .venv/bin/python -m ssdcore.doctor.machine || exit
  : >.venv/ready
  took=$(($(date +%s) - began))
  echo "The environment is ready after $((took / 60)) min $((took % 60)) s."
fi
