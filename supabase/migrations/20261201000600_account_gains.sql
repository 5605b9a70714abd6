-- Profit by market or day in one request: of a long history the sums travel, not its bookings.

-- Sums over the bookings of a span, by market, or by day where p_zone names a time zone:
-- [{"group", "event_ticker", "realized", "settled", "fees", "basis", "fills", "tickers", "first_at", "last_at"}].
-- A reversal has its amounts negated, so it is summed like any other booking. p_since is inclusive, p_until exclusive.
create function public.account_gains(
    p_account text, p_zone text, p_since timestamptz, p_until timestamptz, p_ticker text
)
    returns jsonb
    language sql stable security definer
    set search_path = ''
    as $$
    with sums as (
        select
            case when p_zone is null then ticker else to_char(at at time zone p_zone, 'YYYY-MM-DD') end as name,
            max(event_ticker) as event_ticker,
            sum(realized) as realized,
            coalesce(sum(realized) filter (where fill_id is null), 0) as settled,
            sum(fees) as fees,
            sum(basis) as basis,
            count(*) filter (where kind = 'fill')
                - count(*) filter (where kind = 'reversal' and fill_id is not null) as fills,
            array_agg(distinct ticker) as tickers,
            min(at) as first_at,
            max(at) as last_at
        from public.account_bookings
        where account = p_account
            and (p_since is null or at >= p_since)
            and (p_until is null or at < p_until)
            and (p_ticker is null or ticker = p_ticker)
        group by 1
    )
    select coalesce(jsonb_agg(jsonb_build_object(
        'group', name, 'event_ticker', event_ticker, 'realized', realized::text, 'settled', settled::text,
        'fees', fees::text, 'basis', basis::text, 'fills', fills, 'tickers', tickers, 'first_at', first_at,
        'last_at', last_at
    ) order by name), '[]')
    from sums
    $$;

revoke execute on function public.account_gains(text, text, timestamptz, timestamptz, text)
    from public, anon, authenticated;
grant execute on function public.account_gains(text, text, timestamptz, timestamptz, text) to service_role;
