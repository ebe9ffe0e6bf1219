"""A PostgreSQL of the tests' own: real, on loopback, with passwords, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

ADMIN = "holdfast_admin"


@dataclass(frozen=True)
class Cluster:
    """A running server; `password` is that of the superuser `ADMIN`."""

    programs: Path
    folder: Path
    port: int
    password: str

    def url(self, user: str = ADMIN, password: str | None = None, database: str = "postgres") -> str:
        """The URL of a database, special signs encoded."""
        secret = self.password if password is None else password
        return f"postgresql://{quote(user, safe='')}:{quote(secret, safe='')}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def stop(self) -> None:
        """End the server at once, as a crash would."""
        _run(self.programs / "pg_ctl", "stop", "--pgdata", self.folder / "data", "--mode", "immediate")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start a server with a fresh database and stop it in the end; skips where PostgreSQL is absent, fails there under CI."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="holdfast-postgres-"))
    server = Cluster(programs, folder, _free_port(), "Sésame-only-for-tests")
    try:
        (folder / "password").write_text(server.password + "\n", encoding="utf-8")
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            for path in (folder, folder / "password"):
                shutil.chown(path, user=_user())
        data = folder / "data"
        how = ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--auth", "scram-sha-256"]
        _run(programs / "initdb", "--pgdata", data, "--username", ADMIN, "--pwfile", folder / "password", *how)
        options = f"-c port={server.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        _run(programs / "pg_ctl", "start", "--wait", "--pgdata", data, "--log", folder / "log", "--options", options)
        try:
            yield server
        finally:
            if (data / "postmaster.pid").exists():
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """The folder of `initdb`; Debian keeps it off the path."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        reason = "PostgreSQL's initdb is not there; apt-get install postgresql brings it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folders[-1]


def _user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _run(program: Path, *arguments: str | Path) -> None:
    # Into a file: a server that pg_ctl starts would keep a pipe open.
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            [program, *arguments],
            user=_user() if os.geteuid() == 0 else None,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        said.seek(0)
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(map(str, arguments))}: {said.read().decode(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
