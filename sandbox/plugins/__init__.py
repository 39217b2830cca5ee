"""Offline plugins: small Pulumi providers in Python that make the real service calls.

They stand in for the official provider plugins where those cannot be downloaded: same tokens, inputs and outputs,
so programs and state work with either set. What they do not support they refuse, they never ignore it.
"""
