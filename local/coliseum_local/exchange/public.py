"""Handlers of calls that need no key: status, series, events, markets, order books, trades, candles."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from coliseum.trading.money import ZERO
from coliseum_local.exchange import wire
from coliseum_local.exchange.candles import SandboxCandle, merge, period_end
from coliseum_local.exchange.errors import bad_request, nested_error, not_found, parameter_error
from coliseum_local.exchange.listing import STATUS_FILTERS, SandboxEvent, SandboxMarket
from coliseum_local.exchange.pagination import page
from coliseum_local.exchange.parameters import Parameters
from coliseum_local.exchange.rate_limits import COSTS, DEFAULT_COST
from coliseum_local.exchange.routing import ApiCall, Body, exchange_status

MAX_CANDLES, MAX_BATCH_CANDLES = 5_000, 10_000
MAX_TICKERS = 100
TIME_FAMILIES = {"created": {"", "unopened", "open"}, "close": {"", "closed"}, "settled": {"", "settled"}}
"""Time filters of GET /markets, and the status filters that each one may be combined with."""


def status(call: ApiCall) -> Body:
    return exchange_status(call.sandbox)


def schedule(call: ApiCall) -> Body:
    """Always open, except on Thursdays from 03:00 to 05:00 Eastern where the weekly pause is on."""
    all_day = [{"open_time": "00:00", "close_time": "00:00"}]
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    week: Body = dict.fromkeys(days, all_day)
    if call.venue.keeps_hours:
        week["thursday"] = [
            {"open_time": "00:00", "close_time": "03:00"},
            {"open_time": "05:00", "close_time": "00:00"},
        ]
    hours = {"start_time": "2024-01-01T00:00:00Z", "end_time": "2099-01-01T00:00:00Z", **week}
    return {"schedule": {"standard_hours": [hours], "maintenance_windows": []}}


def user_data_timestamp(call: ApiCall) -> Body:
    return {"as_of_time": wire.rfc3339(call.venue.now)}


def endpoint_costs(call: ApiCall) -> Body:
    del call
    rows = [
        {"method": method, "path": "/trade-api/v2" + path.replace("{order_id}", ":order_id"), "cost": cost}
        for (method, path), cost in COSTS.items()
    ]
    return {"default_cost": DEFAULT_COST, "endpoint_costs": rows}


# Markets


def markets(call: ApiCall) -> Body:
    query = call.parameters("GetMarkets")
    limit = query.limit(default=100, most=1000)
    rows = _filtered(query, _live_tier(call))
    return _market_page(call, rows, limit, query.text("cursor"))


def market(call: ApiCall) -> Body:
    each = call.venue.markets.get(call.path("ticker"))
    if each is None or _is_archived(call, each):
        raise not_found()
    return {"market": wire.market(call.venue, each, legacy=call.legacy)}


def historical_markets(call: ApiCall) -> Body:
    query = call.parameters("GetHistoricalMarkets")
    limit = query.limit(default=100, most=1000)
    rows = [each for each in call.venue.markets.values() if _is_archived(call, each)]
    return _market_page(call, _named(query, rows), limit, query.text("cursor"))


def historical_market(call: ApiCall) -> Body:
    return {"market": wire.market(call.venue, _archived(call), legacy=call.legacy)}


def _archived(call: ApiCall) -> SandboxMarket:
    each = call.venue.markets.get(call.path("ticker"))
    if each is None or not _is_archived(call, each):
        raise nested_error(404, "failed_to_get_market_by_ticker:_not_found")
    return each


def _is_archived(call: ApiCall, each: SandboxMarket) -> bool:
    return each.settled is not None and each.settled < call.sandbox.cutoffs.market(call.venue.now)


def _live_tier(call: ApiCall) -> list[SandboxMarket]:
    return [each for each in call.venue.markets.values() if not _is_archived(call, each)]


def _market_page(call: ApiCall, rows: Iterable[SandboxMarket], limit: int, cursor: str) -> Body:
    shown, following = page(rows, key=lambda each: (each.created, each.ticker), limit=limit, cursor=cursor)
    return {"markets": [wire.market(call.venue, each, legacy=call.legacy) for each in shown], "cursor": following}


def _filtered(query: Parameters, rows: Iterable[SandboxMarket]) -> list[SandboxMarket]:
    wanted = query.one_of("status", STATUS_FILTERS, complaint="invalid status filter")
    _refuse_mixed_times(query, wanted)
    statuses = STATUS_FILTERS.get(wanted)
    created, closed, settled, updated = (query.window(f"{name}_") for name in (*TIME_FAMILIES, "updated"))
    return [
        each
        for each in _named(query, rows)
        if (statuses is None or each.status in statuses)
        and created.holds(each.created)
        and closed.holds(each.close_time)
        and (settled.is_open or (each.settled is not None and settled.holds(each.settled)))
        and updated.holds(max(each.updated, each.created))
    ]


def _named(query: Parameters, rows: Iterable[SandboxMarket]) -> list[SandboxMarket]:
    """Markets by ticker, event and series. There are no combination markets here: `mve_filter=only` finds nothing."""
    combos = query.one_of("mve_filter", {"only", "exclude"}, complaint="invalid mve_filter")
    tickers, events = set(query.names("tickers")), query.names("event_ticker")
    series = query.text("series_ticker")
    if len(events) > 1:
        raise bad_request("only one event_ticker may be supplied")
    return [
        each
        for each in rows
        if combos != "only"
        and (not tickers or each.ticker in tickers)
        and (not events or each.event_ticker == events[0])
        and (not series or each.series_ticker == series)
    ]


def _refuse_mixed_times(query: Parameters, status: str) -> None:
    families = [name for name in ("created", "close", "settled", "updated") if query.has_any(*_pair(name))]
    if len(families) > 1:
        raise bad_request("timestamp filters are mutually exclusive")
    for name in families:
        if name == "updated":
            _refuse_beside_updated(query, status)
        elif status not in TIME_FAMILIES[name]:
            raise bad_request(f"min_{name}_ts and max_{name}_ts do not go with status {status}")


def _refuse_beside_updated(query: Parameters, status: str) -> None:
    if status or query.has_any("event_ticker", "tickers") or query.text("mve_filter") == "only":
        raise bad_request("min_updated_ts goes with no other filter than mve_filter=exclude and series_ticker")
    if query.has_any("series_ticker") and query.text("mve_filter") != "exclude":
        raise bad_request("min_updated_ts with series_ticker requires mve_filter=exclude")


def _pair(name: str) -> tuple[str, str]:
    return f"min_{name}_ts", f"max_{name}_ts"


# Books and trades


def order_book(call: ApiCall) -> Body:
    ticker = call.path("ticker")
    if ticker not in call.venue.markets:
        raise not_found()
    depth = call.parameters("GetMarketOrderbook").integer("depth") or 0
    if not 0 <= depth <= 100:
        raise parameter_error("GetMarketOrderbook", "Depth", "lte" if depth > 100 else "gte")
    return {"orderbook_fp": wire.order_book(call.venue.books.get(ticker), depth)}


def order_books(call: ApiCall) -> Body:
    """Books of several markets. The parameter is repeated, not a comma list; unknown tickers are left out."""
    tickers = call.request.query_params.getlist("tickers")
    if not 1 <= len(tickers) <= MAX_TICKERS:
        raise parameter_error("GetMarketOrderbooks", "Tickers", "max" if tickers else "required")
    return {
        "orderbooks": [
            {"ticker": ticker, "orderbook_fp": wire.order_book(call.venue.books.get(ticker), 0)}
            for ticker in tickers
            if ticker in call.venue.markets
        ]
    }


def trades(call: ApiCall) -> Body:
    return _trades(call, "GetTrades", historical=False)


def historical_trades(call: ApiCall) -> Body:
    return _trades(call, "GetHistoricalTrades", historical=True)


def _trades(call: ApiCall, operation: str, *, historical: bool) -> Body:
    query = call.parameters(operation)
    limit = query.limit(default=100, most=1000)
    ticker, cutoff = query.text("ticker"), call.sandbox.cutoffs.trade(call.venue.now)
    blocks, window = query.flag("is_block_trade"), query.window()  # the sandbox has no block trades
    rows = [
        each
        for each in call.venue.trades
        if not blocks
        and (not ticker or each.ticker == ticker)
        and (each.time < cutoff) is historical
        and window.holds(each.time)
    ]
    shown, following = page(rows, key=lambda each: (each.time, each.trade_id), limit=limit, cursor=query.text("cursor"))
    return {"trades": [wire.trade(each, legacy=call.legacy) for each in shown], "cursor": following}


# Candles


def candlesticks(call: ApiCall) -> Body:
    each = call.venue.markets.get(call.path("ticker"))
    if each is None or each.series_ticker != call.path("series_ticker") or _is_archived(call, each):
        raise not_found()
    query = call.parameters("GetMarketCandlesticks")
    rows = _candles(call, query, each, most=MAX_CANDLES)
    return {"ticker": each.ticker, "candlesticks": rows}


def batch_candlesticks(call: ApiCall) -> Body:
    query = call.parameters("BatchGetMarketCandlesticks")
    tickers = query.names("market_tickers")
    if not 1 <= len(tickers) <= MAX_TICKERS:
        raise parameter_error("BatchGetMarketCandlesticks", "MarketTickers", "max" if tickers else "required")
    found = [call.venue.markets[ticker] for ticker in tickers if ticker in call.venue.markets]
    rows = [
        {"market_ticker": each.ticker, "candlesticks": _candles(call, query, each, most=MAX_BATCH_CANDLES)}
        for each in found
        if not _is_archived(call, each)
    ]
    if sum(len(row["candlesticks"]) for row in rows) > MAX_BATCH_CANDLES:
        raise bad_request("too many candlesticks requested")
    return {"markets": rows}


def historical_candlesticks(call: ApiCall) -> Body:
    each = _archived(call)
    query = call.parameters("GetMarketCandlesticksHistorical")
    start, end, minutes = _range(query, MAX_CANDLES)
    rows = [row for row in _merged(call, each, minutes) if start <= row.end <= end]
    return {"ticker": each.ticker, "candlesticks": [wire.historical_candle(row) for row in rows]}


def _candles(call: ApiCall, query: Parameters, each: SandboxMarket, *, most: int) -> list[Body]:
    start, end, minutes = _range(query, most)
    merged = _merged(call, each, minutes)
    rows = [wire.candle(row) for row in merged if start <= row.end <= end]
    before = next((row for row in reversed(merged) if row.end < start), None)
    if query.flag("include_latest_before_start") and before is not None:
        first = period_end(start, minutes)
        if not rows or rows[0]["end_period_ts"] > first:
            rows.insert(0, wire.projected_candle(before, first))
    return rows


def _range(query: Parameters, most: int) -> tuple[int, int, int]:
    start, end, minutes = (query.required(name) for name in ("start_ts", "end_ts", "period_interval"))
    if minutes not in {1, 60, 1440}:
        raise parameter_error("GetMarketCandlesticks", "PeriodInterval", "oneof")
    if end < start:
        raise bad_request("end_ts must not be before start_ts")
    if (end - start) / (minutes * 60) > most:
        raise bad_request("too many candlesticks requested")
    return start, end, minutes


def _merged(call: ApiCall, each: SandboxMarket, minutes: int) -> list[SandboxCandle]:
    return merge(call.venue.recorders[each.ticker].all(), minutes)


# Events and series


def events(call: ApiCall) -> Body:
    query = call.parameters("GetEvents")
    limit = query.limit(default=200, most=200)
    wanted = query.one_of("status", set(STATUS_FILTERS) - {"paused"}, complaint="invalid status filter")
    tickers, series = set(query.names("tickers")), query.text("series_ticker")
    nested_markets = query.flag("with_nested_markets")
    close_after, updated_after = query.integer("min_close_ts"), query.integer("min_updated_ts")
    rows = [
        each
        for each in call.venue.events.values()
        if (not tickers or each.event_ticker in tickers)
        and (not series or each.series_ticker == series)
        and (not wanted or _has_status(call, each, wanted))
        and (close_after is None or int(each.strike_time) >= close_after)
        and (updated_after is None or int(each.created) >= updated_after)
    ]
    shown, following = page(
        rows, key=lambda each: (each.created, each.event_ticker), limit=limit, cursor=query.text("cursor")
    )
    body: Body = {"events": [_event(call, each, nested_markets=nested_markets) for each in shown], "cursor": following}
    return body | ({"milestones": []} if query.flag("with_milestones") else {})


def event(call: ApiCall) -> Body:
    each = call.venue.events.get(call.path("event_ticker"))
    if each is None:
        raise not_found()
    query = call.parameters("GetEvent")
    inside = query.flag("with_nested_markets")
    shown = [] if inside or query.flag("exclude_markets") else _markets_of(call, each)
    return {"event": _event(call, each, nested_markets=inside), "markets": shown}


def event_metadata(call: ApiCall) -> Body:
    each = call.venue.events.get(call.path("event_ticker"))
    if each is None:
        raise not_found()
    sources = wire.event(each, call.venue.series[each.series_ticker], markets=None)["settlement_sources"]
    details = [{"market_ticker": ticker, "image_url": "", "color_code": "#777777"} for ticker in each.markets]
    return {"image_url": "", "market_details": details, "settlement_sources": sources}


def _event(call: ApiCall, each: SandboxEvent, *, nested_markets: bool) -> Body:
    inside = _markets_of(call, each) if nested_markets else None
    return wire.event(each, call.venue.series[each.series_ticker], markets=inside)


def _markets_of(call: ApiCall, each: SandboxEvent) -> list[Body]:
    rows = (call.venue.markets[ticker] for ticker in each.markets)
    return [wire.market(call.venue, row, legacy=call.legacy) for row in rows if not _is_archived(call, row)]


def _has_status(call: ApiCall, each: SandboxEvent, wanted: str) -> bool:
    return any(call.venue.markets[ticker].status in STATUS_FILTERS[wanted] for ticker in each.markets)


def series_list(call: ApiCall) -> Body:
    query = call.parameters("GetSeriesList")
    category, tags = query.text("category"), set(query.names("tags"))
    rows = [
        each
        for each in call.venue.series.values()
        if (not category or each.category == category) and (not tags or tags & set(each.tags))
    ]
    volumes = _volumes(call) if query.flag("include_volume") else {}
    return {"series": [wire.series(each, volume=volumes.get(each.ticker)) for each in rows]}


def series(call: ApiCall) -> Body:
    each = call.venue.series.get(call.path("series_ticker"))
    if each is None:
        raise not_found()
    volumes = _volumes(call) if call.parameters("GetSeries").flag("include_volume") else {}
    return {"series": wire.series(each, volume=volumes.get(each.ticker))}


def _volumes(call: ApiCall) -> dict[str, Decimal]:
    totals = dict.fromkeys(call.venue.series, ZERO)
    for each in call.venue.markets.values():
        totals[each.series_ticker] += each.base_volume + each.volume
    return totals


def historical_cutoff(call: ApiCall) -> Body:
    cutoffs, now = call.sandbox.cutoffs, call.venue.now
    return {
        "market_settled_ts": wire.rfc3339(cutoffs.market(now)),
        "trades_created_ts": wire.rfc3339(cutoffs.trade(now)),
        "orders_updated_ts": wire.rfc3339(cutoffs.order(now)),
        "market_positions_last_updated_ts": wire.rfc3339(cutoffs.market(now)),
    }
