"""From the start of the Lambda environment to its end: load the app, serve invocations one by one."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
import traceback
from typing import cast

from coliseum_streaming.invocation import serve
from coliseum_streaming.lifespan import App, Lifespan
from coliseum_streaming.runtime_api import Invocation, RuntimeApi


async def run(api: RuntimeApi, handler: str) -> int:
    """Serve until SIGTERM; returns the exit code. `handler` is `<module>.<ASGI app>`, as in the template."""
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    try:
        lifespan = await _start(handler)
    except Exception as error:  # noqa: BLE001 - any failure at import or startup is reported to Lambda, then the process ends
        traceback.print_exc(file=sys.stderr)
        await api.init_error(error)
        return 1
    while (invocation := await _next_or_end(api, ending)) is not None:
        os.environ["_X_AMZN_TRACE_ID"] = invocation.trace_id
        await serve(lifespan.app, invocation, api, state=lifespan.state, ending=ending)
    await lifespan.shutdown()
    return 0


async def _start(handler: str) -> Lifespan:
    module, _, name = handler.rpartition(".")
    lifespan = Lifespan(cast(App, getattr(importlib.import_module(module.replace("/", ".")), name)))
    await lifespan.startup()
    return lifespan


async def _next_or_end(api: RuntimeApi, ending: asyncio.Event) -> Invocation | None:
    """The next invocation; None at SIGTERM."""
    next_invocation = asyncio.create_task(api.next())
    end = asyncio.create_task(ending.wait())
    await asyncio.wait({next_invocation, end}, return_when=asyncio.FIRST_COMPLETED)
    end.cancel()
    if not next_invocation.done():
        next_invocation.cancel()
        return None
    return next_invocation.result()
