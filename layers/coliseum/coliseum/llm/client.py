"""The client of language models: one agent per model and task, through OpenRouter.

The only importer of pydantic_ai and openai. The first run imports them, not this module, because contestants without a
model do not need them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from coliseum import config
from coliseum.config import Settings
from coliseum.errors import SourceError
from coliseum.llm import tracing
from coliseum.llm.connections import ModelServer, check_address, provider_of, server_of
from coliseum.llm.failures import FailureKind, FailureScope, ModelErrorReply, ModelFailed, classify, scope_of
from coliseum.llm.names import canonical_model, served_model, vendor
from coliseum.llm.options import Options, OutputMode, Prices
from coliseum.llm.responses import raw_reply, read_response
from coliseum.llm.results import AgentResult, RunRecord, Turn, total_bill, usable_cost, usable_tokens

if TYPE_CHECKING:
    from pydantic_ai import Agent as LibraryAgent
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models.openrouter import OpenRouterModel, OpenRouterModelSettings
    from pydantic_ai.output import OutputSpec

Output = TypeVar("Output")
Permit = Callable[[], Awaitable[bool]]
"""Called before each request of a run except the first. False: the budget has no room for one more."""


@overload
def create_agent(
    *,
    model: str,
    system_prompt: str,
    options: Options | None = None,
    prices: Prices | None = None,
    name: str = "agent",
    settings: Settings | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
) -> ModelAgent[str]: ...


@overload
def create_agent(
    *,
    model: str,
    system_prompt: str,
    output_type: type[Output],
    output_mode: OutputMode = OutputMode.AUTO,
    options: Options | None = None,
    prices: Prices | None = None,
    name: str = "agent",
    settings: Settings | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
) -> ModelAgent[Output]: ...


def create_agent(
    *,
    model: str,
    system_prompt: str,
    output_type: type[Any] = str,
    output_mode: OutputMode = OutputMode.AUTO,
    options: Options | None = None,
    prices: Prices | None = None,
    name: str = "agent",
    settings: Settings | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
) -> ModelAgent[Any]:
    """An agent whose `await run(prompt)` returns a result with `.output` (older name: `.data`) and its bill.

    `model` is OpenRouter's `vendor/model`, also in the older spelling `openai:vendor/model`. `prices` estimate the cost
    where OpenRouter sent no bill. `base_url` is another server of OpenAI's chat API, such as a local one, and `api_key`
    its key, if it needs one; names of its models need no vendor. With LOGFIRE_TOKEN runs are traced.

    Raises InvalidInput for a name without a vendor, ConfigurationError without a key.
    """
    settings = config.settings if settings is None else settings
    server = server_of(settings, base_url=base_url, api_key=api_key)
    tracing.start_once(settings)
    return ModelAgent(
        model=canonical_model(model) if server.openrouter else served_model(model),
        system_prompt=system_prompt,
        output_type=output_type,
        output_mode=output_mode,
        options=options or Options(reasoning="low" if server.openrouter else None),
        prices=prices,
        name=name,
        server=server,
    )


def check_base_url(settings: Settings) -> None:
    """Raises ConfigurationError in production for a server on this machine, and for an address without TLS."""
    check_address(settings, settings.openrouter_base_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAgent(Generic[Output]):
    """One model with one system prompt. Runs may overlap and use different event loops; they share only connections."""

    model: str
    system_prompt: str
    output_type: type[Output]
    output_mode: OutputMode
    options: Options
    prices: Prices | None
    name: str
    server: ModelServer

    async def run(
        self, prompt: str, *, deadline_seconds: float | None = None, permit: Permit | None = None
    ) -> AgentResult[Output]:
        """Ask the model. Where its hosts lack the output mode, ask once more with the schema in the prompt.

        `deadline_seconds` limits each of the two attempts. Raises ModelFailed, which has the record of the attempt.
        """
        seconds = self.options.timeout_seconds if deadline_seconds is None else deadline_seconds
        trace = _RunTrace(self.model, self.output_type, self.output_mode, self.prices, permit)
        try:
            return await self._ask(prompt, self.output_mode, trace, seconds)
        except ModelFailed as error:
            if error.failure is not FailureKind.CAPABILITY or not self._can_fall_back:
                raise
        trace.mode = OutputMode.PROMPTED
        return await self._ask(prompt, OutputMode.PROMPTED, trace, seconds)

    def run_sync(self, prompt: str, *, deadline_seconds: float | None = None) -> AgentResult[Output]:
        """As `run`, for code without an event loop."""
        return asyncio.run(self.run(prompt, deadline_seconds=deadline_seconds))

    @property
    def _can_fall_back(self) -> bool:
        return self.output_type is not str and self.output_mode is not OutputMode.PROMPTED

    async def _ask(self, prompt: str, mode: OutputMode, trace: _RunTrace, seconds: float) -> AgentResult[Output]:
        from pydantic_ai import Agent, capture_run_messages

        with capture_run_messages() as messages:
            try:
                library_agent: LibraryAgent[None, Output] = Agent(
                    _model(self, trace),
                    output_type=_output_spec(self.output_type, mode),
                    instructions=self.system_prompt,
                    name=self.name,
                    retries={"output": self.options.output_retries},
                    model_settings=_model_settings(self, mode, seconds),
                )
                _refuse_ambiguous(library_agent, trace)
                async with library_agent:
                    result = await library_agent.run(prompt, timeout=seconds)
            except ModelFailed as error:
                error.record = trace.record(messages)
                raise
            except Exception as error:  # a reply that the library did not expect is recorded like any other
                raise _failed(error, trace, messages) from error
            return AgentResult(result.output, trace.record(messages))


@dataclass(slots=True)
class _RunTrace:
    """The requests and responses of a run, collected while it runs: a run that fails is billed, too."""

    model: str
    output_type: type[Any]
    mode: OutputMode
    prices: Prices | None
    permit: Permit | None
    started: float = field(default_factory=time.monotonic)
    requests: int = 0
    responses: list[ModelResponse] = field(default_factory=list)
    """As the model sent them, except for what could not be stored."""
    repairs: tuple[str, ...] = ()
    """What was repaired in the last response."""
    refusal: str | None = None
    """Why the last response has no answer."""

    async def before_request(self) -> None:
        if self.requests and self.permit is not None and not await self.permit():
            raise ModelFailed(FailureKind.UNPAID, "the budget has no room for another request of this run")
        self.requests += 1

    def record(self, messages: Sequence[ModelMessage]) -> RunRecord:
        from pydantic_ai.messages import ModelMessagesTypeAdapter

        last = self.responses[-1] if self.responses else None
        details = {} if last is None else last.provider_details or {}
        turns = [_turn(response, self.prices) for response in self.responses]
        return RunRecord(
            model_requested=self.model,
            model_served=None if last is None else last.model_name or None,
            host=details.get("downstream_provider") or None,
            generation_id=None if last is None else last.provider_response_id,
            output_mode=self.mode,
            requests=self.requests,
            input_tokens=sum(turn.input_tokens for turn in turns),
            output_tokens=sum(turn.output_tokens for turn in turns),
            bill=total_bill(turns),
            unbilled_replies=sum(turn.cost is None for turn in turns),
            raw_reply="" if last is None else raw_reply(last),
            repairs=self.repairs,
            seconds=time.monotonic() - self.started,
            messages=ModelMessagesTypeAdapter.dump_json(list(messages)),
        )


@cache
def _model_class() -> type[Any]:
    """A subclass of OpenRouter's model. A function, because pydantic_ai must not be imported earlier."""
    from pydantic_ai.models.openrouter import OpenRouterModel

    from coliseum.llm.transport import wire_repairs

    class Model(OpenRouterModel):
        """Adds every request and response to the run's trace, and reads the answer before the library does."""

        trace: _RunTrace

        async def request(
            self, messages: list[ModelMessage], model_settings: Any, model_request_parameters: Any
        ) -> ModelResponse:
            await self.trace.before_request()
            noted: list[str] = []
            token = wire_repairs.set(noted)
            try:
                response = await super().request(messages, model_settings, model_request_parameters)
            finally:
                wire_repairs.reset(token)
            self.trace.responses.append(response)
            _refuse_unfinished(response)
            _, asked = self.prepare_request(model_settings, model_request_parameters)
            read = read_response(response, self.trace.output_type, asked, noted=noted)
            self.trace.repairs, self.trace.refusal = read.repairs, read.refusal
            return read.response

        def _process_provider_details(self, response: Any) -> dict[str, Any] | None:
            """The library leaves out a cost of 0, which is not the same as no cost."""
            details = super()._process_provider_details(response) or {}
            if (usage := response.usage) is not None:
                details["cost"] = usage.cost
            if (error := getattr(response.choices[0], "error", None)) is not None:
                details["choice_error"] = error
            return details

    return Model


