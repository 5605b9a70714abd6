"""The servers that models are asked through, and the connections to them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from pydantic import SecretStr

from coliseum.config import Settings
from coliseum.errors import ConfigurationError, InvalidInput
from coliseum.identity import LOOPBACK
from coliseum.llm.redaction import redactor_of

APP_TITLE = "Coliseum"
OPENROUTER_HOST = "openrouter.ai"
NO_KEY = SecretStr("none")
"""Sent to a server that needs no key: the library always sends one."""


@dataclass(frozen=True, slots=True)
class ModelServer:
    """A server of OpenAI's chat API: OpenRouter, or one with models of its own, such as Ollama, vLLM or llama.cpp."""

    base_url: str
    api_key: SecretStr
    openrouter: bool
    """It knows OpenRouter's own parameters: routing among hosts, reasoning."""
    app_url: str | None
    secrets: frozenset[str]
    """All secrets of this process. No reply may show one."""

    def __repr__(self) -> str:
        return f"ModelServer({self.base_url!r})"


def server_of(settings: Settings, *, base_url: str | None = None, api_key: str | None = None) -> ModelServer:
    """The server at `base_url`, with `api_key` if it needs one; without them the one of the settings.

    The settings' key is sent to the settings' address only. Without a key another address than OpenRouter's is a
    server of models of its own. Raises ConfigurationError for OpenRouter without a key and for an address that is not
    allowed, InvalidInput for a `base_url` that is none.
    """
    key = None if api_key is None else SecretStr(api_key)
    openrouter = False
    if base_url is not None:
        address = base_url.rstrip("/")
        if urlsplit(address).scheme not in {"http", "https"} or not urlsplit(address).hostname:
            raise InvalidInput("base_url", base_url, "an http(s) URL such as http://localhost:11434/v1")
    else:
        address = settings.openrouter_base_url
        key = key or settings.openrouter_api_key
        openrouter = key is not None or urlsplit(address).hostname == OPENROUTER_HOST
        if openrouter and key is None:
            settings.require("openrouter_api_key")
    check_address(settings, address)
    key = key or NO_KEY
    secrets = settings.secrets | {key.get_secret_value()}
    return ModelServer(address, key, openrouter, settings.openrouter_app_url, secrets)


def check_address(settings: Settings, address: str) -> None:
    """Raises ConfigurationError in production for a server on this machine, and for an address without TLS."""
    parts = urlsplit(address)
    if settings.environment == "production" and (parts.scheme != "https" or parts.hostname in LOOPBACK):
        raise ConfigurationError("OPENROUTER_BASE_URL", "expected an https address of another machine in production")


@cache
def _provider_class() -> type[Any]:
    """A subclass of OpenRouter's provider. A function, because pydantic_ai must not be imported earlier."""
    from pydantic_ai.models import create_async_httpx2_client
    from pydantic_ai.providers.openrouter import OpenRouterProvider

    from coliseum.llm.transport import reply_transport

    class Provider(OpenRouterProvider):
        """The provider with our base URL. The library's own is fixed, and replacing it drops our headers."""

        def __init__(self, base_url: str, secrets: frozenset[str], **more: Any) -> None:
            self._address = base_url
            self._secrets = secrets
            super().__init__(**more)

        def _get_http_client(self, *_: Any, **__: Any) -> Any:
            """The library's client, which it renews and closes, with our transport.

            It follows no redirect: the prompt and the key are for the configured server.
            """
            self._http_client_factory = self._new_client
            self._own_http_client = self._new_client()
            return self._own_http_client

        def _new_client(self) -> Any:
            transport = reply_transport(redactor_of(self._secrets), base_url=self._address)
            client = create_async_httpx2_client(transport=transport)
            client.follow_redirects = False
            return client

        @property
        def base_url(self) -> str:
            return self._address

        @staticmethod
        def model_profile(model_name: str) -> Any:
            """OpenRouter's names have a vendor. Those of other servers need none."""
            return OpenRouterProvider.model_profile(model_name if "/" in model_name else f"local/{model_name}")

    return Provider


_providers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, Any]] = WeakKeyDictionary()
"""Overlapping runs of one event loop share connections, because loading the certificates alone takes 30 ms each time.
The last run closes them, so that nothing stays open between two invocations of the Lambda."""


def provider_of(server: ModelServer) -> Any:
    """The library's provider for this server and the running event loop."""
    providers = _providers.setdefault(asyncio.get_running_loop(), {})
    key = server.api_key.get_secret_value()
    identity = (server.base_url, key, server.app_url)
    if identity not in providers:
        providers[identity] = _provider_class()(
            server.base_url,
            server.secrets,
            api_key=key,
            app_url=server.app_url if server.openrouter else None,
            app_title=APP_TITLE,
        )
    return providers[identity]
