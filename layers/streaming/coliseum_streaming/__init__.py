"""Runs an ASGI app on Lambda's managed Python runtime and streams its responses. Standard library only.

exec-wrapper     what Lambda starts instead of its own runtime client
loop.py          load the app, take invocations one by one, until the environment ends
invocation.py    one invocation: the app's `receive` and `send`, the deadline, errors before and after the first byte
scope.py         function URL or HTTP API event -> ASGI scope; pure
lifespan.py      the app's start and end
runtime_api.py   Lambda's Runtime API, in HTTP/1.1 over asyncio (chunked uploads with trailers need it)
"""