def _model(agent: ModelAgent[Any], trace: _RunTrace) -> OpenRouterModel:
    model = _model_class()(agent.model, provider=provider_of(agent.server))
    model.trace = trace
    return cast("OpenRouterModel", model)


def _refuse_ambiguous(library_agent: LibraryAgent[None, Output], trace: _RunTrace) -> None:
    """Make the library refuse what was refused locally. It would take the first of two different answers."""
    from pydantic_ai import ModelRetry

    @library_agent.output_validator
    def refuse(output: Output) -> Output:
        if trace.refusal is not None:
            raise ModelRetry(trace.refusal)
        return output


def _output_spec(output_type: type[Output], mode: OutputMode) -> OutputSpec[Output]:
    from pydantic_ai import NativeOutput, PromptedOutput, ToolOutput

    if output_type is str:
        return output_type
    match mode:
        case OutputMode.AUTO:
            return output_type
        case OutputMode.TOOL:
            return ToolOutput(output_type)
        case OutputMode.NATIVE:
            return NativeOutput(output_type)
        case OutputMode.PROMPTED:
            return PromptedOutput(output_type)


def _model_settings(agent: ModelAgent[Any], mode: OutputMode, seconds: float) -> OpenRouterModelSettings:
    options, prices = agent.options, agent.prices
    # Every host can answer a prompt. The other modes need a host that supports the schema parameter.
    routing: dict[str, Any] = {"allow_fallbacks": True, "require_parameters": mode is not OutputMode.PROMPTED}
    if prices is not None:
        # Without it a host could cost more than what was reserved for the request.
        routing["max_price"] = {"prompt": float(prices.input), "completion": float(prices.output)}
    if options.quantizations:
        routing["quantizations"] = list(options.quantizations)
    settings: dict[str, Any] = {
        "max_tokens": options.max_tokens,
        "max_retries": options.connection_retries,
        "timeout": min(options.timeout_seconds, seconds),
        "request_timeout": seconds,
    }
    if agent.server.openrouter:  # other servers may refuse a parameter that they do not know
        settings["openrouter_provider"] = routing
    if options.reasoning is not None:
        settings["openrouter_reasoning"] = {"effort": options.reasoning}
    if options.temperature is not None:
        settings["temperature"] = options.temperature
    if options.cache_seconds is not None:
        ttl = str(options.cache_seconds)
        settings["extra_headers"] = {"X-OpenRouter-Cache": "true", "X-OpenRouter-Cache-TTL": ttl}
        if options.cache_key is not None:
            settings["openai_user"] = options.cache_key
    return cast("OpenRouterModelSettings", settings)


