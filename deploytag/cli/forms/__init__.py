"""The forms of what commands print with `--json`, each with its schema: `deploytag schema COMMAND`.

Keys may be added, and none changes its meaning. What a whole run or collection reports is `deploytag.delivery.report`
and `deploytag.delivery.removal.collection`. Each command imports its own form, so that none loads what others ask.
"""
