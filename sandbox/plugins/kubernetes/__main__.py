"""Run the plugin: `python -m sandbox.plugins.kubernetes ENGINE_ADDRESS`, as the engine does."""

from sandbox.plugins.kubernetes.plugin import KubernetesProvider
from sandbox.plugins.provider import serve

serve(KubernetesProvider())
