"""A real git repository for one test."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# Neither the machine's git configuration nor a hook's GIT_DIR may reach the tests' repositories.
_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


@dataclass(frozen=True)
class Checkout:
    path: Path

    @classmethod
    def init(cls, path: Path) -> Self:
        path.mkdir(parents=True)
        checkout = cls(path)
        checkout.git("init", "-q", "-b", "main")
        return checkout

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=_ENVIRONMENT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"git {arguments}: {done.stderr}"
        return done.stdout.strip()

    def write(self, name: str, text: str = "", *, executable: bool = False) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if executable else 0o644)
        return path

    def track(self, files: dict[str, str]) -> None:
        """Write files and `git add` them."""
        for name, text in files.items():
            self.write(name, text)
            self.git("add", "--", name)

    def commit(self, message: str = "change") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")
