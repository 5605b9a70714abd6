"""The parts of template.yaml that the local stack uses: functions, routes, schedules, queues, variables, edge patterns.

Intrinsic functions are resolved from the parameters' defaults. What only the cloud can know (an ARN, a parameter
without a default) resolves to None, and a variable that is None is left to the environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

PSEUDO_PARAMETERS = {
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "coliseum-local",
}
PERIOD_SECONDS = {"minute": 60, "minutes": 60, "hour": 3600, "hours": 3600, "day": 86_400, "days": 86_400}


@dataclass(frozen=True)
class Route:
    """One route of the HTTP API, `path` as in the template: `/api/python/markets/{proxy+}`."""

    method: str
    path: str


@dataclass(frozen=True)
class Schedule:
    name: str
    period_seconds: int


@dataclass(frozen=True)
class Queue:
    """An SQS queue; `dead_letters` is the logical id of the queue that takes what failed `max_receives` times."""

    logical_id: str
    attributes: Mapping[str, str]
    """As SQS takes them, without the redrive policy."""
    dead_letters: str | None = None
    max_receives: int = 0


@dataclass(frozen=True)
class QueueMapping:
    """A function's mapping to a queue (its logical id)."""

    name: str
    queue: str
    batch_size: int
    concurrency: int | None
    """The most batches at a time; None where nothing limits them."""


@dataclass(frozen=True)
class LambdaFunction:
    """One Lambda function. `name` is its folder's, `concurrency` None where nothing is reserved."""

    logical_id: str
    name: str
    folder: Path
    handler: str
    timeout_seconds: int
    memory_megabytes: int
    concurrency: int | None
    variables: Mapping[str, str]
    layers: tuple[str, ...]
    routes: tuple[Route, ...]
    schedules: tuple[Schedule, ...]
    streams: bool
    messages: tuple[QueueMapping, ...] = ()


@dataclass(frozen=True)
class Behaviour:
    """The edge sends paths like `pattern` to `function`'s URL, or to the HTTP API where it is None."""

    pattern: str
    function: str | None


@dataclass(frozen=True)
class Template:
    functions: tuple[LambdaFunction, ...]
    behaviours: tuple[Behaviour, ...]
    variables: Mapping[str, str]
    queues: tuple[Queue, ...] = ()
    queue_variables: Mapping[str, str] = field(default_factory=dict)
    """Variables that hold a queue's address, with the queue's logical id."""

    @classmethod
    def read(cls, path: Path, *, parameters: Mapping[str, str] | None = None) -> Self:
        """`parameters` take the place of the template's defaults, as in a deployment."""
        return cls.parse(load_document(path), root=path.parent, parameters=parameters or {})

    @classmethod
    def parse(cls, document: Mapping[str, Any], *, root: Path, parameters: Mapping[str, str] | None = None) -> Self:
        resolve = _Resolver(document, parameters or {})
        defaults = document["Globals"]["Function"]
        functions = tuple(
            _function(logical_id, resource["Properties"], defaults, resolve, root)
            for logical_id, resource in document["Resources"].items()
            if resource["Type"] == "AWS::Serverless::Function"
        )
        queues = tuple(
            _queue(logical_id, resource.get("Properties", {}))
            for logical_id, resource in document["Resources"].items()
            if resource["Type"] == "AWS::SQS::Queue"
        )
        return cls(
            functions,
            _behaviours(document, functions),
            _variables(defaults, resolve),
            queues,
            _queue_variables(document, {queue.logical_id for queue in queues}),
        )

    def function(self, name: str) -> LambdaFunction:
        """By folder name or logical id, with or without its ending."""
        for function in self.functions:
            if name in {function.name, function.logical_id, function.logical_id.removesuffix("Function")}:
                return function
        known = ", ".join(function.logical_id.removesuffix("Function") for function in self.functions)
        raise LookupError(f"template.yaml has no function {name!r}; it has {known}")


def load_document(path: Path) -> dict[str, Any]:
    """The template as plain data, with `!Ref X` as `{"Ref": "X"}` and so on."""
    document: dict[str, Any] = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    return document


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's tags, each read as its long form: `!Ref X` is `{"Ref": "X"}`."""


def _construct_tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _construct_tag)


class _Resolver:
    """Resolves intrinsic functions; None is what cannot be known here."""

    def __init__(self, document: Mapping[str, Any], overrides: Mapping[str, str]) -> None:
        parameters = document.get("Parameters", {})
        self._values: dict[str, Any] = {name: parameter.get("Default") for name, parameter in parameters.items()}
        self._values |= {**overrides, **PSEUDO_PARAMETERS}
        self._mappings = document.get("Mappings", {})
        self._conditions = document.get("Conditions", {})

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, dict) or len(value) != 1:
            return value
        ((name, argument),) = value.items()
        match name:
            case "Ref":
                return self._values.get(argument)
            case "Fn::Sub" if isinstance(argument, str):
                return self._substitute(argument)
            case "Fn::FindInMap":
                first, second, third = (self(part) for part in argument)
                return self._mappings[first][second][third]
            case "Fn::If":
                condition, yes, no = argument
                return self(yes if self._holds(self._conditions[condition]) else no)
            case _:
                return None

    def _substitute(self, text: str) -> str | None:
        names = re.findall(r"\$\{([^!{}]+)\}", text)
        if any(self._values.get(name) is None for name in names):
            return None
        return re.sub(r"\$\{([^!{}]+)\}", lambda match: str(self._values[match[1]]), text)

    def _holds(self, condition: Mapping[str, Any]) -> bool:
        ((name, argument),) = condition.items()
        match name:
            case "Fn::Equals":
                left, right = (self(part) for part in argument)
                return str(left) == str(right)
            case "Fn::Not":
                return not self._holds(argument[0])
            case "Condition":
                return self._holds(self._conditions[argument])
            case _:
                raise ValueError(f"template.yaml: condition {name} is not understood here")


