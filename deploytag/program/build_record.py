"""What a build printed before it failed, from the builder.

The docker-build plugin passes on what a build prints, line by line, and says that a build failed before it has passed
on the last of it: of 64 KiB, in which the error stands, any part may be missing (`cli.Close` in its
provider/internal/cli.go closes the pipe that `tail` still reads). BuildKit keeps a record of each build.
"""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pulumi

from deploytag import build_message, buildx
from deploytag.content import StagedTree
from deploytag.redaction import redact


def told_on_failure(image: str, tree: StagedTree, component: pulumi.ComponentResource) -> pulumi.ErrorHook:
    """A hook of the image built from `tree`, that lets `component` say what its failed build printed.

    Not the image itself: a message waits for the URN of its resource, and one that failed never gets any.
    """
    since = time.time()
    # Not the loop's own threads: the resources that are being made wait in those, and with `--parallel 1` there is one.
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"{image}-printed")

    async def tell(_: pulumi.ErrorHookArgs) -> bool:
        loop = asyncio.get_running_loop()
        try:
            printed = await loop.run_in_executor(thread, buildx.printed, tree.path, since, os.environ)
            # Redacted whole, so that no value is cut in two.
            pulumi.log.info(build_message.tell(image, redact(printed)), component)
        except Exception as error:
            # Whatever it is: raised, it would be told in place of the reason why the image was not built.
            pulumi.log.warn(f"The last lines that {image} printed may be missing: {redact(str(error))}", component)
        # Both only schedule the message, and the engine interrupts the program once the failure is known.
        await asyncio.sleep(0)
        return False

    return pulumi.ErrorHook(f"{image}-printed", tell)
