"""Runs PostgreSQL inside the sandbox, after making its files when there are none.

The administrator has the rights that RDS gives: it makes roles and databases and is no superuser. The superuser has no
password and is let in from inside the sandbox only.
"""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

POSTGRES = Path("/usr/lib/postgresql/15/bin")
USER = "postgres"
ADMINISTRATOR = "deploytag_admin"
# The database's user may not enter the directory that the files really are in: they are mounted here too.
HOME = Path("/run/database")
DATA = HOME / "data"


def main() -> None:
    """Make the files if needed and become the server: PASSWORD-FILE CONFIG-FILE."""
    password_file, config_file = (Path(argument) for argument in sys.argv[1:])
    user = pwd.getpwnam(USER)
    for path in (HOME, DATA):
        os.chown(path, user.pw_uid, user.pw_gid)
    # Read by the database's user, so not left where it was written.
    for path in (config_file, config_file.with_name("pg_hba.conf")):
        shutil.copyfile(path, HOME / path.name)
        (HOME / path.name).chmod(0o644)
    cluster = DATA / "cluster"
    if not cluster.exists():
        _create(cluster, password_file.read_text())
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    command = _as_user("postgres", "-D", str(cluster), "-c", f"config_file={HOME / config_file.name}")
    os.execvp(command[0], command)  # noqa: S606


def statements(password: str) -> tuple[str, ...]:
    """What makes a fresh cluster ours. One statement per line: the single-user mode reads them so."""
    return (
        f"CREATE ROLE {ADMINISTRATOR} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'",
        # Ending sessions and seeing them is what an administrator needs beyond owning databases.
        f"GRANT pg_signal_backend, pg_monitor TO {ADMINISTRATOR}",
        "REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE postgres TO {ADMINISTRATOR}",
    )


def _create(cluster: Path, password: str) -> None:
    # Made aside and renamed when whole, so that an interrupted start begins again.
    fresh = cluster.with_name("fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    options = ("--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions", "--no-sync")
    subprocess.run(_as_user("initdb", "-D", str(fresh), *options), check=True, cwd=HOME)
    encryption = ("-c", "password_encryption=scram-sha-256")
    single = _as_user("postgres", "--single", "-D", str(fresh), "-c", "exit_on_error=true", *encryption, "postgres")
    subprocess.run(single, check=True, cwd=HOME, text=True, input="".join(f"{line}\n" for line in statements(password)))
    os.sync()
    fresh.rename(cluster)


def _as_user(program: str, *arguments: str) -> list[str]:
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", str(POSTGRES / program), *arguments]


if __name__ == "__main__":
    main()
