"""A PostgreSQL server of Debian's packages for as long as tests last, in a folder of its own, on a free port."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "p@ss/word%41:x"  # with all that means something in a URL
VARIABLE = "DISTML_TEST_PASSWORD"


@dataclass(frozen=True)
class Server:
    port: int

    @property
    def uri(self) -> str:
        """As `data.source.uri`; the password is in the environment variable VARIABLE."""
        return f"sql:postgresql+psycopg://ann:${{{VARIABLE}}}@127.0.0.1:{self.port}/postgres"

    def execute(self, *statements: str) -> None:
        with self._connected() as connection:
            for statement in statements:
                connection.execute(statement)

    def load_csv(self, table: str, columns: str, path: Path) -> None:
        """Makes a table of the given columns and fills it from a CSV file with a header."""
        self.execute(f"DROP TABLE IF EXISTS {table}", f"CREATE TABLE {table} ({columns})")
        statement = f"COPY {table} FROM STDIN (FORMAT csv, HEADER true)"
        with self._connected() as connection, connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(path.read_bytes())

    def _connected(self):
        import psycopg

        return psycopg.connect(host="127.0.0.1", port=self.port, user="ann", password=PASSWORD, dbname="postgres")


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl, of the newest version there is."""
    versions = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    found = versions[-1] if versions else shutil.which("initdb")
    return Path(found).parent if found else None


@contextmanager
def postgresql(folder: Path) -> Iterator[Server]:
    """A server whose files are the given folder's bin directory's work, gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="distml-pg-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = _unprivileged(home)
    (home / "password").write_text(PASSWORD)
    (home / "password").chmod(0o644)
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off"
    data = ["-D", str(home / "db")]

    def call(program: str, *arguments: str) -> None:
        command = [*user, str(folder / program), *data, *arguments]
        subprocess.run(command, check=True, cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120)

    try:
        call("initdb", "-A", "scram-sha-256", "-U", "ann", "--pwfile", str(home / "password"), "-N")
        call("pg_ctl", "start", "-w", "-o", settings, "-l", str(home / "log"))
        try:
            yield Server(port)
        finally:
            call("pg_ctl", "stop", "-w", "-m", "immediate")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _unprivileged(home: Path) -> list[str]:
    """How to run as somebody whom initdb doesn't refuse, and to whom the folder is given."""
    if os.geteuid() != 0:
        return []
    import pwd

    name = "postgres" if any(known.pw_name == "postgres" for known in pwd.getpwall()) else "nobody"
    known = pwd.getpwnam(name)
    os.chown(home, known.pw_uid, known.pw_gid)
    return ["setpriv", f"--reuid={known.pw_uid}", f"--regid={known.pw_gid}", "--clear-groups"]
