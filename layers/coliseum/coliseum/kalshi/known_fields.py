"""The fields of the exchange's answers as we know them: what `drift` compares answers with. Data only.

Taken from the exchange's OpenAPI document 3.34.0 and from recorded answers, which hold fields that the document lacks:
`liquidity_dollars`, `fractional_trading_enabled`, `response_price_units`, `resting_orders_count`. A field is written
`name:kind`, with `~` where it may be null and `?` where it may be missing. Kinds: text, flag, whole, number, price,
dollars, count, signed (a count with a direction), cents, seconds (unix), time (RFC 3339), texts, levels, object,
`=Words` (one of WORDS), `{Shape}` and `[Shape]` (a list). The test of this file compares it with the document.
"""

from __future__ import annotations

SHAPES: dict[str, str] = {
    "ExchangeStatus": (
        "exchange_active:flag trading_active:flag intra_exchange_transfers_active:flag? "
        "exchange_estimated_resume_time:time~? exchange_index_statuses:[ShardStatus]?"
    ),
    "Cutoff": (
        "market_settled_ts:time trades_created_ts:time orders_updated_ts:time market_positions_last_updated_ts:time?"
    ),
    "Markets": "markets:[Market] cursor:text?",
    "OneMarket": "market:{Market}",
    "OneBook": "orderbook_fp:{Book}",
    "Books": "orderbooks:[TickerBook]",
    "Events": "events:[Event] milestones:[Milestone]? cursor:text?",
    "OneEvent": "event:{Event} markets:[Market]?",
    "OneSeries": "series:{Series}",
    "Candles": "ticker:text candlesticks:[Candle]",
    "HistoricalCandles": "ticker:text candlesticks:[HistoricalCandle]",
    "Balance": (
        "balance:cents balance_dollars:dollars portfolio_value:cents updated_ts:seconds balance_breakdown:[ShardCash]?"
    ),
    "Positions": "cursor:text? market_positions:[Position] event_positions:[EventPosition]",
    "Fills": "fills:[Fill] cursor:text?",
    "Settlements": "settlements:[Settlement] cursor:text?",
    "Deposits": "deposits:[Deposit] cursor:text?",
    "Withdrawals": "withdrawals:[Withdrawal] cursor:text?",
    "Orders": "orders:[Order] cursor:text?",
    "ShardStatus": (
        "exchange_index:whole description:text exchange_active:flag trading_active:flag "
        "intra_exchange_transfers_active:flag"
    ),
    "Market": (
        "ticker:text event_ticker:text market_type:=MarketType title:text? subtitle:text? yes_sub_title:text "
        "no_sub_title:text created_time:time updated_time:time open_time:time close_time:time "
        "expected_expiration_time:time~? expiration_time:time? latest_expiration_time:time "
        "settlement_timer_seconds:whole status:=MarketStatus yes_bid_dollars:price yes_bid_size_fp:count "
        "yes_ask_dollars:price yes_ask_size_fp:count no_bid_dollars:price no_ask_dollars:price "
        "last_price_dollars:price volume_fp:count volume_24h_fp:count result:=MarketResult "
        "can_close_early:flag open_interest_fp:count notional_value_dollars:dollars "
        "previous_yes_bid_dollars:price previous_yes_ask_dollars:price previous_price_dollars:price "
        "settlement_value_dollars:price~? settlement_ts:time~? settlement_bounds_type:=SettlementBoundsType? "
        "settlement_floor_dollars:dollars~? expiration_value:text occurrence_datetime:time~? "
        "fee_waiver_expiration_time:time~? early_close_condition:text~? strike_type:=StrikeType? "
        "floor_strike:number~? cap_strike:number~? functional_strike:text~? custom_strike:object~? "
        "rules_primary:text rules_secondary:text mve_collection_ticker:text? "
        "mve_selected_legs:[MveSelectedLeg]? primary_participant_key:text~? price_level_structure:text "
        "price_ranges:[PriceRange] is_provisional:flag? exchange_index:whole? "
        "fractional_trading_enabled:flag? liquidity_dollars:dollars? response_price_units:text?"
    ),
    "Book": "yes_dollars:levels no_dollars:levels",
    "TickerBook": "ticker:text orderbook_fp:{Book}",
    "Event": (
        "event_ticker:text series_ticker:text sub_title:text title:text collateral_return_type:text "
        "mutually_exclusive:flag category:text? strike_date:time~? strike_period:text~? markets:[Market]? "
        "product_metadata:object~? settlement_sources:[SettlementSource]~ last_updated_ts:time? "
        "fee_type_override:=FeeTypeOverride~? fee_multiplier_override:number~? exchange_index:whole?"
    ),
    "Milestone": (
        "id:text category:text type:text start_date:time end_date:time~? related_event_tickers:texts "
        "title:text notification_message:text source_id:text~? source_ids:object? details:object "
        "primary_event_tickers:texts last_updated_ts:time"
    ),
    "Series": (
        "ticker:text frequency:text title:text category:text categories:texts tags:texts~ "
        "settlement_sources:[SettlementSource]~ contract_url:text contract_terms_url:text "
        "product_metadata:object~? fee_type:=FeeType fee_multiplier:number additional_prohibitions:texts~ "
        "volume_fp:count? last_updated_ts:time? exchange_index:whole?"
    ),
    "Candle": (
        "end_period_ts:seconds yes_bid:{Quotes} yes_ask:{Quotes} price:{Prices} volume_fp:count open_interest_fp:count"
    ),
    "HistoricalCandle": (
        "end_period_ts:seconds yes_bid:{HistoricalQuotes} yes_ask:{HistoricalQuotes} price:{HistoricalPrices} "
        "volume:count open_interest:count"
    ),
    "ShardCash": "exchange_index:whole balance:dollars",
    "Position": (
        "ticker:text exchange_index:whole? total_traded_dollars:dollars position_fp:signed "
        "market_exposure_dollars:dollars realized_pnl_dollars:dollars fees_paid_dollars:dollars "
        "last_updated_ts:time resting_orders_count:whole?"
    ),
    "EventPosition": (
        "event_ticker:text total_cost_dollars:dollars total_cost_shares_fp:count "
        "event_exposure_dollars:dollars realized_pnl_dollars:dollars fees_paid_dollars:dollars"
    ),
    "Fill": (
        "fill_id:text exchange_index:whole? trade_id:text order_id:text ticker:text market_ticker:text "
        "side:=OutcomeSide? action:=Action? outcome_side:=OutcomeSide book_side:=BookSide count_fp:count "
        "yes_price_dollars:price no_price_dollars:price is_taker:flag created_time:time? fee_cost:dollars "
        "subaccount_number:whole~? ts:seconds?"
    ),
    "Settlement": (
        "ticker:text exchange_index:whole event_ticker:text market_result:=SettlementResult "
        "yes_count_fp:count yes_total_cost_dollars:dollars no_count_fp:count no_total_cost_dollars:dollars "
        "revenue:cents settled_time:time fee_cost:dollars value:cents~?"
    ),
    "Deposit": (
        "id:text status:=TransferStatus type:=TransferType amount_cents:cents fee_cents:cents "
        "created_ts:seconds finalized_ts:seconds~?"
    ),
    "Withdrawal": (
        "id:text status:=TransferStatus type:=TransferType amount_cents:cents fee_cents:cents "
        "created_ts:seconds finalized_ts:seconds~?"
    ),
    "Order": (
        "order_id:text user_id:text client_order_id:text ticker:text side:=OutcomeSide? action:=Action? "
        "outcome_side:=OutcomeSide book_side:=BookSide type:=OrderType status:=OrderStatus "
        "yes_price_dollars:price no_price_dollars:price fill_count_fp:count remaining_count_fp:count "
        "initial_count_fp:count taker_fill_cost_dollars:dollars maker_fill_cost_dollars:dollars "
        "taker_fees_dollars:dollars maker_fees_dollars:dollars expiration_time:time~? created_time:time~? "
        "last_update_time:time~? self_trade_prevention_type:=SelfTradePreventionType~? order_group_id:text~? "
        "cancel_order_on_pause:flag? subaccount_number:whole~? exchange_index:whole?"
    ),
    "MveSelectedLeg": "event_ticker:text? market_ticker:text? side:text? yes_settlement_value_dollars:price~?",
    "PriceRange": "start:text end:text step:text",
    "SettlementSource": "name:text? url:text?",
    "Quotes": "open_dollars:price low_dollars:price high_dollars:price close_dollars:price",
    "Prices": (
        "open_dollars:price~? low_dollars:price~? high_dollars:price~? close_dollars:price~? "
        "mean_dollars:price~? previous_dollars:price~? min_dollars:price~? max_dollars:price~?"
    ),
    "HistoricalQuotes": "open:price low:price high:price close:price",
    "HistoricalPrices": "open:price~ low:price~ high:price~ close:price~ mean:price~ previous:price~",
}

