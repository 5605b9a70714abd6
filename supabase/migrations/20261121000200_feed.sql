-- The feed's entries as history: trades in columns, everything else as JSON, and how far the projection came.
-- An entry is (epoch, seq): seq counts by one within an epoch, ms is its publisher's clock and never falls.

create table public.trades (
    epoch text not null,
    seq bigint not null check (seq > 0),
    ms bigint not null check (ms >= 0),
    event_id text not null generated always as (epoch || '/' || ms::text || '-' || seq::text) stored unique,
    trade_id text not null check (trade_id <> ''),
    ticker text not null check (ticker <> ''),
    side text not null check (side in ('BUY', 'SELL')),
    outcome text check (outcome in ('yes', 'no')),
    quantity numeric not null check (quantity > 0),
    price numeric not null check (price between 0 and 1),
    fee numeric,
    order_id text,
    executed_at timestamptz not null,
    source text not null,
    backfilled boolean not null default false,
    correction boolean not null default false,
    corrected_by text,
    recorded_at timestamptz not null default now(),
    primary key (epoch, seq)
);
comment on column public.trades.quantity is 'Contracts.';
comment on column public.trades.price is 'Dollars per contract of the outcome.';
comment on column public.trades.fee is 'Dollars; null is unknown, not zero.';
comment on column public.trades.backfilled is 'Learnt later from the exchange, when the bot no longer listed it.';
comment on column public.trades.correction is 'This row corrects an earlier report of the same trade.';
comment on column public.trades.corrected_by is 'event_id of the row that replaces this one; null on rows that count.';

create index trades_newest on public.trades (executed_at desc, event_id desc) where corrected_by is null;
create index trades_by_ticker on public.trades (ticker, executed_at desc, event_id desc)
    where corrected_by is null;
create index trades_by_identity on public.trades (trade_id, ticker, executed_at) where corrected_by is null;

create table public.feed_events (
    epoch text not null,
    seq bigint not null check (seq > 0),
    ms bigint not null check (ms >= 0),
    event_id text not null generated always as (epoch || '/' || ms::text || '-' || seq::text) stored unique,
    kind text not null check (kind <> ''),
    ticker text generated always as (data ->> 'ticker') stored,
    data jsonb not null check (jsonb_typeof(data) = 'object'),
    published_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    primary key (epoch, seq)
);
comment on table public.feed_events is 'Every entry of the feed that is not a trade.';

create index feed_events_by_kind on public.feed_events (kind, published_at desc, epoch desc, seq desc);
create index feed_events_by_age on public.feed_events (published_at);

create table public.projection_cursor (
    name text primary key check (name <> ''),
    epoch text not null check (epoch <> ''),
    ms bigint not null,
    seq bigint not null,
    past_epochs text[] not null default '{}',
    updated_at timestamptz not null default now()
);
comment on table public.projection_cursor is 'The last entry each projection has taken over.';

create table public.projection_gaps (
    epoch text not null,
    after_seq bigint not null,
    lost bigint not null check (lost > 0),
    recorded_at timestamptz not null default now(),
    primary key (epoch, after_seq)
);
comment on table public.projection_gaps is 'Entries the log had already dropped when the projection came for them.';

-- The server's key alone reads and writes the tables; the publishable key sees the view below and nothing else.
alter table public.trades enable row level security;
alter table public.feed_events enable row level security;
alter table public.projection_cursor enable row level security;
alter table public.projection_gaps enable row level security;

revoke all on public.trades, public.feed_events, public.projection_cursor, public.projection_gaps
    from public, anon, authenticated;
grant select, insert, update, delete
    on public.trades, public.feed_events, public.projection_cursor, public.projection_gaps to service_role;

create view public.public_trades as
    select event_id, trade_id, ticker, side, outcome, quantity, price, fee, executed_at, source, backfilled, correction
    from public.trades
    where corrected_by is null;
