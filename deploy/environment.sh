# Shell functions that make the project's virtual environment; sourced by deploy/quickstart and
# tests/run. Needs Python 3.11 to 3.13; on Debian and Ubuntu it fetches what venv lacks itself.

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The first Python that TensorFlow can be installed into.
find_python() {
  local candidate
  for candidate in "${LEHR_PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  die "Python 3.11, 3.12 or 3.13 is needed and was not found; name one with LEHR_PYTHON=/path/to/python"
}

# Debian and Ubuntu split pip out of Python. As root the missing package is installed; otherwise its
# wheel is unpacked into a folder of its own, which needs no rights.
bootstrap_pip() {
  local python=$1 venv=$2 version scratch as_root=()
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  command -v apt-get >/dev/null || die "Python's venv module has no pip; install it, then run this again"
  if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root=(sudo -n); fi
  if [ "$(id -u)" = 0 ] || [ "${#as_root[@]}" -gt 0 ]; then
    say "installing python$version-venv"
    "${as_root[@]}" apt-get update -qq && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "python$version-venv" >/dev/null
    "$python" -m venv --clear "$venv"
    return
  fi
  say "fetching pip (python$version-venv is not installed, and there is no right to install it)"
  scratch=$(mktemp -d)
  mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial"
  local own=(-o "Dir::State::lists=$scratch/lists" -o "Dir::Cache=$scratch/cache" -o APT::Sandbox::User=)
  (cd "$scratch" && apt-get "${own[@]}" update -qq && apt-get "${own[@]}" download -qq python3-pip-whl) ||
    die "no pip: ask an administrator for 'apt install python$version-venv'"
  dpkg-deb -x "$scratch"/python3-pip-whl_*.deb "$scratch/unpacked"
  "$python" -m venv --clear --without-pip "$venv"
  "$venv/bin/python" "$(ls "$scratch"/unpacked/usr/share/python-wheels/pip-*.whl)/pip" \
    install -q --no-index --find-links "$scratch/unpacked/usr/share/python-wheels" pip
  rm -rf "$scratch"
}

# from_debian COMMAND PACKAGE TESTS: installs what tests need; without it they are skipped, and say so.
# Services that a package brings are not started.
from_debian() {
  command -v "$1" >/dev/null && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "no $1: $3 will be skipped (apt install $2)"
    return
  fi
  say "installing $2, for $3"
  if [ -z "${updated:-}" ] && apt-get update -qq; then updated=yes; fi
  if ! RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$2" >/dev/null; then
    say "$2 cannot be installed: $3 will be skipped"
  fi
}

# environment PROJECT EXTRA[,EXTRA...]: installs the project with its extras, in the versions of the
# lock file, into PROJECT/.venv; does nothing where that was done before.
environment() {
  local project=$1 extras=$2 venv=$1/.venv python wanted stamp
  wanted=$(cat "$project/pyproject.toml" "$project/requirements.lock" | cksum)
  stamp=$venv/.lehr-$(printf %s "$extras" | tr -c 'a-z0-9\n' -)
  if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && "$venv/bin/python" -c 'import lehr' 2>/dev/null; then
    return
  fi
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    say "making a virtual environment in $venv with $python"
    "$python" -m venv --clear "$venv" >/dev/null 2>&1 || bootstrap_pip "$python" "$venv"
  fi
  say "installing lehr[$extras]; the first time this fetches TensorFlow and takes minutes"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check --progress-bar off \
    --constraint "$project/requirements.lock" --editable "$project[$extras]"
  printf %s "$wanted" >"$stamp"
}