WORDS: dict[str, frozenset[str]] = {
    "MarketType": frozenset(["binary", "scalar"]),
    "MarketStatus": frozenset(
        ["initialized", "inactive", "active", "closed", "determined", "disputed", "amended", "finalized"]
    ),
    "MarketResult": frozenset(["yes", "no", "scalar", ""]),
    "SettlementBoundsType": frozenset(["default", "floor"]),
    "StrikeType": frozenset(
        ["greater", "greater_or_equal", "less", "less_or_equal", "between", "functional", "custom", "structured"]
    ),
    "FeeType": frozenset(["quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees", "flat"]),
    "FeeTypeOverride": frozenset(
        ["quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees", "flat", ""]
    ),
    "OutcomeSide": frozenset(["yes", "no"]),
    "Action": frozenset(["buy", "sell"]),
    "BookSide": frozenset(["bid", "ask"]),
    "SettlementResult": frozenset(["yes", "no", "scalar"]),
    "TransferStatus": frozenset(["pending", "applied", "failed", "returned"]),
    "TransferType": frozenset(["ach", "wire", "crypto", "debit", "apm"]),
    "OrderType": frozenset(["limit", "market"]),
    "OrderStatus": frozenset(["resting", "canceled", "executed"]),
    "SelfTradePreventionType": frozenset(["taker_at_cross", "maker"]),
}

