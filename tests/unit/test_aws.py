"""The client of AWS: the real boto3 against moto's server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tests.unit.kalshi.stage import Stage, in_order, reply

from coliseum import aws as client
from coliseum import config
from coliseum.aws import load_secrets, read_parameters, send_batch
from coliseum.config import Settings
from coliseum.errors import ConfigurationError, SourceRefused, SourceUnavailable

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_ssm import SSMClient


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def _account(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setitem(vars(config), "settings", Settings())
    _forget()
    yield
    _forget()


def _forget() -> None:
    client.ssm_client.cache_clear()
    client.sqs_client.cache_clear()


@pytest.fixture
def ssm(_account: None) -> SSMClient:
    return boto3.client("ssm")


@pytest.fixture
def sqs(_account: None) -> SQSClient:
    return boto3.client("sqs")


def test_parameters_are_decrypted_and_named_by_their_last_part(ssm: SSMClient) -> None:
    for number in range(12):  # more than one page
        ssm.put_parameter(Name=f"/a/prod/SECRET_{number}", Value=f"value-{number}", Type="SecureString")
    ssm.put_parameter(Name="/a/prod/deeper/OTHER", Value="x", Type="String")
    ssm.put_parameter(Name="/a/staging/SECRET_0", Value="x", Type="String")
    assert read_parameters("/a/prod/") == {f"SECRET_{number}": f"value-{number}" for number in range(12)}


def test_secrets_land_in_the_settings_of_the_process(ssm: SSMClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ssm.put_parameter(Name="/b/prod/KALSHI_API_KEY", Value="fetched-key", Type="SecureString")
    monkeypatch.setenv("SECRETS_PATH", "/b/prod")
    monkeypatch.setitem(vars(config), "settings", Settings())
    load_secrets()
    key = config.settings.kalshi_api_key
    assert key is not None
    assert key.get_secret_value() == "fetched-key"


def test_without_secrets_path_aws_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    before = config.settings
    load_secrets()
    assert config.settings is before


def test_a_path_without_parameters_is_a_configuration_error() -> None:
    with pytest.raises(
        ConfigurationError, match="SECRETS_PATH: expected a path with parameters, got none under /nothing"
    ):
        read_parameters("/nothing/here")


def test_a_parameter_store_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(SourceUnavailable, match="ssm: parameters under /a cannot be read"):
        read_parameters("/a")


def test_a_refusal_of_the_parameter_store_has_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = reply({"__type": "AccessDeniedException", "message": "no"}, 400)
    with Stage(in_order(refusal)).open() as stage:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stage.url)
        with pytest.raises(SourceRefused, match="cannot be read: AccessDeniedException") as caught:
            read_parameters("/a")
    assert (caught.value.code, caught.value.status) == ("AccessDeniedException", 400)


def test_messages_are_sent_ten_per_call_and_all_arrive(sqs: SQSClient) -> None:
    queue = sqs.create_queue(QueueName="forecasts")["QueueUrl"]
    send_batch(queue, [{"number": number} for number in range(23)])
    arrived: list[int] = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        arrived += [json.loads(message["Body"])["number"] for message in messages]
    assert sorted(arrived) == list(range(23))


def test_a_queue_that_does_not_exist_is_refused_with_its_code(sqs: SQSClient) -> None:
    queue = sqs.create_queue(QueueName="gone")["QueueUrl"]
    sqs.delete_queue(QueueUrl=queue)
    with pytest.raises(SourceRefused, match="sqs: messages from number 0 on were not accepted") as caught:
        send_batch(queue, [{"a": 1}])
    assert caught.value.code is not None
    assert "NonExistentQueue" in caught.value.code


def test_a_queue_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(SourceUnavailable, match="sqs"):
        send_batch("http://127.0.0.1:1/1/queue", [{"a": 1}])


def test_without_messages_sqs_is_not_called() -> None:
    send_batch("http://127.0.0.1:1/1/queue", [])
