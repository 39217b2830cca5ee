"""The three trees of an environment, staged from its checkout: what both images are built from, and the chart."""

from dataclasses import dataclass
from pathlib import Path

from deploytag import content
from deploytag.content import StagedTree
from deploytag.errors import ContentError
from deploytag.settings import ApplicationSettings

STAGE = Path(".deploytag")
"""Where contexts and the chart are staged. Relative: the providers compare paths as text."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Staged content: what the two builds see, and the chart."""

    base: StagedTree
    app: StagedTree
    chart: StagedTree


def stage(repository: Path, settings: ApplicationSettings, into: Path = STAGE) -> Trees:
    """Stage what the builds and the release read, by content.

    Raises:
        ContentError: what the settings name is not in the repository.
    """
    contexts, charts = into / "contexts", into / "charts"
    base, app = (
        content.stage(
            repository,
            [image.dockerfile, *image.context],
            contexts,
            ignore_file=content.find_ignore_file(repository, image.dockerfile),
        )
        for image in (settings.images.base, settings.images.app)
    )
    for image, tree in ((settings.images.base, base), (settings.images.app, app)):
        # The builder is sent other links as links. This file the client itself opens, and says what it does not like.
        if not (tree.path / image.dockerfile).resolve().is_relative_to(tree.path.resolve()):
            raise ContentError(
                f"{image.dockerfile} is a symbolic link to what its build does not see. Put the file itself there, or "
                "name in `context` what it leads to."
            )
    trees = Trees(base=base, app=app, chart=content.stage_chart(repository, settings.chart.path, charts))
    content.prune(contexts, keep=[trees.base.digest, trees.app.digest])
    content.prune(charts, keep=[trees.chart.digest])
    return trees
