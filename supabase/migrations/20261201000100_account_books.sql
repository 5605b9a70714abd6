-- The account's books: what its fills and settlements changed, kept instead of computed again on every start.
-- Bookings are only ever added. A holding is the sum of its market's bookings, because one function writes both.
-- Money in dollars, counts in contracts, all exact. Texts that are sorted compare by code point, as the ledger does.

create table public.account_books (
    account text primary key check (account <> ''),
    version bigint not null default 0,
    progress jsonb not null default '{}' check (jsonb_typeof(progress) = 'object'),
    last_seq bigint not null default 0,
    fills bigint not null default 0,
    updated_at timestamptz not null default now()
);
comment on column public.account_books.version is 'Grows with every write. A writer must name the version it has read.';
comment on column public.account_books.progress is 'How far fills and settlements were read and booked; the application''s own form.';
comment on column public.account_books.fills is 'Fills that are booked.';

create table public.account_fills (
    account text not null references public.account_books,
    fill_id text collate "C" not null,
    order_id text collate "C" not null,
    ticker text not null check (ticker <> ''),
    book_side text not null check (book_side in ('bid', 'ask')),
    count numeric not null check (count > 0),
    yes_price numeric not null check (yes_price between 0 and 1),
    fee numeric not null,
    at timestamptz not null,
    is_read boolean not null default true,
    worse numeric not null generated always as (case book_side when 'bid' then yes_price else -yes_price end) stored,
    primary key (account, fill_id, order_id)
);
comment on table public.account_fills is 'Fills that were read and wait until the list they belong to is whole.';
comment on column public.account_fills.is_read is 'False for a fill that was booked before a rebuild: what the exchange sends replaces it.';
create index account_fills_in_order on public.account_fills (account, at, order_id, worse, fill_id);

create table public.account_bookings (
    account text not null references public.account_books,
    seq bigint not null check (seq > 0),
    key text not null check (key <> ''),
    kind text not null check (kind in ('fill', 'settlement', 'reversal')),
    ticker text not null check (ticker <> ''),
    event_ticker text,
    at timestamptz not null,
    contracts numeric not null,
    basis numeric not null,
    realized numeric not null,
    fees numeric not null,
    fill_id text,
    order_id text,
    outcome text check (outcome in ('yes', 'no')),
    price numeric,
    opened numeric not null default 0 check (opened >= 0),
    closed numeric not null default 0 check (closed >= 0),
    result text,
    reverses text,
    recorded_at timestamptz not null default now(),
    primary key (account, seq),
    unique (account, key),
    check ((kind = 'reversal') = (reverses is not null))
);
comment on table public.account_bookings is 'What each fill and settlement changed. A reversal takes back the booking it names.';
comment on column public.account_bookings.contracts is 'Change of the signed position: above 0 YES.';
comment on column public.account_bookings.basis is 'Change of the cost of the open contracts, without fees.';
create index account_bookings_by_time on public.account_bookings (account, at, seq);
create index account_bookings_by_ticker on public.account_bookings (account, ticker, seq);

create table public.account_holdings (
    account text not null references public.account_books,
    ticker text not null check (ticker <> ''),
    contracts numeric not null default 0,
    basis numeric not null default 0,
    realized numeric not null default 0,
    fees numeric not null default 0,
    settled boolean not null default false,
    last_fill_at timestamptz,
    reversals bigint not null default 0,
    primary key (account, ticker)
);
comment on table public.account_holdings is 'The sum of each market''s bookings.';
create index account_holdings_open on public.account_holdings (account, ticker) where contracts <> 0;

create table public.account_settlements (
    account text not null references public.account_books,
    ticker text not null check (ticker <> ''),
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
    source text not null check (source in ('exchange', 'kept', 'market', 'position')),
    held numeric,
    agrees boolean not null default true,
    primary key (account, ticker)
);
comment on table public.account_settlements is 'How each market ended, in the version that is booked.';
comment on column public.account_settlements.source is
    'exchange: its settlement record. kept: a record stored earlier. market: the archived market''s result. position: the archived position.';
comment on column public.account_settlements.held is 'What our ledger held at the end, signed; null before it is booked.';
create index account_settlements_newest on public.account_settlements (account, settled_at, ticker);
create index account_settlements_disagreeing on public.account_settlements (account, ticker) where not agrees;

comment on column public.settlements.value is
    'As the exchange sends it: 1 or 0 on yes and no, on a scalar result the same as revenue. It pays nothing.';

alter table public.account_books enable row level security;
alter table public.account_fills enable row level security;
alter table public.account_bookings enable row level security;
alter table public.account_holdings enable row level security;
alter table public.account_settlements enable row level security;
revoke all on public.account_books, public.account_fills, public.account_bookings, public.account_holdings,
    public.account_settlements from public, anon, authenticated;
