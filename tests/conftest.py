"""Set-up for every test: embedded servers as fixtures, no access to the internet, no settings of the developer."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from httpx._transports import default as httpx_transport
from httpx2._transports import default as httpx2_transport
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from tests.fixtures.waiting import PATIENCE_SECONDS

pytest_plugins = [
    "tests.fixtures.redis",
    "tests.fixtures.postgres",
    "tests.fixtures.exchange",
]

_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("suite", _PATIENT, max_examples=30, derandomize=True)
settings.register_profile("explore", _PATIENT, max_examples=500)
settings.load_profile("suite")
"""The suite tries the same examples on every run, so no test depends on chance. `make soak` looks for new ones."""

ROOT = Path(__file__).resolve().parent.parent
_ISOLATED = ("UPSTASH_", "SUPABASE_", "KALSHI_", "BOT_", "OPENROUTER_", "LOGFIRE_", "COLISEUM_", "ADMIN_", "SECRETS_")
os.environ.update(
    {name: "" for name in list(os.environ) if name.startswith(_ISOLATED) and name != "COLISEUM_SOAK"}
    | {"ENVIRONMENT": "test", "AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_METRICS_NAMESPACE": "Coliseum"}
    | {"PYDANTIC_DISABLE_PLUGINS": "1"}  # logfire's, which costs every process of the tests half a second
    | {"OPENBLAS_NUM_THREADS": "1"}  # numpy's waiting threads would take the cores from the other worker
)


# Hypothesis mixes constants of all loaded modules into its examples. To read them costs each worker 20 s in a fresh
# clone, and examples would depend on which tests were loaded before.
providers.is_local_module_file = lambda path: False  # type: ignore[assignment, attr-defined]


# Every client would read all certificates again, which takes 20 ms. Many tests make several clients.
for transport in (httpx_transport, httpx2_transport):
    transport.create_ssl_context = cache(transport.create_ssl_context)  # type: ignore[attr-defined]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files that take longest first, so that no worker is left alone with one of them at the end."""
    folders = ("e2e", "chaos", "integration", "contract", "functions", "simulation", "unit")

    @cache
    def place(path: Path) -> int:
        folder = path.relative_to(ROOT / "tests").parts[0]
        return folders.index(folder) if folder in folders else len(folders)

    items.sort(key=lambda item: (item.get_closest_marker("slow") is None, place(item.path)))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Public third-party data beside the project. Tests that need it are skipped where it is missing."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the folder of third-party data, {folder}, does not exist")
    return folder


@pytest.fixture(autouse=True, scope="session")
def _no_internet() -> Iterator[None]:
    """Fail a test that connects to another machine."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if isinstance(host, str) and host not in {"", "localhost", "::1"} and not host.startswith("127."):
            raise AssertionError(f"a test tried to reach {host}")
        connect(self, address)  # type: ignore[arg-type]  # passed on unchanged

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", local_only)
        yield


@pytest.fixture(autouse=True, scope="session")
def _patient_clients() -> Iterator[None]:
    """Give our clients minutes instead of seconds by default: a busy machine is slow, not down.

    A test of a time-out passes its own.
    """
    from coliseum.bot.client import Bot
    from coliseum.store.client import Store
    from coliseum.upstash.client import AsyncRedis, Redis

    with pytest.MonkeyPatch.context() as patch:
        for function in (Bot.__init__, Store.__init__, Store.from_settings, Redis.__init__, AsyncRedis.__init__):
            defaults = function.__kwdefaults__ or {}
            for name in defaults.keys() & {"timeout_seconds", "connect_seconds"}:
                patch.setitem(defaults, name, PATIENCE_SECONDS)
        yield
