"""Start the plugin."""

from sandbox.plugins.aws.provider import AwsProvider
from sandbox.plugins.provider import serve

if __name__ == "__main__":
    serve(AwsProvider())
