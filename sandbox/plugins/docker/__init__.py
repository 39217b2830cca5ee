"""The offline `docker` plugin: one function, the digest of a tag, asked of the registry's HTTP API."""
