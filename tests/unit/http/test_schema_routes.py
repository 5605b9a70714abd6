from __future__ import annotations

from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

from coliseum.bot.schemas import SCHEMAS
from coliseum.config import Settings
from coliseum.http.app import create_app
from coliseum.http.schema_routes import router

CLIENT = TestClient(create_app(title="test", routers=[router], settings=Settings()))


def test_the_list_names_every_schema_by_an_address_that_serves_it() -> None:
    body = CLIENT.get("/api/python/schemas").json()
    assert body["count"] == len(body["items"]) == len(SCHEMAS)
    for item in body["items"]:
        served = CLIENT.get(item["url"])
        assert served.headers["content-type"] == "application/schema+json"
        Draft202012Validator.check_schema(served.json())
        assert (served.json()["$id"], served.json()["title"]) == (item["url"], item["title"])


def test_another_name_is_refused() -> None:
    assert CLIENT.get("/api/python/schemas/bot-fills.json").status_code == 422
