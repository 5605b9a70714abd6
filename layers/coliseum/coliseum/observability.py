"""Logger and metrics, the same in every function. They are built on the first call, not by the import.

Log calls have one style: `logger().warning("redis failed", problem=str(error))`, a constant message plus fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "Coliseum"


@cache
def logger() -> Logger:
    """The process's JSON logger. Powertools reads `POWERTOOLS_SERVICE_NAME` and `LOG_LEVEL` from the environment."""
    return Logger()


@cache
def metrics() -> Metrics:
    """CloudWatch metrics in the embedded metric format. The handler's `log_metrics` decorator writes them."""
    return Metrics(namespace=NAMESPACE)


def add_metrics(**values: float) -> None:
    """Add metrics of the service, written when its handler ends. Names that end in Ms are milliseconds."""
    for name, value in values.items():
        metrics().add_metric(name=name, unit=_unit(name), value=value)


def emit_metrics(dimensions: Mapping[str, str], /, **values: float) -> None:
    """Write metrics with `dimensions` beside the service's own, at once. Names that end in Ms are milliseconds."""
    own = EphemeralMetrics(namespace=NAMESPACE)
    for name, label in dimensions.items():
        own.add_dimension(name=name, value=label)
    for name, value in values.items():
        own.add_metric(name=name, unit=_unit(name), value=value)
    own.flush_metrics()


def _unit(name: str) -> MetricUnit:
    return MetricUnit.Milliseconds if name.endswith("Ms") else MetricUnit.Count
