"""Logger and metrics, the same in every function. Call them; importing this module does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "Coliseum"


@cache
def logger() -> Logger:
    """The process's JSON logger. Powertools reads `POWERTOOLS_SERVICE_NAME` and `LOG_LEVEL` itself."""
    return Logger()


@cache
def metrics() -> Metrics:
    """CloudWatch metrics in embedded metric format; the handler's `log_metrics` decorator flushes them."""
    return Metrics(namespace=NAMESPACE)


def record(**values: float) -> None:
    """Metrics of the service, which leave when its handler ends. Names that end in Ms are milliseconds."""
    for name, value in values.items():
        metrics().add_metric(name=name, unit=_unit(name), value=value)


def measure(dimensions: Mapping[str, str], /, **values: float) -> None:
    """Metrics of their own dimensions beside the service's, written at once. Names that end in Ms are milliseconds."""
    own = EphemeralMetrics(namespace=NAMESPACE)
    for name, label in dimensions.items():
        own.add_dimension(name=name, value=label)
    for name, value in values.items():
        own.add_metric(name=name, unit=_unit(name), value=value)
    own.flush_metrics()


def _unit(name: str) -> MetricUnit:
    return MetricUnit.Milliseconds if name.endswith("Ms") else MetricUnit.Count