comment on view public.public_trades is
    'The trades that count, without order ids. Runs with its owner''s rights on purpose: readers have none on the table.';
revoke all on public.public_trades from public, anon, authenticated;
grant select on public.public_trades to anon, authenticated, service_role;

-- One trade of the feed. A correction supersedes the newest row of its trade. After the log began a new epoch the
-- bot's list is published again: an execution that is here already is left out, a changed report of it corrects it.
create function private.project_trade(p_epoch text, p_ms bigint, p_seq bigint, p_data jsonb, p_correction boolean)
    returns boolean
    language plpgsql
    set search_path = ''
    as $$
declare
    fresh public.trades;
    earlier public.trades;
begin
    fresh.trade_id := p_data ->> 'trade_id';
    fresh.ticker := p_data ->> 'ticker';
    fresh.side := p_data ->> 'side';
    fresh.outcome := p_data ->> 'outcome';
    fresh.quantity := coalesce(p_data ->> 'quantity_contracts', p_data ->> 'quantity');
    fresh.price := coalesce(p_data ->> 'price_dollars', p_data ->> 'price');
    fresh.fee := p_data ->> 'fee';
    fresh.order_id := p_data ->> 'order_id';
    fresh.executed_at := to_timestamp((p_data ->> 'timestamp')::double precision);

    select * into earlier
    from public.trades
    where trade_id = fresh.trade_id
        and corrected_by is null
        and (p_correction or (epoch <> p_epoch and ticker = fresh.ticker and executed_at = fresh.executed_at))
    order by (epoch = p_epoch) desc, ms desc, seq desc
    limit 1;

    if found and not p_correction
        and (earlier.side, earlier.outcome, earlier.quantity, earlier.price, earlier.fee, earlier.order_id)
            is not distinct from
            (fresh.side, fresh.outcome, fresh.quantity, fresh.price, fresh.fee, fresh.order_id)
    then
        return false;
    end if;

    insert into public.trades (
        epoch, seq, ms, trade_id, ticker, side, outcome, quantity, price, fee, order_id, executed_at, source,
        backfilled, correction
    ) values (
        p_epoch, p_seq, p_ms, fresh.trade_id, fresh.ticker, fresh.side, fresh.outcome, fresh.quantity, fresh.price,
        fresh.fee, fresh.order_id, fresh.executed_at, p_data ->> 'source',
        coalesce((p_data ->> 'backfilled')::boolean, false), p_correction or earlier.trade_id is not null
    )
    on conflict (epoch, seq) do nothing;
    if not found then
        return false;
    end if;

    update public.trades
    set corrected_by = p_epoch || '/' || p_ms || '-' || p_seq
    where epoch = earlier.epoch and seq = earlier.seq;
    return true;
end
$$;

-- Take over a batch of entries [{"ms", "seq", "kind", "data"}] that follows p_after_seq, and move the cursor, in one
-- transaction. May be called again with the same batch, by anyone, at any time: what is here is skipped.
-- The batch must continue the cursor without a hole; entries the log has dropped are declared in p_lost and kept as
-- a gap. The cursor never goes back, neither within an epoch nor to an epoch that was left.
create function public.project_entries(
    p_name text, p_epoch text, p_after_seq bigint, p_entries jsonb, p_lost bigint default 0
)
    returns jsonb
    language plpgsql security definer
    set search_path = ''
    as $$
declare
    cursor_row public.projection_cursor;
    entry jsonb;
    entry_ms bigint;
    entry_seq bigint;
    due bigint := p_after_seq + p_lost + 1;
    inserted integer := 0;
    is_new boolean;
