"""The offline `kubernetes` plugin: any plain kind by server-side apply, and `helm.sh/v3:Release` by the helm binary.

| file | idea |
|---|---|
| `kinds.py` | tokens, group/version/kind, ids, generated names |
| `objects.py` | between property maps and Kubernetes objects; what goes into the state |
| `replace.py` | which change needs a replacement |
| `ready.py` | when an object is ready (pure functions) |
| `settings.py`, `connection.py`, `cluster.py` | provider settings; which cluster; requests and their errors |
| `plain.py` | create, read, update and delete of any plain kind |
| `names.py`, `awaiting.py`, `ownership.py` | its names and annotations; its waiting; whose fields they are |
| `chart.py`, `helm.py` | the chart on disk, the helm command line |
| `release_inputs.py`, `release.py` | what a `Release` may say; its operations |
| `plugin.py` | the provider that ties them together |

It follows pulumi-kubernetes 4.34 with server-side apply on.
"""
