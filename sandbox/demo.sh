#!/usr/bin/env bash
# Deploys the sample application from the branch feature/test into the running sandbox, by pushing it there.
set -euo pipefail
cd "$(dirname "$0")/.."
eval "$(.venv/bin/python -m sandbox env)"

# As one would type it: words with anything special in them are quoted.
say() {
    local word line='$'
    for word in "$@"; do
        [[ $word =~ ^[[:alnum:]/:.=_-]+$ ]] || word=${word@Q}
        line+=" $word"
    done
    # Bold where somebody reads it, plain in a log.
    if [[ -t 1 ]]; then printf '\n\033[1m%s\033[0m\n' "$line"; else printf '\n%s\n' "$line"; fi
}
run() { say "$@"; "$@"; }

branch=feature/test
remote=$DEPLOYTAG_SANDBOX/repository.git
git show-ref --quiet --verify "refs/heads/$branch" || run git branch "$branch"
if ! known=$(git remote get-url sandbox 2>/dev/null); then
    run git remote add sandbox "$remote"
elif [[ $known != "$remote" ]]; then
    run git remote set-url sandbox "$remote"
fi

# What the run says is shown as it comes, and its last line read: a push succeeds although its run fails.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
if [[ $(git ls-remote sandbox "refs/heads/$branch") == "$(git rev-parse "$branch")"* ]]; then
    echo "$branch is on the sandbox's git remote as it is, and git would not push it again."
    run .venv/bin/python -m sandbox rerun "$branch" 2>&1 | tee "$said"
else
    run git push sandbox "$branch" 2>&1 | tee "$said"
fi
url=$(sed -n "s,.*$branch is [a-z ]*: \(http[^ ]*\) *\$,\1,p" "$said" | tail -n 1)
[[ -n $url ]] || exit 1

# Python, because a bare machine has no curl.
run .venv/bin/python -c 'import httpx, sys; print(httpx.get(sys.argv[1]).raise_for_status().text)' "$url"
cat <<END

$branch is served at $url

Try next:
  git switch $branch                # edit app/ and its tests, or charts/; commit; git push sandbox $branch
  eval "\$(make -s env)"                   # a shell in which deploytag, pulumi, kubectl, helm and psql mean the sandbox
  git push sandbox :$branch         # delete the branch there, and nothing of it is left
END