grant select, insert, update, delete on public.account_books, public.account_fills, public.account_bookings,
    public.account_holdings, public.account_settlements to service_role;

-- Everything that a process needs to go on, small however long the history is.
create function public.account_books_read(p_account text) returns jsonb
    language sql stable security definer
    set search_path = ''
    as $$
    with sums as (
        select coalesce(sum(basis), 0) as basis, coalesce(sum(realized), 0) as realized, coalesce(sum(fees), 0) as fees
        from public.account_holdings where account = p_account
    ), waiting as (
        select count(*) as fills, min(at) as oldest, max(at) as newest from public.account_fills where account = p_account
    )
    select jsonb_build_object(
        'version', b.version, 'progress', b.progress, 'fills', b.fills + w.fills,
        'oldest', least(w.oldest, (select min(at) from public.account_bookings where account = p_account)),
        'newest', greatest(w.newest, (select max(last_fill_at) from public.account_holdings where account = p_account)),
        'totals', jsonb_build_object('basis', s.basis::text, 'realized', s.realized::text, 'fees', s.fees::text),
        'open', (
            select coalesce(jsonb_agg(jsonb_build_object(
                'ticker', ticker, 'contracts', contracts::text, 'basis', basis::text, 'realized', realized::text,
                'fees', fees::text, 'settled', settled, 'last_fill_at', last_fill_at, 'reversals', reversals
            ) order by ticker), '[]')
            from public.account_holdings where account = p_account and contracts <> 0
        )
    )
    from public.account_books b, sums s, waiting w
    where b.account = p_account
    $$;
comment on function public.account_books_read(text) is 'Null where the account has no books yet.';

-- Add to the books, in one transaction. Refused with PT409 unless the books stand at p_version, so that of two writers
-- one must read again. Bookings are numbered in their order and identified by their key: a key that exists is skipped
-- and changes no holding.
--   p_staged       fills to keep until their list is whole
--   p_bookings     [{"seq": 1, …}]: seq counts from 1 within this call
--   p_done         [{"fill_id", "order_id"}]: kept fills that need not wait any longer
--   p_settlements  versions that these bookings book
-- The answer names kept fills that came again with other content: the first content stays.
create function public.account_books_append(
    p_account text, p_version bigint, p_progress jsonb, p_staged jsonb, p_bookings jsonb, p_done jsonb,
    p_settlements jsonb
)
    returns jsonb
    language plpgsql security definer
    set search_path = ''
    as $$
declare
    book public.account_books;
    conflicts jsonb;
