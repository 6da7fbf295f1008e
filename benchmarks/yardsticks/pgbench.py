"""Drives one SQL statement with pgbench, PostgreSQL's own load generator in C: `-M prepared`, one round trip.

A client in Python costs more than the statement itself once rows are not contended; pgbench takes that
excuse away from the opponent's favourable case. It comes with the server's programs; where it does not
(`find` gives None), the yardsticks are measured through psycopg alone.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import tempfile
import time
from array import array
from pathlib import Path

import psycopg

from benchmarks.load import WARM_UP_SECONDS, Measurement, Tally

THREADS = 2
"""pgbench's own threads (-j). Measured on two cores: 1, 2 and 4 differ by less than the noise."""

CLIENTS_MAX = 64
"""Ids are numbered in steps of this, so that no two clients share one."""

SCRIPT_HEAD = f"""\\set n :n + 1
\\set id :base + :n * {CLIENTS_MAX} + :client_id
\\set sku random(1, :skus)
"""

UUID = "lpad(to_hex(:id::bigint), 32, '0')::uuid"
"""The reservation's id in a script: grows with time, like UUIDv7, so that index pages stay warm."""

KEY = "lpad(to_hex(:id::bigint), 16, '0')"
"""The idempotency key in a script; time-ordered for the same reason."""


def find(url: str) -> str | None:
    """The path of pgbench beside the programs of the server at `url`, or else on the PATH."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()
    assert row is not None
    return shutil.which("pgbench", path=row[0]) or shutil.which("pgbench")


def run(
    name: str,
    url: str,
    statement: str,
    *,
    skus: int,
    clients: int,
    seconds: float,
    threads: int = THREADS,
) -> Measurement | None:
    """Measure `statement`, which may use :sku, UUID and KEY; None where there is no pgbench."""
    pgbench = find(url)
    if pgbench is None:
        return None
    assert clients <= CLIENTS_MAX, clients
    threads = min(threads, clients)
    with tempfile.TemporaryDirectory(prefix="pgbench") as directory:
        script = Path(directory, "script.sql")
        script.write_text(f"{SCRIPT_HEAD}{statement.strip()};\n", encoding="ascii")
        whole_seconds = math.ceil(seconds + WARM_UP_SECONDS)
        command = [
            pgbench,
            "--no-vacuum",
            "--protocol=prepared",
            f"--file={script}",
            f"--time={whole_seconds}",
        ]
        command += [f"--client={clients}", f"--jobs={threads}", "--log", f"--log-prefix={directory}/log"]
        command += [f"--define=skus={skus}", "--define=n=0", f"--define=base={time.time_ns()}", url]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        if done.returncode != 0 or "number of failed transactions: 0 " not in done.stdout:
            raise RuntimeError(f"pgbench failed:\n{done.stdout}\n{done.stderr}")
        tally, measured_seconds = _read_logs(Path(directory), seconds)
    return tally.measurement(name, measured_seconds, f"pgbench -j {threads}")


def _read_logs(directory: Path, seconds: float) -> tuple[Tally, float]:
    """The transactions that ended inside the window, which opens WARM_UP_SECONDS after the first one."""
    ended = array("d")
    latencies = array("d")
    for log in directory.glob("log.*"):
        with log.open(encoding="ascii") as lines:
            for line in lines:  # client_id transaction_no latency_us script_no epoch_seconds epoch_us
                _, _, latency_us, _, epoch_seconds, epoch_us = line.split()
                ended.append(int(epoch_seconds) + int(epoch_us) / 1e6)
                latencies.append(int(latency_us) / 1e6)
    if not ended:
        raise RuntimeError("pgbench logged no transaction")
    begin = min(ended) + WARM_UP_SECONDS
    end = min(begin + seconds, max(ended))
    inside = [latency for latency, at in zip(latencies, ended, strict=True) if begin <= at <= end]
    return Tally(latencies=array("d", inside)), end - begin
