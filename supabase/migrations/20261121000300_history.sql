-- What the account and the markets looked like over time. Money in dollars, counts in contracts, all exact.

create table public.settlements (
    ticker text primary key check (ticker <> ''),
    event_ticker text not null,
    result text not null,
    yes_count numeric not null,
    yes_cost numeric not null,
    no_count numeric not null,
    no_cost numeric not null,
    revenue numeric not null,
    value numeric,
    fee numeric not null,
    settled_at timestamptz not null,
    recorded_at timestamptz not null default now()
);
comment on column public.settlements.result is 'yes, no or scalar, as the exchange says it.';
comment on column public.settlements.value is 'Dollars per YES contract; null where the exchange gives none.';

create index settlements_newest on public.settlements (settled_at desc, ticker);

create table public.balance_snapshots (
    taken_at timestamptz primary key,
    cash numeric not null,
    portfolio_value numeric not null,
    equity numeric not null generated always as (cash + portfolio_value) stored,
    source text not null
);

create table public.market_snapshots (
    ticker text not null check (ticker <> ''),
    taken_at timestamptz not null,
    status text not null,
    yes_bid numeric check (yes_bid between 0 and 1),
    yes_ask numeric check (yes_ask between 0 and 1),
    last_price numeric check (last_price between 0 and 1),
    volume numeric,
    open_interest numeric,
    primary key (ticker, taken_at)
);
comment on column public.market_snapshots.yes_bid is 'Dollars; null where nobody bids.';

create index market_snapshots_by_age on public.market_snapshots (taken_at);

alter table public.settlements enable row level security;
alter table public.balance_snapshots enable row level security;
alter table public.market_snapshots enable row level security;

revoke all on public.settlements, public.balance_snapshots, public.market_snapshots from public, anon, authenticated;
grant select, insert, update, delete
    on public.settlements, public.balance_snapshots, public.market_snapshots to service_role;

create view public.public_settlements as
    select ticker, event_ticker, result, yes_count, yes_cost, no_count, no_cost, revenue, value, fee, settled_at
    from public.settlements;
create view public.public_market_snapshots as
    select ticker, taken_at, status, yes_bid, yes_ask, last_price, volume, open_interest
    from public.market_snapshots;
comment on view public.public_settlements is 'Runs with its owner''s rights on purpose: readers have none on the table.';
comment on view public.public_market_snapshots is
    'Runs with its owner''s rights on purpose: readers have none on the table.';
revoke all on public.public_settlements, public.public_market_snapshots from public, anon, authenticated;
grant select on public.public_settlements, public.public_market_snapshots to anon, authenticated, service_role;

-- Delete what only grows: snapshots, and feed events but for announced losses. Trades and settlements stay.
-- Deletes at most p_limit rows of each table, so that one call stays short; call again while it deletes.
create function public.prune_history(p_before timestamptz, p_limit integer default 5000) returns jsonb
    language plpgsql security definer
    set search_path = ''
    as $$
declare
    balances integer;
    markets integer;
    events integer;
begin
    if coalesce(p_before > now() - interval '1 day' or p_limit < 1, true) then
        raise exception 'prune_history needs p_before at least a day ago and p_limit above 0' using errcode = '22023';
    end if;
    delete from public.balance_snapshots where taken_at in (
        select taken_at from public.balance_snapshots where taken_at < p_before order by taken_at limit p_limit
    );
    get diagnostics balances = row_count;
    delete from public.market_snapshots where (ticker, taken_at) in (
        select ticker, taken_at from public.market_snapshots where taken_at < p_before order by taken_at limit p_limit
    );
    get diagnostics markets = row_count;
    delete from public.feed_events where (epoch, seq) in (
        select epoch, seq from public.feed_events
        where published_at < p_before and kind <> 'source_gap'
        order by published_at limit p_limit
    );
    get diagnostics events = row_count;
    return jsonb_build_object('balance_snapshots', balances, 'market_snapshots', markets, 'feed_events', events);
end
$$;

revoke execute on function public.prune_history(timestamptz, integer) from public, anon, authenticated;
grant execute on function public.prune_history(timestamptz, integer) to service_role;
