"""Measure the size of a year of history in Postgres, indexes included: `python -m bench.storage`.

It writes the year into an embedded Postgres with the project's migrations and runs the retention. Then it prints each
table's share of the free plan's 500 MB. Every fifth trade has a settlement.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from bench import machine
from coliseum_local.processes import ServerProcess

FREE_BYTES = 500_000_000
TRADES_A_DAY = 100
MARKETS = 50
TRADES = """
insert into trades
    (epoch, seq, ms, trade_id, ticker, side, outcome, quantity, price, fee, order_id, executed_at, source)
    select '7c9e6679f7504e8b', n, 1795000000000 + n, gen_random_uuid(), 'KXHIGHNY-26NOV' || n %% 30 || '-B' || n %% 9,
        'BUY', 'yes', round((1 + random() * 100)::numeric, 2), 0.56, round(random()::numeric, 6), gen_random_uuid(),
        now() - (%(trades)s - n) * interval '14 minutes', 'bot_live'
    from generate_series(1, %(trades)s) as n
"""
EVENTS = """
insert into feed_events (epoch, seq, ms, kind, data, published_at)
    select '7c9e6679f7504e8b', n, 1795000000000 + n, 'bot_status',
        '{"status": "online", "since": 1795000000.123, "trades": 100, "detail": null}',
        now() - (%(events)s - n) * interval '10 minutes'
    from generate_series(1, %(events)s) as n
"""
SETTLEMENTS = """
insert into settlements
    select 'KXHIGHNY-26NOV' || n || '-B4', 'KXHIGHNY-26NOV' || n, 'yes', 50, 28.5, 0, 0, 50, 1, 0.61, now()
    from generate_series(1, %(settlements)s) as n
"""
BALANCES = """
insert into balance_snapshots (taken_at, cash, portfolio_value, source)
    select at, round((random() * 10000)::numeric, 4), round((random() * 1000)::numeric, 2), 'kalshi'
    from generate_series(%(since)s::timestamptz, %(until)s::timestamptz, %(step)s::interval) as at
    on conflict do nothing
"""
MARKETS_SEEN = """
insert into market_snapshots (ticker, taken_at, status, yes_bid, yes_ask, last_price, volume, open_interest)
    select 'KXHIGHNY-26NOV21-B' || n, at, 'active', 0.5600, 0.5800, 0.5700, round((random() * 100000)::numeric, 2),
        round((random() * 10000)::numeric, 2)
    from generate_series(%(since)s::timestamptz, %(until)s::timestamptz, %(step)s::interval) as at,
        generate_series(1, %(markets)s) as n
    on conflict do nothing
"""
TABLES = ("market_snapshots", "trades", "balance_snapshots", "feed_events", "settlements")
DAY = timedelta(days=1)


def fill(connection: psycopg.Connection[Any], *, year: int = 365) -> None:
    """Write a year that is already thinned, then two weeks day by day: five-minute rows, retention, vacuum."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    trades = TRADES_A_DAY * year
    connection.execute(TRADES, {"trades": trades})
    connection.execute(SETTLEMENTS, {"settlements": trades // 5})
    connection.execute(EVENTS, {"events": 40 * 144})
    keep(connection, today - year * DAY, today - min(14, year - 1) * DAY, step="1 hour")
    for days in range(min(14, year - 1), 0, -1):
        day = today - days * DAY
        keep(connection, day, day + DAY, step="5 minutes")
        while any(pruned(connection, day + DAY)):
            pass
        connection.execute("vacuum analyze")  # what autovacuum does by itself


def keep(connection: psycopg.Connection[Any], since: datetime, until: datetime, *, step: str) -> None:
    """Write balance and market snapshots, one per `step`."""
    values = {"since": since, "until": until, "step": step, "markets": MARKETS}
    connection.execute(BALANCES, values)
    connection.execute(MARKETS_SEEN, values)


def pruned(connection: psycopg.Connection[Any], now: datetime) -> list[int]:
    """Run the retention once; return how many rows it deleted from each table."""
    row = connection.execute("select prune_history(%s)", [now]).fetchone()
    assert row is not None
    return list(row[0].values())


def main() -> None:
    """Print each table's rows and size after a year."""
    year = 3 if machine.parser(__doc__).parse_args().quick else 365
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "postgres.log"
        process = ServerProcess("coliseum_local.postgres", ["--port", "0", "--state", folder + "/state"], log=log)
        try:
            with psycopg.connect(process.ready["dsn"], autocommit=True) as connection:
                [empty] = connection.execute("select pg_database_size(current_database())").fetchone() or [0]
                fill(connection, year=year)
                sizes = [_size(connection, table) for table in TABLES]
        finally:
            process.stop()
    rows = [
        [name, f"{count:,}", f"{size / count:.0f}", f"{size / 1e6:.1f}", f"{size / FREE_BYTES:.0%}"]
        for name, count, size in sizes
    ]
    total = empty + sum(size for _, _, size in sizes)
    rows.append(["the empty database", "", "", f"{empty / 1e6:.1f}", f"{empty / FREE_BYTES:.0%}"])
    rows.append(["total", "", "", f"{total / 1e6:.1f}", f"{total / FREE_BYTES:.0%}"])
    print(machine.description())
    title = f"{year} days at {TRADES_A_DAY} trades a day and {MARKETS} watched markets, indexes included"
    machine.show(title, ["table", "rows", "bytes per row", "MB", f"of {FREE_BYTES / 1e6:.0f} MB"], rows)


def _size(connection: psycopg.Connection[Any], table: str) -> tuple[str, int, int]:
    query = f"select count(*), pg_total_relation_size('public.{table}') from public.{table}"  # noqa: S608  # ours
    count, size = connection.execute(query.encode()).fetchone() or (1, 0)
    return table, count, size


if __name__ == "__main__":
    main()
