"""Start the plugin."""

from sandbox.plugins.docker.provider import DockerProvider
from sandbox.plugins.provider import serve

if __name__ == "__main__":
    serve(DockerProvider())
