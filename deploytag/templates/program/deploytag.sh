#!/bin/sh
# Runs `deploytag` in an environment of its own, which is made from the lock when that changed. Without arguments it runs
# `deploytag ci`, which a pipeline calls for each branch: it reads what the CI says and deploys, destroys or skips.
#
# In a CI that DeployTag does not know, name the branch; the remote says whether it is there still:
#   after a push to BRANCH, and after its deletion   DEPLOYTAG_BRANCH=BRANCH ./deploytag.sh
#   every night                                      ./deploytag.sh gc --yes
#   every hour                                       ./deploytag.sh sync --all
set -eu
cd "$(dirname "$0")"
venv=.deploytag/venv
lock=.deploytag/requirements.txt
package=.deploytag/package.txt

fail() {
    echo "deploytag.sh: $1" >&2
    exit 1
}

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
}

grep -q '^[^#]' "$package" || fail "$package names no DeployTag: write there what pip installs it from."
# Two jobs may share a checkout: the second waits for the first one's environment.
if command -v flock >/dev/null; then
    exec 9>.deploytag/lock
    flock 9
fi
# The copy of both is written last, so an environment that was not finished is made anew.
if ! cat "$lock" "$package" | cmp -s - "$venv/installed.txt" || ! "$venv/bin/python" -c '' 2>/dev/null; then
    python=$(find_python)
    [ -n "$python" ] || fail "Python 3.11 or newer is needed, and there is none on PATH."
    echo "deploytag.sh: installing $lock" >&2
    rm -rf "$venv"
    if command -v uv >/dev/null; then
        uv venv --quiet --python "$python" "$venv"
        uv pip install --quiet --python "$venv/bin/python" --require-hashes --requirement "$lock" >&2 &&
            uv pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --requirement "$package" >&2
    else
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock" >&2 &&
            "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --requirement "$package" >&2
    fi || fail "installing $lock failed. Check that its packages can be reached, then run this again."
    cat "$lock" "$package" > "$venv/installed.txt"
fi
# What runs next does not hold the lock.
exec 9>&-

[ $# -gt 0 ] || set -- ci
# In place of this shell, so that a signal of the CI reaches it, once.
exec "$venv/bin/deploytag" "$@"
