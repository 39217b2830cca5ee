"""The offline `kubernetes` plugin: any plain kind by server-side apply, and `helm.sh/v3:Release` by the helm binary.

| file | idea |
|---|---|
| `kinds.py` | tokens, group/version/kind, ids, generated names |
| `objects.py` | between property maps and Kubernetes objects; what goes into the state |
| `replace.py` | which change needs a replacement |
| `ready.py` | when an object is ready (pure functions) |
| `settings.py`, `cluster.py` | provider settings; the connection and its errors |
| `plain.py` | create, read, update and delete of any plain kind |
| `chart.py`, `helm.py`, `release.py` | the chart on disk, the helm command line, the `Release` resource |
| `plugin.py` | the provider that ties them together |

It follows pulumi-kubernetes 4.34 with server-side apply on.
"""
