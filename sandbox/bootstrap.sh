#!/bin/sh
# Makes .venv from uv.lock on a machine that has Python 3.11 or newer and nothing else; a matter of milliseconds when
# nothing changed. May be interrupted anywhere and run again.
set -eu
cd "$(dirname "$0")/.."
cache=${DEPLOYTAG_CACHE:-$HOME/.cache/deploytag}
title="Setting up the Python environment"
started=$(date +%s)

say() { printf '%s\n' "$*" >&2; }

elapsed() {
    seconds=$(($(date +%s) - started))
    if [ "$seconds" -lt 60 ]; then echo "$seconds s"; else echo "$((seconds / 60)) min $((seconds % 60)) s"; fi
}

fail() {
    say "$title: failed, $(elapsed)"
    say "$1"
    if [ -s "${log:-}" ]; then
        tail -n 15 "$log" | sed 's/^/    /' >&2
        say "The whole output is in $log."
    fi
    exit 1
}

find_python() {
    for name in python3.11 python3 python3.12 python3.13; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            # Not a version manager's stand-in, which may point elsewhere tomorrow.
            "$name" -c 'import os, sys; print(os.path.realpath(sys.executable))'
            return
        fi
    done
}

# Debian packs `python3 -m venv` apart from Python.
add_venv() {
    package=python3-venv
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        fail "Python's venv module is incomplete on this machine. As root: apt-get install $package. Then run this again."
    fi
    export DEBIAN_FRONTEND=noninteractive
    # An installation that was interrupted, here or elsewhere, stands in the way of every further one.
    dpkg --configure -a >"$log" 2>&1 || true
    add="apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 $package"
    $add >"$log" 2>&1 || { apt-get update && $add; } >"$log" 2>&1 ||
        fail "Installing the Debian package $package failed."
}

install_uv() {
    partial=$(mktemp -d "$cache/.uv-XXXXXX")
    trap 'rm -rf "$partial"' EXIT
    if ! "$python" -m venv "$partial/venv" >"$log" 2>&1; then
        add_venv
        rm -rf "$partial/venv"
        "$python" -m venv "$partial/venv" >"$log" 2>&1 || fail "Making a virtual environment with $python failed."
    fi
    "$partial/venv/bin/python" -m pip install --disable-pip-version-check "uv==$version" >"$log" 2>&1 ||
        fail "Installing uv $version from PyPI failed. Check pip's package index, then run this again."
    mkdir -p "$(dirname "$uv")"
    mv "$partial/venv/bin/uv" "$uv"
}

here=$(pwd -P)
wanted=$({ echo "$here" && cat uv.lock pyproject.toml; } | sha256sum)
if [ -x .venv/bin/python ] && [ "$(cat .venv/.complete 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

trap 'say "$title: interrupted, $(elapsed)"; exit 130' INT TERM
python=$(find_python)
[ -n "$python" ] || fail "DeployTag needs Python 3.11 or newer; there is none on PATH. On Debian: apt-get install python3."
say "$title ... (usually 30 s)"
mkdir -p "$cache/logs"
log=$cache/logs/bootstrap.log
: >"$log"
if command -v flock >/dev/null; then
    exec 9>"$cache/.bootstrap.lock"
    flock 9
fi
version=$(sed -n '/^name = "uv"$/{n;s/^version = "\(.*\)"$/\1/p;}' uv.lock)
uv=$cache/toolchain/uv-$version/uv
[ -x "$uv" ] || install_uv

rm -f .venv/.complete
# The programs of a virtual environment name its path: that of a clone that was moved is made anew.
[ ! -e .venv/bin/activate ] || grep -qF "$here/.venv" .venv/bin/activate || rm -rf .venv
# The certificates and the interpreter are the machine's own.
env -u VIRTUAL_ENV -u UV_PROJECT_ENVIRONMENT UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never \
    "$uv" sync --frozen --python "$python" >"$log" 2>&1 ||
    fail "Installing the Python packages of uv.lock failed. Check that PyPI is reachable, then run this again."
printf '%s' "$wanted" >.venv/.complete
say "$title: done, $(elapsed)"