begin
    if coalesce(p_account = '' or jsonb_typeof(p_progress) <> 'object', true) then
        raise exception 'account_books_append needs p_account and p_progress as an object' using errcode = '22023';
    end if;
    insert into public.account_books (account) values (p_account) on conflict (account) do nothing;
    select * into strict book from public.account_books where account = p_account for update;
    if p_version is distinct from book.version then
        raise exception 'the books of % stand at version %, the writer read %', p_account, book.version, p_version
            using errcode = 'PT409', hint = 'Read account_books_read and go on from there.';
    end if;

    select coalesce(jsonb_agg(jsonb_build_object(
        'fill_id', s.fill_id, 'order_id', s.order_id, 'ticker', s.ticker,
        'booked', k.count::text || ' at ' || k.yes_price::text || ', fee ' || k.fee::text,
        'sent', s.count::text || ' at ' || s.yes_price::text || ', fee ' || s.fee::text
    )), '[]') into conflicts
    from jsonb_populate_recordset(null::public.account_fills, p_staged) s
    join public.account_fills k on k.account = p_account and k.fill_id = s.fill_id and k.order_id = s.order_id
    where k.is_read
        and (k.ticker, k.book_side, k.count, k.yes_price, k.fee, k.at)
            is distinct from (s.ticker, s.book_side, s.count, s.yes_price, s.fee, s.at);
    insert into public.account_fills as k
        (account, fill_id, order_id, ticker, book_side, count, yes_price, fee, at, is_read)
        select p_account, fill_id, order_id, ticker, book_side, count, yes_price, fee, at, true
        from jsonb_populate_recordset(null::public.account_fills, p_staged)
    on conflict (account, fill_id, order_id) do update
        set ticker = excluded.ticker, book_side = excluded.book_side, count = excluded.count,
            yes_price = excluded.yes_price, fee = excluded.fee, at = excluded.at, is_read = true
        where not k.is_read;

    with added as (
        insert into public.account_bookings (
            account, seq, key, kind, ticker, event_ticker, at, contracts, basis, realized, fees, fill_id, order_id,
            outcome, price, opened, closed, result, reverses
        )
        select p_account, book.last_seq + seq, key, kind, ticker, event_ticker, at, contracts, basis, realized, fees,
            fill_id, order_id, outcome, price, opened, closed, result, reverses
        from jsonb_populate_recordset(null::public.account_bookings, p_bookings)
        order by seq
        on conflict (account, key) do nothing
        returning *
    ), sums as (
        select ticker, sum(contracts) as contracts, sum(basis) as basis, sum(realized) as realized, sum(fees) as fees,
            max(at) filter (where kind = 'fill') as last_fill_at,
            count(*) filter (where kind = 'reversal') as reversals,
            (array_agg(kind = 'settlement' order by seq desc)
                filter (where kind = 'settlement' or (kind = 'reversal' and fill_id is null)))[1] as settled
        from added group by ticker
    ), held as (
        insert into public.account_holdings as h
            (account, ticker, contracts, basis, realized, fees, settled, last_fill_at, reversals)
            select p_account, ticker, contracts, basis, realized, fees, coalesce(settled, false), last_fill_at,
                reversals
            from sums
        on conflict (account, ticker) do update
            set contracts = h.contracts + excluded.contracts, basis = h.basis + excluded.basis,
                realized = h.realized + excluded.realized, fees = h.fees + excluded.fees,
                settled = coalesce((select s.settled from sums s where s.ticker = excluded.ticker), h.settled),
                last_fill_at = greatest(h.last_fill_at, excluded.last_fill_at),
                reversals = h.reversals + excluded.reversals
        returning 1
    )
    select book.last_seq + coalesce(jsonb_array_length(p_bookings), 0),
        book.fills + count(*) filter (where kind = 'fill')
            - count(*) filter (where kind = 'reversal' and fill_id is not null)
    into book.last_seq, book.fills
    from added;

    delete from public.account_fills f
    using jsonb_to_recordset(p_done) as d (fill_id text, order_id text)
    where f.account = p_account and f.fill_id = d.fill_id and f.order_id = d.order_id;

    insert into public.account_settlements (
        account, ticker, event_ticker, result, yes_count, yes_cost, no_count, no_cost, revenue, value, fee, settled_at,
        source, held, agrees
    )
    select p_account, ticker, event_ticker, result, yes_count, yes_cost, no_count, no_cost, revenue, value, fee,
        settled_at, source, held, agrees
    from jsonb_populate_recordset(null::public.account_settlements, p_settlements)
    on conflict (account, ticker) do update
        set event_ticker = excluded.event_ticker, result = excluded.result, yes_count = excluded.yes_count,
            yes_cost = excluded.yes_cost, no_count = excluded.no_count, no_cost = excluded.no_cost,
            revenue = excluded.revenue, value = excluded.value, fee = excluded.fee, settled_at = excluded.settled_at,
            source = excluded.source, held = excluded.held, agrees = excluded.agrees;

    update public.account_books
    set version = book.version + 1, progress = p_progress, last_seq = book.last_seq, fills = book.fills,
        updated_at = now()
    where account = p_account;
    return jsonb_build_object('version', book.version + 1, 'conflicts', conflicts);
end
$$;

-- Begin again: the next reader loads everything from the exchange. Nothing known is lost. Booked fills wait among the
-- read ones until the exchange sends them again, and how markets ended stays.
create function public.account_books_reset(p_account text) returns bigint
    language plpgsql security definer
    set search_path = ''
    as $$
declare
    book public.account_books;
begin
    insert into public.account_books (account) values (p_account) on conflict (account) do nothing;
    select * into strict book from public.account_books where account = p_account for update;
    insert into public.account_fills
        (account, fill_id, order_id, ticker, book_side, count, yes_price, fee, at, is_read)
        select p_account, b.fill_id, b.order_id, b.ticker, case when b.contracts > 0 then 'bid' else 'ask' end,
            abs(b.contracts), case when b.contracts > 0 then b.price else 1 - b.price end, b.fees, b.at, false
        from public.account_bookings b
        where b.account = p_account and b.kind = 'fill'
            and not exists (
                select from public.account_bookings r where r.account = p_account and r.key = b.key || '/reversal'
            )
    on conflict (account, fill_id, order_id) do nothing;
    update public.account_fills set is_read = false where account = p_account;
    delete from public.account_bookings where account = p_account;
    delete from public.account_holdings where account = p_account;
    update public.account_settlements set held = null, agrees = true where account = p_account;
    update public.account_books
    set version = book.version + 1, progress = '{}', last_seq = 0, fills = 0, updated_at = now()
    where account = p_account;
    return book.version + 1;
end
$$;

revoke execute on function
    public.account_books_read(text),
    public.account_books_append(text, bigint, jsonb, jsonb, jsonb, jsonb, jsonb),
    public.account_books_reset(text)
    from public, anon, authenticated;
grant execute on function
    public.account_books_read(text),
    public.account_books_append(text, bigint, jsonb, jsonb, jsonb, jsonb, jsonb),
    public.account_books_reset(text)
    to service_role;
