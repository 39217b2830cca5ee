"""What is left to a person after `deploytag init`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from deploytag.delivery.initialise.answers import PLACEHOLDER_REGISTRY, PLACEHOLDER_SERVER, Answers, Pipeline
from deploytag.delivery.initialise.plan import Plan
from deploytag.delivery.initialise.render import PACKAGE_FILE
from deploytag.identity import PULUMI_FILE
from deploytag.settings import POLICY_FILE, SETTINGS_FILE

_PIPELINES = {
    Pipeline.GITHUB: "Give the repository the secrets and variables that .github/workflows/deploytag.yml names.",
    Pipeline.GITLAB: (
        "Give the project the variables that .gitlab/deploytag.yml names, and the two pipeline schedules."
    ),
    Pipeline.SHELL: (
        "Call ./deploytag.sh from your CI, as its first lines say; or put .deploytag/post-receive and "
        ".deploytag/crontab on your git server, as theirs say."
    ),
}


def next_steps(answers: Answers, plan: Plan, ignored: Sequence[str]) -> Iterator[str]:
    """One sentence each, in the order they are to be done. `ignored` are written files that git ignores."""
    written = {str(file.path) for file in plan.write}
    if not written:
        yield "Everything is there already: `./deploytag.sh doctor` says what is missing."
        return
    yield from _unknown(answers, written)
    if not answers.secrets and POLICY_FILE in written:
        yield f"Name the secrets with the variables, and the database's key, in {POLICY_FILE}, where there are any."
    images = answers.application.images
    if images.app.dockerfile in plan.keep and images.base.dockerfile in written:
        yield (
            f"{images.app.dockerfile} was kept. To build it on {images.base.dockerfile}, begin it with "
            f"`ARG {images.app.base_arg}` and `FROM ${{{images.app.base_arg}}}`."
        )
    if images.app.dockerfile in written:
        yield f"Put the application into {images.app.dockerfile}: until then its page only says that it will be here."
    if ".dockerignore" in plan.keep:
        yield "See that .dockerignore leaves out deploytag.yaml and the chart, or a change of them builds a new image."
    if answers.chart in plan.keep:
        yield f"The chart {answers.chart} was kept. It is given the values that docs/how-to/chart.md lists."
    if SETTINGS_FILE in written:
        yield f"Name the application's tests in {SETTINGS_FILE}."
    if answers.pipeline is Pipeline.GITLAB and ".gitlab-ci.yml" in plan.keep:
        yield "Add to .gitlab-ci.yml: `include: [{local: .gitlab/deploytag.yml}]`."
    if written & {"deploytag.sh", ".github/workflows/deploytag.yml", ".gitlab/deploytag.yml"}:
        yield _PIPELINES[answers.pipeline]
    if ignored:
        yield f"git ignores {', '.join(ignored)}, which belong into the repository: `git add --force` them."
    yield "`git add` what was written: only files that git tracks are built and installed."
    yield (
        f"Push the default branch first: {POLICY_FILE} is read from there alone, so no branch gives itself rights. "
        "Then `./deploytag.sh doctor` says what is missing; then push a branch."
    )


def _unknown(answers: Answers, written: Set[str]) -> Iterator[str]:
    """What stands in the files as a placeholder."""
    if answers.target.server == PLACEHOLDER_SERVER and POLICY_FILE in written:
        yield f"There is no kubeconfig: write your cluster's API server to `cluster.server` in {POLICY_FILE}."
    if answers.registry == PLACEHOLDER_REGISTRY and PULUMI_FILE in written:
        yield f"Write your registry to `registry` in {PULUMI_FILE}."
    if answers.package is None and PACKAGE_FILE in written:
        yield (
            f"Write to {PACKAGE_FILE} what pip installs DeployTag from, or say it with --package: this one runs from a "
            "folder that a pipeline does not have."
        )
