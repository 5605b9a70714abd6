"""`make invoke`: one event through a built function, against the running system or one of its own."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from coliseum.errors import ConfigurationError
from coliseum_local.emulator import CannotEmulate, Emulator, find_emulator
from coliseum_local.gateway.__main__ import CLOUD_ONLY
from coliseum_local.installation import read_installation
from coliseum_local.run import ROOT
from coliseum_local.services import BOT, EXCHANGE, POSTGRES, QUEUE, REDIS
from coliseum_local.state import PUBLISHED, StateFolder
from coliseum_local.supervisor import CannotStart, Supervisor
from coliseum_local.template import LambdaFunction, Template
from coliseum_local.variables import LOCAL_AWS, Variables

BUNDLE = Path(".aws-sam/host")
SHORT_STREAM = {"SSE_SESSION_MAX_SECONDS": "5"}
"""The emulator shows an answer once it is whole."""
STREAMS = "AWS_LAMBDA_EXEC_WRAPPER"
"""Set for a function whose answer is a stream: text, where others answer JSON."""


def invoke(name: str, event: Path, *, root: Path = ROOT) -> int:
    """Print the answer; 0 for an answer, 1 for an error."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        function = Template.read(root / "template.yaml").function(name)
        emulator = find_emulator(root)
        with _servers(root) as servers:
            variables = variables_of(function) | SHORT_STREAM | LOCAL_AWS | servers
            with Emulator(function, bundle=root / BUNDLE, emulator=emulator, variables=variables) as environment:
                answer = environment.invoke(json.loads(event.read_text()))
    except (CannotEmulate, CannotStart, ConfigurationError, LookupError, json.JSONDecodeError) as error:
        print(error, file=sys.stderr)
        return 1
    if isinstance(answer, str) and STREAMS in function.variables:
        print(answer)
        return 0
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 1 if isinstance(answer, str) or (isinstance(answer, dict) and "errorType" in answer) else 0


def _end(number: int, _frame: FrameType | None) -> None:
    """As Ctrl-C does: the emulator is ended on the way out."""
    sys.exit(128 + number)


def variables_of(function: LambdaFunction) -> Variables:
    """The function's own variables, as far as they mean something on this machine."""
    return {name: value for name, value in function.variables.items() if name not in CLOUD_ONLY}


@contextmanager
def _servers(root: Path) -> Iterator[Variables]:
    """The variables of the running system, or of servers that live as long as this."""
    installation = read_installation(root)
    if installation.running is not None:
        yield dict(installation.running)
        return
    any_port = {service.port_variable: "0" for service in (REDIS, POSTGRES, EXCHANGE, QUEUE, BOT)}
    with tempfile.TemporaryDirectory(prefix="coliseum-invoke-") as folder:
        supervisor = Supervisor(
            root=root,
            state=StateFolder(Path(folder)),
            variables=installation.variables | any_port,
            report=lambda text: print(text, file=sys.stderr),
        )
        try:
            supervisor.start(gateway=False)
            yield {name: value for name, value in supervisor.variables.items() if name in PUBLISHED}
        finally:
            supervisor.stop()
