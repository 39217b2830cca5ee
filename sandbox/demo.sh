#!/usr/bin/env bash
# Deploys the sample application from the branch feature/test into the running sandbox, with plain Pulumi commands.
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

git show-ref --quiet --verify refs/heads/feature/test || run git branch feature/test
run pulumi stack select --create feature-test
# From now on plain `pulumi` commands on this stack mean this branch, whatever is checked out.
run pulumi config set branch feature/test --stack feature-test
# The application's own tests run first; when they fail nothing is touched.
run deploytag test
run pulumi up --yes --skip-preview --stack feature-test

url=$(pulumi stack output url --stack feature-test)
# Python, because a bare machine has no curl.
run .venv/bin/python -c 'import httpx, sys; print(httpx.get(sys.argv[1]).raise_for_status().text)' "$url"
cat <<END

feature/test is served at $url

Try next:
  eval "\$(make -s env)"                       # a shell in which pulumi, kubectl, helm and psql mean the sandbox
  pulumi up --yes --stack feature-test        # once more: nothing changes; edit app/ or charts/ and it does
  pulumi destroy --yes --stack feature-test   # and nothing of the branch is left
END
