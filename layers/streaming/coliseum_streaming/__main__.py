"""What exec-wrapper runs in place of the managed runtime's client."""

from __future__ import annotations

import asyncio
import os
import sys

from coliseum_streaming.loop import run
from coliseum_streaming.runtime_api import RuntimeApi

if __name__ == "__main__":
    sys.exit(asyncio.run(run(RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"]), os.environ["_HANDLER"])))
