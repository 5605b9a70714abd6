"""The local system calls an agent's endpoint on this machine, by the name that docs/entry.md gives."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_bytes
from typing import Any

import yaml
from standardwebhooks import Webhook
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.stack import UNSET
from tests.fixtures.waiting import until
from tests.integration.arena_world import enrolled, open_round
from tests.integration.endpoint_world import registered

from coliseum.arena.entry.entrants import Entrants
from coliseum.arena.entry.records import EntryRecords
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.store.client import Store
from coliseum_local.processes import ServerProcess
from coliseum_local.template import load_document


def only_the_caller(root: Path) -> dict[str, Any]:
    """template.yaml with one function: the others would look for servers that this test has not."""
    document = load_document(root / "template.yaml")
    caller = document["Resources"]["EntrantCallerFunction"]
    caller["Properties"]["CodeUri"] = str(root / "functions" / "entrant_caller")
    return {**document, "Resources": {"EntrantCallerFunction": caller}}


@contextmanager
def agent(secret: str) -> Iterator[int]:
    """An endpoint on this machine, without TLS. Gives its port."""

    class Agent(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            message = Webhook(secret).verify(body, dict(self.headers))
            challenge = message["data"].get("challenge", "")
            proof = hmac.new(secret.encode(), challenge.encode(), "sha256").hexdigest()
            answer = json.dumps({"proof": proof} if challenge else {"probability": 0.5}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Agent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_the_schedule_calls_an_endpoint_on_this_machine_by_its_name(
    root: Path, tmp_path: Path, store: Store, postgres_server: PostgresServer
) -> None:
    records = ArenaRecords(store)
    enrolled(records)
    open_round(records, ["A", "B"])
    entrants = Entrants(lambda: EntryRecords(store), random=token_bytes)
    made = registered(entrants, name="Waiting", endpoint="https://agent.coliseum.test/forecast")
    template = tmp_path / "template.yaml"
    template.write_text(yaml.safe_dump(only_the_caller(root)))
    with agent(str(made.signing_secret)) as port:
        variables = {
            **UNSET,
            "SUPABASE_URL": postgres_server.url,
            "SUPABASE_SERVICE_ROLE_KEY": postgres_server.secret_key,
            "ARENA_ENTRY": "open",
            "COLISEUM_AGENT_PORT": str(port),
        }
        process = ServerProcess(
            "coliseum_local.gateway",
            ["--port", "0", "--state", str(tmp_path / "gateway"), "--template", str(template)],
            log=tmp_path / "gateway.log",
            environment=variables,
        )
        try:
            until(lambda: len(records.forecasts()) == 2)
        finally:
            process.stop()
    assert {one.agent_id for one in records.forecasts()} == {made.entrant_id}
