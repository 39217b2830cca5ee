"""The environment of one git ref: `pulumi up --stack feature-test`."""

import pulumi

from deploytag.program import main

pulumi.run(main)
