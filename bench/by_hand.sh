#!/usr/bin/env bash
# What a team has in its CI before it has DeployTag: build, database, secret, Helm, wait. Beside it DeployTag is timed
# (`python -m bench.script`); it has no lease, recovery, isolation, content addressing or verified ending.
#
#     by_hand.sh deploy|destroy REF
#
# runs in a checkout, in a shell of the sandbox, as the cluster's administrator.
set -euo pipefail
verb=$1 ref=$2
name=byhand-${ref//\//-}
database=${name//-/_}
export KUBECONFIG=$SANDBOX_ADMIN_KUBECONFIG

sql() { psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --tuples-only --no-align "$@"; }

build() { # TAG DOCKERFILE CONTEXT [OPTION...]: push it, print it with its digest
    local tag=172.30.0.1:5000/byhand/$1 dockerfile=$2 context=$3
    shift 3
    buildctl build --progress=quiet --frontend=dockerfile.v0 --local "context=$context" --local dockerfile=. \
        --opt "filename=$dockerfile" --output "type=image,name=$tag,push=true" --metadata-file .build.json "$@" >&2
    echo "$tag@$(python -c 'import json; print(json.load(open(".build.json"))["containerimage.digest"])')"
}

deploy() {
    local base image password revision url
    revision=$(git rev-parse HEAD)
    # A context of its own: whatever else lies in the checkout is no input.
    rm -rf .context && mkdir -p .context/empty && git archive HEAD app | tar -x -C .context
    base=$(build base Dockerfile.base .context/empty)
    image=$(build "app:$database" Dockerfile .context --opt "build-arg:BASE_IMAGE=$base")

    kubectl create namespace "$name" --dry-run=client --output=yaml | kubectl apply --filename=- >/dev/null
    kubectl create serviceaccount app --namespace="$name" --dry-run=client --output=yaml | kubectl apply --filename=- >/dev/null

    password=$(python -c 'import hashlib, sys; print(hashlib.sha256(sys.argv[1].encode()).hexdigest())' "$name")
    if [[ -z $(sql --command="SELECT 1 FROM pg_database WHERE datname = '$database'") ]]; then
        sql --command="CREATE ROLE $database LOGIN PASSWORD '$password'" \
            --command="GRANT $database TO CURRENT_USER" --command="CREATE DATABASE $database OWNER $database"
    fi
    python - >.variables <<'END'
import boto3, json
secret = boto3.client("secretsmanager").get_secret_value(SecretId="staging/app")["SecretString"]
print(*(f"{name}={value}" for name, value in json.loads(secret).items()), sep="\n")
END
    echo "DATABASE_URL=postgresql://$database:$password@$PGHOST:$PGPORT/$database" >>.variables
    kubectl create secret generic env --namespace="$name" --from-env-file=.variables --dry-run=client --output=yaml |
        kubectl apply --filename=- >/dev/null

    [[ -d charts/app/charts ]] || helm dependency build charts/app >/dev/null
    helm upgrade --install app charts/app --namespace="$name" --wait --timeout=5m --values=.values.yaml \
        --set-string="image=$image,ref=$ref,revision=$revision" \
        --set-string=envSecret=env --set-string=serviceAccount=app >/dev/null

    url=http://$(kubectl get service app --namespace="$name" --output='jsonpath={.status.loadBalancer.ingress[0].ip}')
    until python -c 'import sys, urllib.request as it; sys.exit(sys.argv[2] not in it.urlopen(sys.argv[1]).read().decode())' \
        "$url" "$revision" 2>/dev/null; do sleep 0.2; done
}

destroy() {
    helm uninstall app --namespace="$name" --wait >/dev/null
    kubectl delete namespace "$name" >/dev/null
    sql --command="DROP DATABASE IF EXISTS $database WITH (FORCE)" --command="DROP ROLE IF EXISTS $database"
}

"$verb"
