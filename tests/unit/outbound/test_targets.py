from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import InvalidInput
from coliseum.outbound.targets import redirected, target


@pytest.mark.parametrize(
    ("url", "same_as"),
    [
        ("https://example.com", "https://example.com/"),
        ("https://Example.COM:443/a?b=1#c", "https://example.com/a?b=1"),
        ("https://xn--bcher-kva.example/feed", "https://xn--bcher-kva.example/feed"),
        ("https://example.com?x=https://a.b/@c", "https://example.com/?x=https://a.b/@c"),
    ],
)
def test_a_usual_address_is_accepted_without_its_fragment(url: str, same_as: str) -> None:
    assert target(url).url == same_as


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "//example.com/"),
        *(
            "https://example.com:8443/",
            "https://example.com:80/",
            "https://example.com:x/",
            "https://example.com:99999/",
        ),
        *("https://user@example.com/", "https://user:secret@example.com/", "https://@example.com/"),
        *("https://127.0.0.1/", "https://2130706433/", "https://127.1/", "https://0x7f.1/", "https://0177.0.0.1/"),
        *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://[::1/"),
        *("https://localhost/", "https://intranet/", "https://example.com./", "https://.example.com/", "https:///x"),
        *("https://a..b/", "https://-a.com/", f"https://{'a' * 64}.com/", f"https://{'a.' * 130}com/"),
        *(
            "https://good.com\\@127.0.0.1/",
            "https://example.com /",
            "https://exa\tmple.com/",
            "https://ex\u00e4mple.com/",
        ),
        *("https://example.com/\r\nHost: evil", "https://example.com/\x00", "", "example.com", "https://ⓔxample.com/"),
        f"https://example.com/{'a' * 2048}",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        target(url)


@given(st.text(max_size=60))
def test_what_is_accepted_is_rebuilt_from_its_parts_and_accepted_again(text: str) -> None:
    try:
        parts = target(f"https://{text}")
    except InvalidInput:
        return
    assert target(parts.url) == parts


def test_a_redirect_may_be_relative() -> None:
    assert redirected(target("https://a.example/x/y"), "../z").url == "https://a.example/z"


@pytest.mark.parametrize("location", ["http://a.example/", "https://127.0.0.1/", "//127.0.0.1/", "file:///etc/passwd"])
def test_a_redirect_leads_nowhere_that_a_first_address_may_not(location: str) -> None:
    with pytest.raises(InvalidInput):
        redirected(target("https://a.example/"), location)