def _function(
    logical_id: str, own: Mapping[str, Any], defaults: Mapping[str, Any], resolve: _Resolver, root: Path
) -> LambdaFunction:
    properties = {**defaults, **own}
    events = own.get("Events", {})
    concurrency = resolve(own.get("ReservedConcurrentExecutions"))
    return LambdaFunction(
        logical_id=logical_id,
        name=Path(own["CodeUri"]).name,
        folder=root / own["CodeUri"],
        handler=properties["Handler"],
        timeout_seconds=properties["Timeout"],
        memory_megabytes=properties["MemorySize"],
        concurrency=None if concurrency is None else int(concurrency),
        variables=_variables(defaults, resolve) | _variables(own, resolve),
        layers=tuple(layer["Ref"] for layer in (*defaults.get("Layers", ()), *own.get("Layers", ()))),
        routes=tuple(
            Route(event["Properties"]["Method"].upper(), event["Properties"]["Path"])
            for event in events.values()
            if event["Type"] == "HttpApi"
        ),
        schedules=tuple(
            Schedule(name, _period_seconds(resolve(event["Properties"]["ScheduleExpression"])))
            for name, event in events.items()
            if event["Type"] == "ScheduleV2"
        ),
        streams=own.get("FunctionUrlConfig", {}).get("InvokeMode") == "RESPONSE_STREAM",
        messages=tuple(
            _messages(name, event["Properties"]) for name, event in events.items() if event["Type"] == "SQS"
        ),
    )


def _queue_variables(document: Mapping[str, Any], queues: Set[str]) -> dict[str, str]:
    resources = [resource.get("Properties", {}) for resource in document["Resources"].values()]
    environments = [part.get("Environment") or {} for part in (document["Globals"]["Function"], *resources)]
    declared = [pair for environment in environments for pair in environment.get("Variables", {}).items()]
    return {name: value["Ref"] for name, value in declared if isinstance(value, dict) and value.get("Ref") in queues}


def _messages(name: str, properties: Mapping[str, Any]) -> QueueMapping:
    return QueueMapping(
        name=name,
        queue=properties["Queue"]["Fn::GetAtt"][0],
        batch_size=properties.get("BatchSize", 10),
        concurrency=properties.get("ScalingConfig", {}).get("MaximumConcurrency"),
    )


QUEUE_ATTRIBUTES = ("VisibilityTimeout", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds", "DelaySeconds")
"""Named alike by CloudFormation and SQS."""


def _queue(logical_id: str, properties: Mapping[str, Any]) -> Queue:
    attributes = {name: str(properties[name]) for name in QUEUE_ATTRIBUTES if name in properties}
    redrive = properties.get("RedrivePolicy")
    if redrive is None:
        return Queue(logical_id, attributes)
    return Queue(logical_id, attributes, redrive["deadLetterTargetArn"]["Fn::GetAtt"][0], redrive["maxReceiveCount"])


def _variables(properties: Mapping[str, Any], resolve: _Resolver) -> dict[str, str]:
    declared = properties.get("Environment", {}).get("Variables", {})
    resolved = {name: resolve(value) for name, value in declared.items()}
    return {name: str(value) for name, value in resolved.items() if value is not None}


def _period_seconds(expression: str) -> int:
    match = re.fullmatch(r"rate\((\d+) (\w+)\)", expression)
    if match is None or match[2] not in PERIOD_SECONDS:
        raise ValueError(f"template.yaml: schedule {expression!r} is not understood here; expected rate(<n> minutes)")
    return int(match[1]) * PERIOD_SECONDS[match[2]]


def _behaviours(document: Mapping[str, Any], functions: tuple[LambdaFunction, ...]) -> tuple[Behaviour, ...]:
    urls = {f"{function.logical_id}Url": function.logical_id for function in functions if function.streams}
    behaviours: list[Behaviour] = []
    for resource in document["Resources"].values():
        if resource["Type"] != "AWS::CloudFront::Distribution":
            continue
        config = resource["Properties"]["DistributionConfig"]
        origins = {origin["Id"]: str(origin["DomainName"]) for origin in config["Origins"]}
        for behaviour in config.get("CacheBehaviors", ()):
            domain = origins[behaviour["TargetOriginId"]]
            function = next((logical_id for url, logical_id in urls.items() if f"'{url}'" in domain), None)
            behaviours.append(Behaviour(behaviour["PathPattern"], function))
    return tuple(behaviours)
