"""A PostgreSQL of the tests' own: made in a temporary folder, on a free port of this machine, gone with them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

BINARIES = Path("/usr/lib/postgresql/15/bin")
USER, PASSWORD = "scores", "s3cret-word"


@contextmanager
def server() -> Iterator[str]:
    """The address of a database; skips where there is no PostgreSQL 15, fails there under CI."""
    if not (BINARIES / "initdb").exists():
        reason = f"there is no PostgreSQL in {BINARIES}: apt-get install postgresql-15"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with TemporaryDirectory(prefix="holdfast-postgres-") as name:  # pytest's own folders are closed to other users
        yield from _served(Path(name))


def _served(folder: Path) -> Iterator[str]:
    word = folder / "word"
    word.write_text(PASSWORD)
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        as_user = ["runuser", "-u", "postgres", "--"]
        for path in (folder, word):
            shutil.chown(path, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    create = [
        "initdb",
        "-D",
        data,
        "-U",
        USER,
        "--pwfile",
        word,
        "-A",
        "scram-sha-256",
        "-N",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"

    def run(name: str, *arguments: object) -> None:
        command = [*as_user, str(BINARIES / name), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    run(str(create[0]), *create[1:])
    run("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", settings, "start")
    try:
        yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
