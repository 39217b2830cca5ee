"""What a build printed before it failed, from the builder.

The docker-build plugin passes on what a build prints, line by line, and says that a build failed before it has passed
on the last of it: of 64 KiB, in which the error stands, any part may be missing (`cli.Close` in its
provider/internal/cli.go closes the pipe that `tail` still reads). BuildKit keeps a record of each build.
"""

import asyncio
import os

import pulumi

from deploytag import build_message, buildx
from deploytag.content import StagedTree
from deploytag.errors import UnreachableError
from deploytag.redaction import redact


def told_on_failure(
    image: str, tree: StagedTree, builder: str | None, component: pulumi.ComponentResource
) -> pulumi.ErrorHook:
    """A hook of the image built from `tree`, that lets `component` say what its failed build printed.

    Not the image itself: a message waits for the URN of its resource, and one that failed never gets any.
    """

    async def tell(_: pulumi.ErrorHookArgs) -> bool:
        try:
            printed = await asyncio.to_thread(buildx.printed, builder, tree.path.name, os.environ)
        except UnreachableError as error:
            pulumi.log.warn(f"The last lines that {image} printed may be missing: {error}", component)
        else:
            if printed is not None:
                # Of a log without bounds, and still more than is told: no value is cut in two in what is left of it.
                ending = redact(printed[-2 * build_message.LIMIT :])
                pulumi.log.info(build_message.tell(image, ending), component)
        # Both only schedule the message, and the engine interrupts the program once the failure is known.
        await asyncio.sleep(0)
        return False

    return pulumi.ErrorHook(f"{image}-printed", tell)
