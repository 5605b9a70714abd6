from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.sources.parse import FeedReading, read_feed
from coliseum.errors import SourceMalformed

FETCHED = datetime(2026, 12, 1, 12, tzinfo=UTC)
ITEM = """<item><title>{title}</title><link>{link}</link><description>{text}</description>
<pubDate>{date}</pubDate></item>"""


def item(
    title: str = "Prices rise",
    link: str = "https://a.example/1",
    text: str = "They rose.",
    date: str = "Mon, 30 Nov 2026 08:30:00 EST",
) -> str:
    return ITEM.format(title=title, link=link, text=text, date=date)


def rss(*items: str, encoding: str = "utf-8") -> str:
    channel = f"<channel><title>T</title>{''.join(items)}</channel>"
    return f'<?xml version="1.0" encoding="{encoding}"?><rss version="2.0">{channel}</rss>'


def read(body: str | bytes, content_type: str = "") -> FeedReading:
    raw = body.encode() if isinstance(body, str) else body
    headers = {"content-type": content_type} if content_type else {}
    return read_feed(raw, feed_url="https://f.example/rss", publisher="Bureau", fetched_at=FETCHED, headers=headers)


def test_an_item_becomes_a_dated_source() -> None:
    (source,) = read(rss(item(text="&lt;p&gt;They &lt;b&gt;rose&lt;/b&gt;.&lt;/p&gt;"))).sources
    assert (source.title, source.text, source.publisher) == ("Prices rise", "They rose.", "Bureau")
    assert source.published_at == datetime(2026, 11, 30, 13, 30, tzinfo=UTC)
    assert (source.fetched_at, source.feed_url, source.date_only) == (FETCHED, "https://f.example/rss", False)


def test_atom_is_read_too_and_an_entry_without_published_has_the_date_of_its_update() -> None:
    (source,) = read(
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><entry><title>Storm</title>'
        '<link href="https://a.example/2"/><updated>2026-11-30T08:30:00Z</updated>'
        '<content type="html">&lt;p&gt;A storm&lt;/p&gt;</content></entry></feed>'
    ).sources
    assert (source.title, source.text, source.url) == ("Storm", "A storm", "https://a.example/2")


@pytest.mark.parametrize(
    ("title", "shown"),
    [("AT&T up", "AT&T up"), ("AT&amp;T up", "AT&T up"), ("Q&A &#8212; now", "Q&A — now"), ("a &nbsp; b", "a b")],
)
def test_a_bare_ampersand_stays_itself(title: str, shown: str) -> None:
    assert read(rss(item(title=title))).sources[0].title == shown


def test_a_feed_that_names_a_wrong_encoding_is_read() -> None:
    body = rss(item(title="Café prices"), encoding="utf-8").encode("latin-1")
    assert read(body).sources[0].title == "Café prices"
    assert read(rss(item(title="Café"), encoding="us-ascii").encode(), "text/xml").sources[0].title.startswith("Caf")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (item(date=""), "no_date"),
        (item(date="soon"), "date_does_not_count"),
        (item(date="Mon, 30 Nov 2026 08:30:00"), "date_does_not_count"),
        (item(date="Wed, 02 Dec 2026 08:30:00 GMT"), "date_does_not_count"),
        (item(title=""), "no_title"),
        (item(title="&lt;script&gt;x&lt;/script&gt;"), "no_title"),
        (item(link=""), "no_link"),
        (item(link="javascript:alert(1)"), "no_link"),
        (item(text="Kalshi traders see 70%"), "quotes_odds"),
        (item(link="https://polymarket.com/event"), "quotes_odds"),
    ],
)
def test_an_item_that_cannot_be_used_is_dropped_with_its_reason(broken: str, reason: str) -> None:
    reading = read(rss(broken, item()))
    assert (len(reading.sources), reading.dropped) == (1, {reason: 1})


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE rss [<!ENTITY a "aaaa">]>' + rss(item()),
        "<!doctype html>" + rss(item()),
        rss(item()).replace("<rss", '<!ENTITY a SYSTEM "file:///etc/passwd"><rss'),
        ("<!DOCTYPE x>" + rss(item(), encoding="utf-16")).encode("utf-16"),
        "",
        "hello",
        "/etc/passwd",
        "<html><body>hello</body></html>",
        '{"items": []}',
        b"\x00" * 1000,
        b"<rss>" + b"x" * 1_048_576,
        b"<a>" * 90_000,
        rss("<item " + " ".join(f'a{number}=""' for number in range(6_000)) + ">x</item>"),
        rss("<item " + " ".join(f"xmlns:a{number} = 'u'" for number in range(6_000)) + ">x</item>"),
    ],
)
def test_what_is_no_plain_feed_is_refused(body: str | bytes) -> None:
    with pytest.raises(SourceMalformed):
        read(body)


def test_bytes_that_name_a_file_do_not_open_it(tmp_path: Path) -> None:
    file = tmp_path / "feed.xml"
    file.write_text(rss(item()))
    with pytest.raises(SourceMalformed):
        read(str(file))


@pytest.mark.parametrize(
    "piece", ["<a>", "<item>", "&", "<", ' a="b"', "<![CDATA[", "&amp;", "<item><title>", "&lt;a ", "x='' "]
)
def test_a_hostile_feed_of_the_largest_size_ends_in_seconds_of_cpu(piece: str) -> None:
    most = min(900_000 // len(piece), 39_000 * 2) if "<" in piece else 900_000 // len(piece)
    begin = time.thread_time()
    with suppress(SourceMalformed):  # refusing it is right as well
        read(rss("<item><title>" + piece * most))
    assert time.thread_time() - begin < 20  # a second, here; quadratic work would take hours


@given(st.binary(max_size=300), st.text(max_size=100))
def test_any_bytes_are_a_feed_or_refused(noise: bytes, text: str) -> None:
    good = rss(item()).encode()
    for body in (noise, good[:200] + noise + good[200:], rss(item(title=text, text=text)).encode(errors="replace")):
        try:
            reading = read(body)
        except SourceMalformed:
            continue
        for source in reading.sources:
            assert "\n" not in f"{source.title}{source.text}{source.url}{source.publisher}"
            assert source.published_at <= FETCHED
