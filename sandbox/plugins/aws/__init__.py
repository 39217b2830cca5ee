"""The offline `aws` plugin: one function, the value of a secret, read from the real service (or moto) by boto3.

It shadows the official plugin for a whole project, so anything else fails with a sentence that says how to switch.
"""
