"""How a person gets from the offline plugins to the official ones; part of every message that says "not supported"."""

HOW_TO_SWITCH = (
    "The official plugin has it: `python -m sandbox up --plugins official`, or DEPLOYTAG_PLUGINS set to `official` "
    "or to a folder that holds the plugin."
)
