"""Logger and metrics, the same in every function. Call them; importing this module does nothing."""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools import Logger, Metrics

NAMESPACE = "Coliseum"


@cache
def logger() -> Logger:
    """The process's JSON logger. Powertools reads `POWERTOOLS_SERVICE_NAME` and `LOG_LEVEL` itself."""
    return Logger()


@cache
def metrics() -> Metrics:
    """CloudWatch metrics in embedded metric format; the handler's `log_metrics` decorator flushes them."""
    return Metrics(namespace=NAMESPACE)