begin
    if coalesce(p_after_seq < 0 or p_lost < 0 or jsonb_typeof(p_entries) <> 'array', true) then
        raise exception 'project_entries needs p_after_seq >= 0, p_lost >= 0 and p_entries as an array'
            using errcode = '22023';
    end if;
    if p_lost > 0 and jsonb_array_length(p_entries) = 0 then
        raise exception 'a gap of % is only known by the entry behind it, and no entry was sent', p_lost
            using errcode = '22023';
    end if;

    insert into public.projection_cursor (name, epoch, ms, seq) values (p_name, p_epoch, 0, 0)
    on conflict (name) do nothing;
    select * into strict cursor_row from public.projection_cursor where name = p_name for update;

    if cursor_row.epoch <> p_epoch then
        if p_epoch = any (cursor_row.past_epochs) then
            raise exception 'projection % has left epoch % for %', p_name, p_epoch, cursor_row.epoch
                using errcode = 'PT409', hint = 'Read projection_position and go on from there.';
        end if;
        cursor_row.past_epochs := cursor_row.past_epochs || cursor_row.epoch;
        cursor_row.epoch := p_epoch;
        cursor_row.ms := 0;
        cursor_row.seq := 0;
    end if;
    if p_after_seq > cursor_row.seq then
        raise exception 'projection % stands at % in epoch %, the batch follows %',
            p_name, cursor_row.seq, p_epoch, p_after_seq
            using errcode = 'PT409', hint = 'Send the entries between, or declare them in p_lost.';
    end if;

    for entry in select value from jsonb_array_elements(p_entries) with ordinality order by ordinality loop
        entry_seq := (entry ->> 'seq')::bigint;
        entry_ms := (entry ->> 'ms')::bigint;
        if entry_seq is distinct from due then
            raise exception 'entry % where % was due after % with % lost', entry_seq, due, p_after_seq, p_lost
                using errcode = '22023';
        end if;
        due := due + 1;
        continue when entry_seq <= cursor_row.seq;

        if entry_ms is null or entry_ms < cursor_row.ms then
            raise exception 'entry % is of %, before its predecessor''s %', entry_seq, entry_ms, cursor_row.ms
                using errcode = '22023';
        end if;
        if entry_seq > cursor_row.seq + 1 then
            insert into public.projection_gaps (epoch, after_seq, lost)
            values (p_epoch, cursor_row.seq, entry_seq - cursor_row.seq - 1)
            on conflict do nothing;
        end if;
        if entry ->> 'kind' in ('trade', 'trade_corrected') then
            is_new := private.project_trade(
                p_epoch, entry_ms, entry_seq, entry -> 'data', entry ->> 'kind' = 'trade_corrected'
            );
        else
            insert into public.feed_events (epoch, seq, ms, kind, data, published_at)
            values (
                p_epoch, entry_seq, entry_ms, entry ->> 'kind', entry -> 'data', to_timestamp(entry_ms / 1000.0)
            )
            on conflict (epoch, seq) do nothing;
            is_new := found;
        end if;
        inserted := inserted + is_new::integer;
        cursor_row.ms := entry_ms;
        cursor_row.seq := entry_seq;
    end loop;

    update public.projection_cursor
    set epoch = cursor_row.epoch, ms = cursor_row.ms, seq = cursor_row.seq, past_epochs = cursor_row.past_epochs,
        updated_at = now()
    where name = p_name;
    return jsonb_build_object(
        'epoch', cursor_row.epoch, 'ms', cursor_row.ms, 'seq', cursor_row.seq, 'inserted', inserted
    );
end
$$;

create function public.projection_position(p_name text) returns jsonb
    language sql stable security definer
    set search_path = ''
    as $$
    select jsonb_build_object('epoch', epoch, 'ms', ms, 'seq', seq)
    from public.projection_cursor
    where name = p_name
    $$;
comment on function public.projection_position(text) is 'The last entry taken over; null where nothing was.';

revoke execute on function
    private.project_trade(text, bigint, bigint, jsonb, boolean),
    public.project_entries(text, text, bigint, jsonb, bigint),
    public.projection_position(text)
    from public, anon, authenticated;
grant execute on function
    public.project_entries(text, text, bigint, jsonb, bigint),
    public.projection_position(text)
    to service_role;
