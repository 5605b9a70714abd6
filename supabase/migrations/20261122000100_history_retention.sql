-- How long history stays, so that a year of it fits into a small database: the arithmetic is in docs/operations.md.
-- Every snapshot for a week, then one an hour for a year. Feed events for a month, announced losses for good.
-- Trades and settlements stay.

drop function public.prune_history(timestamptz, integer);

-- Deletes at most p_limit rows of each kind, so that one call stays short; call again while it deletes that many.
create function public.prune_history(p_now timestamptz, p_limit integer default 5000) returns jsonb
    language plpgsql security definer
    set search_path = ''
    as $$
declare
    thin_before constant timestamptz := p_now - interval '7 days';
    drop_before constant timestamptz := p_now - interval '366 days';
    balances integer;
    markets integer;
    events integer;
begin
    if coalesce(p_now > now() + interval '1 hour' or p_limit < 1, true) then
        raise exception 'prune_history needs p_now that is not in the future and p_limit above 0' using errcode = '22023';
    end if;
    delete from public.balance_snapshots where taken_at in (
        select taken_at
        from (
            select taken_at, lag(taken_at) over (order by taken_at) as earlier
            from public.balance_snapshots where taken_at < thin_before
        ) as aged
        where taken_at < drop_before or private.same_hour(earlier, taken_at)
        limit p_limit
    );
    get diagnostics balances = row_count;
    delete from public.market_snapshots where (ticker, taken_at) in (
        select ticker, taken_at
        from (
            select ticker, taken_at, lag(taken_at) over (partition by ticker order by taken_at) as earlier
            from public.market_snapshots where taken_at < thin_before
        ) as aged
        where taken_at < drop_before or private.same_hour(earlier, taken_at)
        limit p_limit
    );
    get diagnostics markets = row_count;
    delete from public.feed_events where (epoch, seq) in (
        select epoch, seq from public.feed_events
        where published_at < p_now - interval '30 days' and kind <> 'source_gap'
        order by published_at limit p_limit
    );
    get diagnostics events = row_count;
    return jsonb_build_object('balance_snapshots', balances, 'market_snapshots', markets, 'feed_events', events);
end
$$;

-- The first snapshot of an hour is the one that stays.
create function private.same_hour(p_earlier timestamptz, p_later timestamptz) returns boolean
    language sql immutable
    as $$ select date_trunc('hour', p_earlier at time zone 'UTC') = date_trunc('hour', p_later at time zone 'UTC') $$;

revoke execute on function private.same_hour(timestamptz, timestamptz) from public;
revoke execute on function public.prune_history(timestamptz, integer) from public, anon, authenticated;
grant execute on function public.prune_history(timestamptz, integer) to service_role;
