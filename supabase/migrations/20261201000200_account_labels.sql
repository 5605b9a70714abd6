-- Rows say which account they belong to, and the bot's rows which bot, so that two of them can share a database.
-- The empty label stands for the first identity that writes. Rows from before this migration have it, so they are its.

create table public.history_owner (
    only_row boolean primary key default true check (only_row),
    account text not null check (account <> ''),
    bot text not null check (bot <> ''),
    since timestamptz not null default now()
);
comment on table public.history_owner is 'The account and bot whose rows have empty labels: the first that wrote here.';

alter table public.history_owner enable row level security;
revoke all on public.history_owner from public, anon, authenticated;
grant select, insert, update, delete on public.history_owner to service_role;

-- The labels of this account's and bot's rows, {"account", "bot"}. With p_claim the first caller becomes the owner of
-- the rows with empty labels. Without it the answer is `"claimed": false` until there is an owner: then every
-- identity that asks sees them. p_account_without_key: the label before the account's key was set, whose rows are taken over.
create function public.history_labels(p_account text, p_bot text, p_account_without_key text, p_claim boolean)
    returns jsonb
    language plpgsql security definer
    set search_path = ''
    as $$
declare
    owner public.history_owner;
    same_account boolean;
begin
    if coalesce(p_account = '' or p_bot = '', true) then
        raise exception 'history_labels needs p_account and p_bot' using errcode = '22023';
    end if;
    if p_claim then
        insert into public.history_owner (account, bot) values (p_account, p_bot) on conflict (only_row) do nothing;
        update public.history_owner set account = p_account
        where account = p_account_without_key and account <> p_account and bot = p_bot;
    end if;
    select * into owner from public.history_owner;
    if not found then
        return jsonb_build_object('account', '', 'bot', '', 'claimed', false);
    end if;
    same_account := owner.account = p_account or (owner.account = p_account_without_key and owner.bot = p_bot);
    return jsonb_build_object(
        'account', case when same_account then '' else p_account end,
        'bot', case when same_account and owner.bot = p_bot then '' else p_bot end,
        'claimed', true
    );
end
$$;
revoke execute on function public.history_labels(text, text, text, boolean) from public, anon, authenticated;
grant execute on function public.history_labels(text, text, text, boolean) to service_role;

-- ---------------------------------------------------------------- rows
alter table public.trades add column account text not null default '', add column bot text not null default '';
alter table public.feed_events add column account text not null default '', add column bot text not null default '';
alter table public.projection_gaps add column account text not null default '', add column bot text not null default '';
comment on column public.trades.account is 'The exchange account; empty for the account in history_owner.';
comment on column public.trades.bot is 'BOT_NAME; empty for the bot in history_owner.';

drop index public.trades_newest, public.trades_by_ticker, public.feed_events_by_kind;
create index trades_newest on public.trades (account, bot, executed_at desc, event_id desc) where corrected_by is null;
create index trades_by_ticker on public.trades (account, bot, ticker, executed_at desc, event_id desc)
    where corrected_by is null;
create index feed_events_by_kind on public.feed_events
    (account, bot, kind, published_at desc, epoch desc, seq desc);

alter table public.projection_cursor
    add column account text not null default '',
    add column bot text not null default '',
    drop constraint projection_cursor_pkey,
    add primary key (name, account, bot);

alter table public.settlements
    add column account text not null default '',
    drop constraint settlements_pkey,
    add primary key (account, ticker);
drop index public.settlements_newest;
create index settlements_newest on public.settlements (account, settled_at desc, ticker);

alter table public.balance_snapshots
    add column account text not null default '',
    drop constraint balance_snapshots_pkey,
    add primary key (account, taken_at);

-- ---------------------------------------------------------------- views: the labels written out
create or replace view public.public_trades as
    select event_id, trade_id, ticker, side, outcome, quantity, price, fee, executed_at, source, backfilled, correction,
        coalesce(nullif(account, ''), (select h.account from public.history_owner h)) as account,
        coalesce(nullif(bot, ''), (select h.bot from public.history_owner h)) as bot
    from public.trades
    where corrected_by is null;
