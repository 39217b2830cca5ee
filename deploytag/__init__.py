"""DeployTag: every git branch its own running copy of an application.

`program/` declares an environment, and nothing else imports pulumi. `preflight/` looks whether it can be made, before
anything is. `delivery/` acts: its flows are `deploy.py`, `removal/destroy.py`, `sync.py` and `idle.py`; `hold.py` and
`lease/` keep other runs out, `recovery/` repairs, `diagnosis/` explains, `processes/` holds what a run starts, and
`inventory/` says what exists. `cli/` has the commands, `settings/` the two files of settings.

The modules beside them are what program and wrapper share: names and owners (`identity`, `ownership`, `rights`), git
(`ci`, `ref`, `refname`, `remote`, `repository`, `trust`), content (`content`, `staging`, `trees`, `ignore`,
`chart_source`), and what is shown (`redaction`, `encodings`, `printable`, `output`, `credentials`).
"""