ENDPOINTS: dict[str, str] = {
    "GET /exchange/status": "ExchangeStatus",
    "GET /historical/cutoff": "Cutoff",
    "GET /markets": "Markets",
    "GET /historical/markets": "Markets",
    "GET /markets/{ticker}": "OneMarket",
    "GET /historical/markets/{ticker}": "OneMarket",
    "GET /markets/{ticker}/orderbook": "OneBook",
    "GET /markets/orderbooks": "Books",
    "GET /events": "Events",
    "GET /events/{event_ticker}": "OneEvent",
    "GET /series/{series_ticker}": "OneSeries",
    "GET /series/{series_ticker}/markets/{ticker}/candlesticks": "Candles",
    "GET /historical/markets/{ticker}/candlesticks": "HistoricalCandles",
    "GET /portfolio/balance": "Balance",
    "GET /portfolio/positions": "Positions",
    "GET /historical/positions": "Positions",
    "GET /portfolio/fills": "Fills",
    "GET /historical/fills": "Fills",
    "GET /portfolio/settlements": "Settlements",
    "GET /portfolio/deposits": "Deposits",
    "GET /portfolio/withdrawals": "Withdrawals",
    "GET /portfolio/orders": "Orders",
    "GET /historical/orders": "Orders",
}
"""The shape of each endpoint's answer."""

UNUSED = "nothing in Coliseum"
USES: dict[str, str] = {
    "Market": "market data and the arena's rounds",
    "Market.ticker": "every list of markets, marks of positions, the arena",
    "Market.event_ticker": "the category of a market, the arena's rounds",
    "Market.status": "which markets are open; when the arena settles a market",
    "Market.result": "the arena's results and payouts",
    "Market.market_type": "the arena's results and payouts",
    "Market.settlement_value_dollars": "the arena's results and payouts",
    "Market.settlement_ts": "the time of the arena's results",
    "Market.yes_bid_dollars": "quotes, marks and unrealised profit of positions, the arena's prices",
    "Market.yes_ask_dollars": "quotes, the arena's prices",
    "Market.no_bid_dollars": "quotes, marks and unrealised profit of positions",
    "Market.no_ask_dollars": "quotes",
    "Market.yes_bid_size_fp": "whether a side of a market has a quote",
    "Market.yes_ask_size_fp": "whether a side of a market has a quote",
    "Market.close_time": "which markets a round asks about",
    "Market.volume_24h_fp": "which markets a round asks about",
    "Book": "order books, the arena's prices and paper trades",
    "TickerBook": "order books, the arena's prices and paper trades",
    "OneBook": "order books",
    "Books": "the arena's rounds",
    "Event": "categories of markets, the arena's rounds",
    "Event.fee_type_override": "fees of paper trades",
    "Event.fee_multiplier_override": "fees of paper trades",
    "Series": "categories, sources of results",
    "Series.fee_type": "fees of paper trades",
    "Series.fee_multiplier": "fees of paper trades",
    "Candle": "histories of markets",
    "HistoricalCandle": "histories of markets",
    "Quotes": "histories of markets",
    "Prices": "histories of markets",
    "HistoricalQuotes": "histories of markets",
    "HistoricalPrices": "histories of markets",
    "Balance": "cash, portfolio value and equity",
    "ShardCash": "the cash on each shard",
    "Position": "positions, exposure, realised profit, reconciliation",
    "Fill": "fills, books, realised profit, recovery of lost trades",
    "Fill.action": "whether a fill shows as BUY or SELL; never the position",
    "Fill.side": UNUSED,
    "Fill.subaccount_number": "which fills belong to the account",
    "Settlement": "settlements, books, realised profit",
    "Deposit": "deposits and profit since the beginning",
    "Withdrawal": "withdrawals and profit since the beginning",
    "Order": "resting orders and their collateral",
    "ExchangeStatus": "whether the exchange is open",
    "Cutoff": "which tier fills and markets are read from",
    "Markets": "lists of markets",
    "Events": "lists of events, the arena's rounds",
    "Positions": "positions",
    "Fills": "fills and books; a cursor that is not found ends a list early",
    "Settlements": "settlements and books; a cursor that is not found ends a list early",
    "Deposits": "deposits",
    "Withdrawals": "withdrawals",
    "Orders": "resting orders",
}
"""What depends on a shape, and on a field of it where that is more special. A shape that is not here: nothing."""