create or replace view public.public_settlements as
    select ticker, event_ticker, result, yes_count, yes_cost, no_count, no_cost, revenue, value, fee, settled_at,
        coalesce(nullif(account, ''), (select h.account from public.history_owner h)) as account
    from public.settlements;

-- ---------------------------------------------------------------- projection: one cursor for each label
drop function
    private.project_trade(text, bigint, bigint, jsonb, boolean),
    public.project_entries(text, text, bigint, jsonb, bigint),
    public.projection_position(text);

-- One trade of the feed. A correction supersedes the newest row of its trade. After the log began a new epoch the
-- bot's list is published again: an execution that is here already is left out, a changed report of it corrects it.
create function private.project_trade(
    p_epoch text, p_ms bigint, p_seq bigint, p_data jsonb, p_correction boolean, p_account text, p_bot text
)
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
        and account = p_account
        and bot = p_bot
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
        backfilled, correction, account, bot
    ) values (
        p_epoch, p_seq, p_ms, fresh.trade_id, fresh.ticker, fresh.side, fresh.outcome, fresh.quantity, fresh.price,
        fresh.fee, fresh.order_id, fresh.executed_at, p_data ->> 'source',
        coalesce((p_data ->> 'backfilled')::boolean, false), p_correction or earlier.trade_id is not null,
        p_account, p_bot
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
    p_name text, p_epoch text, p_after_seq bigint, p_entries jsonb, p_lost bigint default 0,
    p_account text default '', p_bot text default ''
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

    insert into public.projection_cursor (name, epoch, ms, seq, account, bot)
    values (p_name, p_epoch, 0, 0, p_account, p_bot)
    on conflict (name, account, bot) do nothing;
    select * into strict cursor_row from public.projection_cursor
    where name = p_name and account = p_account and bot = p_bot for update;

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
            insert into public.projection_gaps (epoch, after_seq, lost, account, bot)
            values (p_epoch, cursor_row.seq, entry_seq - cursor_row.seq - 1, p_account, p_bot)
            on conflict do nothing;
        end if;
        if entry ->> 'kind' in ('trade', 'trade_corrected') then
            is_new := private.project_trade(
                p_epoch, entry_ms, entry_seq, entry -> 'data', entry ->> 'kind' = 'trade_corrected', p_account, p_bot
            );
        else
            insert into public.feed_events (epoch, seq, ms, kind, data, published_at, account, bot)
            values (
                p_epoch, entry_seq, entry_ms, entry ->> 'kind', entry -> 'data', to_timestamp(entry_ms / 1000.0),
                p_account, p_bot
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
    where name = p_name and account = p_account and bot = p_bot;
    return jsonb_build_object(
        'epoch', cursor_row.epoch, 'ms', cursor_row.ms, 'seq', cursor_row.seq, 'inserted', inserted
    );
end
$$;

create function public.projection_position(p_name text, p_account text default '', p_bot text default '')
    returns jsonb
    language sql stable security definer
    set search_path = ''
    as $$
    select jsonb_build_object('epoch', epoch, 'ms', ms, 'seq', seq)
    from public.projection_cursor
    where name = p_name and account = p_account and bot = p_bot
    $$;
comment on function public.projection_position(text, text, text) is 'The last entry taken over; null where nothing was.';

revoke execute on function
    private.project_trade(text, bigint, bigint, jsonb, boolean, text, text),
    public.project_entries(text, text, bigint, jsonb, bigint, text, text),
    public.projection_position(text, text, text)
    from public, anon, authenticated;
grant execute on function
    public.project_entries(text, text, bigint, jsonb, bigint, text, text),
    public.projection_position(text, text, text)
    to service_role;

-- ---------------------------------------------------------------- retention: each account's snapshots for themselves
-- Deletes at most p_limit rows of each kind, so that one call stays short; call again while it deletes that many.
create or replace function public.prune_history(p_now timestamptz, p_limit integer default 5000) returns jsonb
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
    delete from public.balance_snapshots where (account, taken_at) in (
        select account, taken_at
        from (
            select account, taken_at, lag(taken_at) over (partition by account order by taken_at) as earlier
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
