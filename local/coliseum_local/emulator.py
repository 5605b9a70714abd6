"""A built function under AWS's own runtime client and Runtime Interface Emulator, on this machine, without Docker.

The function sees what Lambda would give it: its folder, its layers, the runtime client and AWS's SDK. Nothing else of
this project's environment leaks in, so a package missing from a layer is missing here too.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil

from coliseum_local.template import LambdaFunction

RUNTIME = (
    *("awslambdaric", "simplejson", "snapshot-restore-py"),
    *("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3"),
)
"""What AWS's image holds behind function and layers."""
BOOT_SECONDS = 60.0


class CannotEmulate(Exception):
    """Something that is needed is not here; the message names it."""


class Emulator:
    """One execution environment of a built function. One invocation at a time: the emulator cannot do more."""

    def __init__(
        self,
        function: LambdaFunction,
        *,
        bundle: Path,
        emulator: Path,
        variables: Mapping[str, str],
        timeout_seconds: int | None = None,
    ) -> None:
        self._timeout = timeout_seconds or function.timeout_seconds
        self._folder = tempfile.TemporaryDirectory(prefix="coliseum-runtime-")
        self._port, runtime_port = _free_port(), _free_port()
        task = bundle / function.logical_id
        if not task.is_dir():
            raise CannotEmulate(f"{task} is not built; run `make invoke`, which builds it")
        _link_runtime(Path(self._folder.name))
        self._process = subprocess.Popen(
            [
                str(emulator),
                *("--log-level", "error"),
                *("--runtime-interface-emulator-address", f"127.0.0.1:{self._port}"),
                *("--runtime-api-address", f"127.0.0.1:{runtime_port}"),
                *_command(function, bundle),
            ],
            cwd=task,
            stdout=sys.stderr,
            env={
                "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                "LAMBDA_TASK_ROOT": str(task),
                "PYTHONPATH": os.pathsep.join([str(task), python_path(function, bundle), self._folder.name]),
                "PYTHONNOUSERSITE": "1",
                "AWS_REGION": "us-east-1",
                "AWS_LAMBDA_FUNCTION_NAME": f"coliseum-built-{function.name}",
                "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self._timeout),
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_megabytes),
                "_HANDLER": function.handler,
                **variables,
            },
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return self
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        self.close()
        raise CannotEmulate("the Runtime Interface Emulator did not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._process.poll() is None:
            # The runtime first: it would complain that the emulator is gone.
            for child in psutil.Process(self._process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def invoke(self, event: Any) -> Any:
        """The handler's answer, or Lambda's error document; a time-out comes back as text, as from Lambda."""
        url = f"http://127.0.0.1:{self._port}/2015-03-31/functions/function/invocations"
        answer = httpx.post(url, json=event, timeout=self._timeout + BOOT_SECONDS, trust_env=False)
        try:
            return answer.json()
        except json.JSONDecodeError:
            return answer.text


def find_emulator(root: Path) -> Path:
    """The binary that aws-sam-cli ships. Raises CannotEmulate."""
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    pattern = f".venv-sam/lib/python3.*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"
    found = next(iter(root.glob(pattern)), None)
    if found is None or sys.platform != "linux":
        raise CannotEmulate("the Runtime Interface Emulator comes with aws-sam-cli in .venv-sam and runs on Linux")
    if sys.version_info[:2] != (3, 13):
        raise CannotEmulate("the bundle is built for Python 3.13, and .venv runs another one")
    return found


def base_python() -> str:
    """The interpreter without this project's packages."""
    return str(getattr(sys, "_base_executable", sys.executable))


def python_path(function: LambdaFunction, bundle: Path) -> str:
    """The function's built layers, as Lambda puts them on the path."""
    return os.pathsep.join(str(bundle / layer / "python") for layer in function.layers)


def _command(function: LambdaFunction, bundle: Path) -> list[str]:
    wrapper = function.variables.get("AWS_LAMBDA_EXEC_WRAPPER")
    if wrapper is None:
        return [base_python(), "-S", "-m", "awslambdaric", function.handler]
    local = next(path for layer in function.layers if (path := bundle / layer / wrapper.removeprefix("/opt/")).exists())
    return [str(local), base_python()]


def _link_runtime(folder: Path) -> None:
    """The image's own packages, apart from everything else that is installed here."""
    for name in RUNTIME:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            raise CannotEmulate(f"{name} is not installed; `make test` installs it") from None
        for part in {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}:
            (folder / part).symlink_to(Path(str(distribution.locate_file(part))))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
