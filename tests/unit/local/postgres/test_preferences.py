from __future__ import annotations

import pytest

from coliseum_local.postgres.preferences import Preferences, preferences_from, require_json
from coliseum_local.postgres.problems import PostgrestError


@pytest.mark.parametrize(
    ("headers", "preferences"),
    [
        ({}, Preferences()),
        ({"prefer": "return=minimal"}, Preferences()),
        ({"prefer": "return=representation,count=exact"}, Preferences(representation=True, count=True)),
        ({"prefer": "resolution=merge-duplicates"}, Preferences(resolution="merge-duplicates")),
        ({"prefer": "missing=default"}, Preferences(missing_default=True)),
        ({"accept": "application/vnd.pgrst.object+json"}, Preferences(single=True)),
        ({"accept": "application/json"}, Preferences()),
        ({"accept-profile": "public"}, Preferences()),
    ],
)
def test_preferences_are_read(headers: dict[str, str], preferences: Preferences) -> None:
    assert preferences_from(headers) == preferences


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"prefer": "tx=rollback"}, 501),
        ({"prefer": "handling=strict,max-affected=1"}, 501),
        ({"prefer": "count=planned"}, 400),
        ({"prefer": "return=headers-only"}, 400),
        ({"prefer": "speed=fast"}, 400),
        ({"accept": "text/csv"}, 406),
        ({"accept": "application/vnd.pgrst.plan+json"}, 406),
        ({"accept": "application/vnd.pgrst.array+json;nulls=stripped"}, 406),
        ({"accept-profile": "private"}, 406),
        ({"content-profile": "private"}, 406),
        ({"range": "0-9"}, 501),
    ],
)
def test_what_is_not_offered_is_refused(headers: dict[str, str], status: int) -> None:
    with pytest.raises(PostgrestError) as refusal:
        preferences_from(headers)

    assert refusal.value.status == status


def test_a_body_that_is_not_json_is_refused() -> None:
    with pytest.raises(PostgrestError):
        require_json({"content-type": "text/csv"})
    require_json({"content-type": "application/json; charset=utf-8"})
