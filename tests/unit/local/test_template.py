"""template.yaml as the local stack reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coliseum_local.template import Behaviour, Route, Schedule, Template


@pytest.fixture(scope="module")
def template(root: Path) -> Template:
    return Template.read(root / "template.yaml")


def document(**properties: Any) -> dict[str, Any]:
    return {
        "Parameters": {"Stage": {"Default": "dev"}, "Url": {}, "Limit": {"Default": -1}},
        "Mappings": {"Sizes": {"dev": {"Memory": 256}}},
        "Conditions": {
            "Reserve": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Limit"}, -1]}]},
            "Dev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]},
            "Same": {"Condition": "Dev"},
        },
        "Globals": {"Function": {"Handler": "app.handler", "Timeout": 5, "MemorySize": 128}},
        "Resources": {
            "OneFunction": {
                "Type": "AWS::Serverless::Function",
                "Properties": {"CodeUri": "functions/one", **properties},
            }
        },
    }


def variables(**declared: Any) -> dict[str, str]:
    parsed = Template.parse(document(Environment={"Variables": declared}), root=Path("/project"))
    return dict(parsed.functions[0].variables)


def test_a_function_is_known_by_folder_and_by_logical_id(template: Template) -> None:
    assert template.function("portfolio") is template.function("Portfolio") is template.function("PortfolioFunction")


def test_an_unknown_function_is_refused_with_the_known_ones(template: Template) -> None:
    with pytest.raises(LookupError, match="no function 'nope'; it has Portfolio, Markets"):
        template.function("nope")


def test_globals_apply_where_a_function_says_nothing(template: Template) -> None:
    portfolio, poller = template.function("portfolio"), template.function("poller")
    assert (portfolio.handler, portfolio.timeout_seconds) == ("app.handler", 25)
    assert (poller.handler, poller.timeout_seconds) == ("app.handler", 70)


def test_the_poller_runs_every_minute_in_at_most_two_environments(template: Template) -> None:
    poller = template.function("poller")
    assert poller.schedules == (Schedule("EveryMinute", 60),)
    assert poller.concurrency == 2


def test_the_edge_sends_streams_to_the_function_url(template: Template) -> None:
    assert Behaviour("/api/python/sse/*", "StreamFunction") in template.behaviours
    assert [function.name for function in template.functions if function.streams] == ["stream"]


def test_layers_come_from_globals_and_the_function(template: Template) -> None:
    assert template.function("stream").layers == ("ColiseumLayer", "ApiDependenciesLayer", "StreamingLayer")


def test_routes_keep_the_templates_form(template: Template) -> None:
    assert Route("ANY", "/api/python/markets/{proxy+}") in template.function("markets").routes


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ("plain", "plain"),
        (3, "3"),
        ({"Ref": "Stage"}, "dev"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Fn::Sub": "/coliseum/${Stage}"}, "/coliseum/dev"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Memory"]}, "256"),
        ({"Fn::If": ["Dev", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Same", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Reserve", 1, {"Ref": "Stage"}]}, "dev"),
    ],
)
def test_a_variable_is_resolved_from_the_parameters_defaults(value: Any, resolved: str) -> None:
    assert variables(NAME=value) == {"NAME": resolved}


@pytest.mark.parametrize(
    "value", [{"Ref": "Url"}, {"Fn::Sub": "${Url}/x"}, {"Fn::GetAtt": ["Queue", "Arn"]}, {"Ref": "AWS::NoValue"}]
)
def test_what_only_the_cloud_knows_is_left_out(value: Any) -> None:
    assert variables(NAME=value) == {}


def test_a_schedule_that_is_not_understood_is_refused() -> None:
    event = {"Type": "ScheduleV2", "Properties": {"ScheduleExpression": "cron(0 12 * * ? *)"}}
    with pytest.raises(ValueError, match=r"cron\(0 12 .* is not understood"):
        Template.parse(document(Events={"Noon": event}), root=Path())


def test_a_condition_that_is_not_understood_is_refused() -> None:
    with pytest.raises(ValueError, match="condition Fn::And is not understood"):
        Template.parse(
            document(ReservedConcurrentExecutions={"Fn::If": ["Both", 1, 2]})
            | {"Conditions": {"Both": {"Fn::And": []}}},
            root=Path(),
        )
