"""Requests a second on one core, beside aiohttp, httpx and wrk: python bench/wire.py [--rounds N]

64 under way, to nginx on the other core: over one origin, over 64, and over TLS connections that are kept.
The engine's figure is of its whole way out: the fence, secrets, deadline and caps on, outcomes made.
"""

from __future__ import annotations

import argparse
import datetime as dt
import ipaddress
import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import peers
import stage
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from figures import Run, median_of, p50_p99, say, show

IN_FLIGHT = 64
SECONDS = 3.0
CLIENTS = ("sender", "aiohttp", "httpx")
WRK = """
wrk.method = "POST"
wrk.body = string.rep("x", 600)
wrk.headers["Content-Type"] = "application/json"
"""


def certificate(folder: Path) -> Path:
    """Of localhost, signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(pem)
    )
    return file


def run_client(name: str, scheme: str, ca: Path | None, ports: list[int]) -> tuple[Run, str]:
    python = peers.python() if name == "aiohttp" else Path(sys.executable)
    words = [name, str(IN_FLIGHT), str(SECONDS), scheme, str(ca or ""), *map(str, ports)]
    command = [str(python), "wire_client.py", *words]
    with stage.running(command, core=stage.MEASURED, stdout=subprocess.PIPE) as process:
        said, _ = process.communicate()
    figures = json.loads(said)
    return Run(rate=figures["rate"], cpu=figures["cpu"]), p50_p99(figures["took"])


def run_wrk(folder: Path, scheme: str, port: int) -> tuple[Run, str]:
    script = folder / "post.lua"
    script.write_text(WRK)
    words = ["-t1", f"-c{IN_FLIGHT}", f"-d{SECONDS:.0f}s", "-s", str(script), f"{scheme}://localhost:{port}/"]
    with stage.running(
        [stage.program("wrk"), *words], core=stage.MEASURED, stdout=subprocess.PIPE
    ) as process:
        said, _ = process.communicate()
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found is not None, said
    return Run(rate=float(found[1]), cpu=0.0), ""


def measure(folder: Path, title: str, rounds: int, ports: int, ca: Path | None) -> None:
    scheme = "https" if ca else "http"
    runs: dict[str, list[tuple[Run, str]]] = defaultdict(list)
    with stage.nginx(folder, ports, ca) as chosen:
        for number in range(rounds):
            for name in CLIENTS:
                runs[name].append(run_client(name, scheme, ca, chosen))
            if ports == 1:
                runs["wrk"].append(run_wrk(folder, scheme, chosen[0]))
            say(f"{title}, round {number + 1}")
    rows = []
    for name, each in runs.items():
        median = median_of([run for run, _ in each])
        delays = next(text for run, text in each if run is median)
        rates = " ".join(f"{run.rate:,.0f}" for run, _ in each)
        rows.append([name, f"{median.rate:,.0f}", f"{median.cpu:.0f}" if median.cpu else "", delays, rates])
    show(title, ["client", "POST/s", "CPU us each", "p50 / p99 ms", "rounds"], rows)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    stage.pin(stage.REST)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure(folder, "one origin", rounds, 1, None)
        measure(folder, "64 origins", rounds, 64, None)
        measure(folder, "one origin, TLS", rounds, 1, certificate(folder))


if __name__ == "__main__":
    main()
