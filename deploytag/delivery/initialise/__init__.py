"""`deploytag init`: the program, settings, a chart and a pipeline for an application's repository.

Nothing that is there is ever changed, and everything is rendered and checked before the first file is written.
"""

from deploytag.delivery.initialise.answers import Answers, Options, Pipeline, Target, find_out, suggested_project
from deploytag.delivery.initialise.kubeconfig import current_cluster
from deploytag.delivery.initialise.next_steps import next_steps
from deploytag.delivery.initialise.plan import Plan, plan
from deploytag.delivery.initialise.write import write

__all__ = [
    "Answers",
    "Options",
    "Pipeline",
    "Plan",
    "Target",
    "current_cluster",
    "find_out",
    "next_steps",
    "plan",
    "suggested_project",
    "write",
]
