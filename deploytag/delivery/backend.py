"""Where Pulumi keeps its state: which backend, from the same places and in the same order as the CLI looks for it."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from deploytag.documents import DocumentError, parse_json, parse_yaml, read_file
from deploytag.errors import SettingsError
from deploytag.identity import PULUMI_FILE

if TYPE_CHECKING:
    from cloudpathlib import S3Path

VARIABLE = "PULUMI_BACKEND_URL"

# Seconds, and tries: whoever waits for a bucket is told within half a minute that it does not answer.
_CONNECT, _READ, _TRIES = 5, 15, 2


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend's URL, and what it came from."""

    url: str
    origin: str
    directory: Path
    """What a relative `file://` URL is relative to."""

    @classmethod
    def find(cls, environ: Mapping[str, str], directory: Path) -> Self | None:
        """PULUMI_BACKEND_URL, else `backend.url` of the project in `directory`, else where `pulumi login` led."""
        if url := environ.get(VARIABLE):
            return cls(url, VARIABLE, directory)
        if url := _project_backend(directory / PULUMI_FILE):
            return cls(url, f"backend.url in {PULUMI_FILE}", directory)
        home = environ.get("PULUMI_CREDENTIALS_PATH") or environ.get("PULUMI_HOME") or Path.home() / ".pulumi"
        if url := _logged_in(directory / home / "credentials.json"):
            return cls(url, "`pulumi login`", directory)
        return None

    def __post_init__(self) -> None:
        """Refuse what is no URL.

        Raises:
            SettingsError: it is none.
        """
        try:
            urlsplit(self.url)
        except ValueError as error:
            raise SettingsError(f"{self.origin} is no URL ({error}). Correct it.") from None

    @property
    def scheme(self) -> str:
        """`file`, `s3`, `gs`, `azblob`, `https`, …"""
        return urlsplit(self.url).scheme

    @property
    def said(self) -> str:
        """The URL as a person may be shown it: without credentials and options."""
        url = urlsplit(self.url)
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"

    @property
    def everywhere(self) -> str:
        """The URL for a program in any folder: the same, but that of a folder is absolute.

        Raises:
            SettingsError: as `folder`.
        """
        if self.scheme != "file":
            return self.url
        options = urlsplit(self.url).query
        return f"file://{quote(os.fsencode(self.folder()))}{f'?{options}' if options else ''}"

    def folder(self) -> Path:
        """The folder of a `file://` backend, as the CLI takes it.

        Raises:
            SettingsError: it names nobody's home, or no path at all.
        """
        written = re.split("[?#]", self.url.removeprefix("file://"), maxsplit=1)[0]
        path = Path(unquote(written, errors="surrogateescape"))
        if "\0" in str(path):
            raise SettingsError(f"{self.origin} names no folder: no path contains NUL. Correct it.")
        try:
            home = path.expanduser() if written.startswith("~") else path
            # By its text: the CLI takes `..` away without a look at where a link leads.
            folder = os.path.normpath((self.directory / home).absolute())
            os.fsencode(folder)
        except (RuntimeError, UnicodeEncodeError) as error:  # ~somebody
            raise SettingsError(f"{self.origin} names no folder ({error}). Correct it.") from None
        return Path(folder)

    def bucket(self) -> "S3Path":
        """Bucket and prefix of an `s3://` backend, read and written without a cache.

        The AWS SDK itself reads credentials, and the region where the URL names none, from the process's environment.

        Raises:
            SettingsError: an option of the URL means something we cannot honour.
        """
        return _bucket(urlsplit(self.url), self.origin)


def service(environ: Mapping[str, str]) -> str:
    """The service that the CLI asks where nothing names a backend."""
    return environ.get("PULUMI_API") or "https://api.pulumi.com"


def _project_backend(project: Path) -> str | None:
    try:
        match parse_yaml(read_file(project)):
            case {"backend": {"url": str(url)}}:
                return url
    except (OSError, DocumentError):
        pass  # the CLI says what is wrong with the project
    return None


def _logged_in(credentials: Path) -> str | None:
    try:
        match parse_json(read_file(credentials)):
            case {"current": str(url)} if url:
                return url
    except (OSError, DocumentError):
        pass  # nobody has logged in
    return None


# Options that decide only how objects are written, which the CLI does.
_OF_WRITING = frozenset(
    {"accelerate", "awssdk", "kmskeyid", "rate_limiter_capacity", "request_checksum_calculation", "ssetype"}
)
_IGNORED = _OF_WRITING | {"hostname_immutable", "response_checksum_validation"}
_KNOWN = frozenset(
    {"anonymous", "disableSSL", "disable_https", "dualstack", "endpoint", "fips", "profile", "region"}
    | {"s3ForcePathStyle", "use_path_style"}
)


def _bucket(url: SplitResult, origin: str) -> "S3Path":
    # Both are slow to import, and only a team's backend needs them.
    import boto3  # noqa: PLC0415
    import botocore.session  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from cloudpathlib import S3Client, S3Path  # noqa: PLC0415

    options = dict(parse_qsl(url.query))
    if unknown := sorted(options.keys() - _KNOWN - _IGNORED):
        raise SettingsError(
            f"{origin} has the option {unknown[0]}, which DeployTag does not know for s3://. Give it to the AWS SDK by "
            "its environment or configuration file instead."
        )
    session = botocore.session.Session(profile=options.get("profile"))
    session.set_default_client_config(
        Config(
            connect_timeout=_CONNECT,
            read_timeout=_READ,
            retries={"total_max_attempts": _TRIES},
            use_dualstack_endpoint=_true(options, "dualstack"),
            use_fips_endpoint=_true(options, "fips"),
            s3={"addressing_style": "path"} if _true(options, "s3ForcePathStyle", "use_path_style") else None,
        )
    )
    client = S3Client(
        boto3_session=boto3.Session(botocore_session=session, region_name=options.get("region")),
        endpoint_url=_endpoint(options),
        no_sign_request=_true(options, "anonymous"),
        # `store` reads objects itself, so there is no cache: it would know a checkpoint by a time of whole seconds, in
        # which that changes several times, and outlive a run that is killed. No folder can be made in this place.
        file_cache_mode="close_file",
        local_cache_dir=f"{os.devnull}/none",
    )
    return S3Path(f"s3://{url.netloc}/{url.path.strip('/')}".rstrip("/"), client=client)


def _endpoint(options: Mapping[str, str]) -> str | None:
    # Passed on, since cloudpathlib would let AWS_ENDPOINT_URL win over the variable that is meant for S3 alone.
    endpoint = options.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL_S3")
    if endpoint and "://" not in endpoint:
        return f"{'http' if _true(options, 'disableSSL', 'disable_https') else 'https'}://{endpoint}"
    return endpoint


def _true(options: Mapping[str, str], *names: str) -> bool:
    return any(options.get(name, "").lower() in {"1", "t", "true"} for name in names)