def _failed(error: Exception, trace: _RunTrace, messages: Sequence[ModelMessage]) -> ModelFailed:
    """pydantic-ai's exception as a ModelFailed."""
    from pydantic_ai import exceptions

    status = retry_after = scope = None
    match error:
        case exceptions.ModelHTTPError():
            status = error.status_code
            reply = ModelErrorReply.parse(status, error.body, retry_after=error.retry_after)
            failure, retry_after = classify(reply), _pause_seconds(reply)
            scope = scope_of(failure, reply, vendor(trace.model))
        case exceptions.ModelRequestTimeout() | exceptions.RunTimedOut() | exceptions.ModelTimeoutError():
            failure = FailureKind.TIMEOUT
        case exceptions.ModelConnectionError():
            failure = FailureKind.NETWORK
        case exceptions.UserError():  # the library knows that the model lacks the output mode
            failure = FailureKind.CAPABILITY
        case exceptions.OutputTokenLimitExceeded():
            failure = FailureKind.TRUNCATED
        case exceptions.ContentFilterError():
            failure = FailureKind.FILTERED
        case SourceError():  # a store's, while more money was reserved: says nothing about the model
            failure, scope = FailureKind.MALFORMED, FailureScope.DECISION
        case exceptions.UnexpectedModelBehavior() if trace.responses:
            failure = FailureKind.INVALID_OUTPUT
        case _:
            failure = FailureKind.MALFORMED
    reason = trace.refusal if failure is FailureKind.INVALID_OUTPUT and trace.refusal else str(error)
    problem = f"{trace.model}: {failure.value}: {reason[:300]}"
    return ModelFailed(
        failure, problem, record=trace.record(messages), scope=scope, status=status, retry_after=retry_after
    )


def _pause_seconds(reply: ModelErrorReply) -> float | None:
    """The seconds until the reply says that a repetition makes sense; None where it does not say."""
    if reply.retry_after is not None or reply.resets_at is None:
        return reply.retry_after
    return max(0.0, (reply.resets_at - datetime.now(UTC)).total_seconds())


def _refuse_unfinished(response: ModelResponse) -> None:
    """Raises ModelFailed for a reply that broke off. The library would ask again at once, and pay again."""
    details = response.provider_details or {}
    if response.finish_reason == "content_filter":
        raise ModelFailed(FailureKind.FILTERED, f"{response.model_name}: the reply was filtered")
    if response.finish_reason == "error" or "choice_error" in details:
        problem = f"{response.model_name}: the reply broke off: {str(details.get('choice_error'))[:300]}"
        raise ModelFailed(FailureKind.UNAVAILABLE, problem)


def _turn(response: ModelResponse, prices: Prices | None) -> Turn:
    details = response.provider_details or {}
    stated = details.get("cost")
    billed = usable_cost(stated, is_byok=bool(details.get("is_byok")), upstream=details.get("upstream_inference_cost"))
    tokens_in, tokens_out = usable_tokens(response.usage.input_tokens), usable_tokens(response.usage.output_tokens)
    if tokens_in is None or tokens_out is None:
        return Turn(0, 0, billed, None)
    if stated is not None and billed is None:  # a usage with an impossible bill does not prove its tokens either
        return Turn(tokens_in, tokens_out, None, None)
    estimated = None if prices is None else prices.of(tokens_in, tokens_out)
    if estimated is None and response.model_name:
        with suppress(LookupError, ValueError):  # a model the price list does not know; a reply without its usage
            estimated = response.cost().total_price
    return Turn(tokens_in, tokens_out, billed, estimated)
