from __future__ import annotations

import pytest

from coliseum.errors import InvalidInput
from coliseum.outbound.local_names import add_local_name, local_base, remove_local_name


def test_an_added_name_leads_to_its_base_until_it_is_removed() -> None:
    add_local_name("feeds.coliseum.test", "http://127.0.0.1:8005/")
    assert local_base("feeds.coliseum.test") == "http://127.0.0.1:8005"
    remove_local_name("feeds.coliseum.test")
    assert local_base("feeds.coliseum.test") is None


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("example.com", "http://127.0.0.1:1"),
        ("test", "http://127.0.0.1:1"),
        ("a.test", "http://10.0.0.1:1"),
        ("a.test", "http://169.254.169.254"),
        ("a.test", "http://localhost:1"),
        ("a.test", "https://127.0.0.1:1"),
        ("a.test", "http://127.0.0.1:1/x"),
    ],
)
def test_only_a_test_name_leads_inside_and_only_to_this_machine(name: str, base: str) -> None:
    with pytest.raises(InvalidInput):
        add_local_name(name, base)
