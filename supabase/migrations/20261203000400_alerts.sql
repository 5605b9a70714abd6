-- Alerts: where every rule stands, what was raised, and an outbox with one row per message and service.
-- One function writes all of it in one transaction, so that no crash can separate a raised alert from its messages.
-- The owner is the label of a bot, an exchange and an account.

create table public.alert_states (
    owner text primary key check (owner <> ''),
    version bigint not null default 0,
    cursor jsonb,
    states jsonb not null default '[]' check (jsonb_typeof(states) = 'array'),
    memory jsonb not null default '{}' check (jsonb_typeof(memory) = 'object'),
    updated_at timestamptz not null default now()
);
comment on column public.alert_states.cursor is 'The last entry of the log that the rules have seen: epoch, ms, seq.';
comment on column public.alert_states.memory is 'What the rules remember besides: who leads the board, the last digest.';

create table public.alerts (
    owner text not null check (owner <> ''),
    alert_id text not null check (alert_id <> ''),
    rule text not null,
    subject text not null,
    episode bigint not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    is_event boolean not null,
    text text not null check (char_length(text) between 1 and 4000),
    raised_at timestamptz not null,
    cleared_at timestamptz,
    acknowledged_at timestamptz,
    primary key (owner, alert_id),
    check (alert_id = rule || ':' || subject || ':' || episode::text)
);
create index alerts_newest on public.alerts (owner, raised_at desc, alert_id desc);

create table public.alert_deliveries (
    number bigint generated always as identity,
    owner text not null,
    alert_id text not null,
    phase text not null,
    service text not null,
    at timestamptz not null,
    status text not null default 'waiting' check (status in ('waiting', 'sent', 'undelivered', 'muted', 'untold')),
    attempts integer not null default 0 check (attempts >= 0),
    created_at timestamptz not null,
    due_at timestamptz not null,
    sent_at timestamptz,
    problem text check (char_length(problem) <= 300),
    primary key (owner, alert_id, phase, service),
    foreign key (owner, alert_id) references public.alerts (owner, alert_id) on delete cascade
);
comment on column public.alert_deliveries.status is
    'muted: the rule was muted. untold: the end of an alert whose beginning never arrived.';
create index alert_deliveries_waiting on public.alert_deliveries (owner, due_at) where status = 'waiting';
create index alert_deliveries_sent on public.alert_deliveries (owner, sent_at) where status = 'sent';

create table public.alert_mutes (
    owner text not null check (owner <> ''),
    rule text not null check (rule <> ''),
    until timestamptz not null check (until <= created_at + interval '7 days'),
    created_at timestamptz not null default now(),
    primary key (owner, rule)
);
comment on column public.alert_mutes.rule is 'A rule, or * for all.';

alter table public.alert_states enable row level security;
alter table public.alerts enable row level security;
alter table public.alert_deliveries enable row level security;
alter table public.alert_mutes enable row level security;
revoke all on public.alert_states, public.alerts, public.alert_deliveries, public.alert_mutes
    from public, anon, authenticated;
grant select, insert, update, delete
    on public.alert_states, public.alerts, public.alert_deliveries, public.alert_mutes to service_role;

-- Store one look: the states, the cursor, the alerts that began or ended, and a row of the outbox for each message.
-- Refused with 409 where another run has stored a look since `p_version`.
-- p_changes: [{alert_id, rule, subject, episode, severity, change, phase, text, at, services: [{service, due_at}]}]
create function public.alerts_commit(
    p_owner text, p_version bigint, p_cursor jsonb, p_states jsonb, p_memory jsonb, p_changes jsonb, p_now timestamptz
)
    returns bigint
    language plpgsql security definer
    set search_path = ''
    as $$
declare
    known public.alert_states;
    c jsonb;
begin
    insert into public.alert_states (owner) values (p_owner) on conflict (owner) do nothing;
    select * into strict known from public.alert_states where owner = p_owner for update;
    if known.version is distinct from p_version then
        raise exception 'the alerts of % stand at version %, the writer read %', p_owner, known.version, p_version
            using errcode = 'PT409', hint = 'Read alerts_read and look again.';
    end if;
    for c in select value from jsonb_array_elements(p_changes) with ordinality order by ordinality loop
        if c ->> 'change' in ('raised', 'noted') then
            insert into public.alerts (owner, alert_id, rule, subject, episode, severity, is_event, text, raised_at)
            values (
                p_owner, c ->> 'alert_id', c ->> 'rule', c ->> 'subject', (c ->> 'episode')::bigint,
                c ->> 'severity', c ->> 'change' = 'noted', c ->> 'text', (c ->> 'at')::timestamptz
            )
            on conflict (owner, alert_id) do nothing;
            continue when not found; -- told before, perhaps in an earlier epoch of the log
        elsif c ->> 'change' = 'cleared' then
            update public.alerts set cleared_at = (c ->> 'at')::timestamptz
            where owner = p_owner and alert_id = c ->> 'alert_id' and cleared_at is null;
        end if;
        insert into public.alert_deliveries (owner, alert_id, phase, service, at, status, created_at, due_at)
        select p_owner, c ->> 'alert_id', c ->> 'phase', s ->> 'service', (c ->> 'at')::timestamptz,
            case when s ->> 'service' <> 'log' and exists (
                select from public.alert_mutes m
                where m.owner = p_owner and m.rule in ('*', c ->> 'rule') and m.until > p_now
            ) then 'muted' else 'waiting' end,
            p_now, (s ->> 'due_at')::timestamptz
        from jsonb_array_elements(c -> 'services') as s
        where c ->> 'change' in ('raised', 'noted') or exists (
            select from public.alert_deliveries r
            where r.owner = p_owner and r.alert_id = c ->> 'alert_id' and r.service = s ->> 'service'
                and r.phase = 'raised' and r.status in ('waiting', 'sent')
        )
        on conflict do nothing;
    end loop;
    delete from public.alerts
    where owner = p_owner and raised_at < p_now - interval '180 days' and (is_event or cleared_at is not null);
    update public.alert_states
    set version = known.version + 1, cursor = p_cursor, states = p_states, memory = p_memory, updated_at = now()
    where owner = p_owner;
    return known.version + 1;
end
$$;

-- Take rows of the outbox for one attempt: it is counted, and the next one is planned, before anything is sent.
-- p_rows: [{alert_id, phase, service, attempts, due_at}]; returns the keys of the rows that nobody else has taken.
create function public.alerts_claim(p_owner text, p_rows jsonb) returns jsonb
    language sql security definer
    set search_path = ''
    as $$
    with taken as (
        update public.alert_deliveries d
        set attempts = d.attempts + 1, due_at = (r ->> 'due_at')::timestamptz
        from jsonb_array_elements(p_rows) as r
        where d.owner = p_owner and d.alert_id = r ->> 'alert_id' and d.phase = r ->> 'phase'
            and d.service = r ->> 'service' and d.status = 'waiting' and d.attempts = (r ->> 'attempts')::integer
        returning d.alert_id, d.phase, d.service
    )
    select coalesce(jsonb_agg(jsonb_build_array(alert_id, phase, service)), '[]') from taken
    $$;

-- Store what became of attempts. p_rows: [{alert_id, phase, service, status, at, problem, due_at, untried}]
-- An untried row gets its attempt back. Where a beginning stays undelivered, its end is not told either.
create function public.alerts_mark(p_owner text, p_rows jsonb) returns integer
    language plpgsql security definer
    set search_path = ''
    as $$
declare
    marked integer;
begin
    update public.alert_deliveries d
    set status = r ->> 'status',
        sent_at = case when r ->> 'status' = 'sent' then (r ->> 'at')::timestamptz end,
        problem = left(r ->> 'problem', 300),
        due_at = coalesce((r ->> 'due_at')::timestamptz, d.due_at),
        attempts = greatest(d.attempts - coalesce((r ->> 'untried')::boolean, false)::integer, 0)
    from jsonb_array_elements(p_rows) as r
    where d.owner = p_owner and d.alert_id = r ->> 'alert_id' and d.phase = r ->> 'phase'
        and d.service = r ->> 'service' and d.status = 'waiting';
    get diagnostics marked = row_count;
    update public.alert_deliveries d set status = 'untold'
    from public.alert_deliveries r
    where d.owner = p_owner and d.status = 'waiting' and d.phase not in ('raised', 'noted')
        and r.owner = p_owner and r.alert_id = d.alert_id and r.service = d.service and r.phase = 'raised'
        and r.status in ('undelivered', 'muted');
    return marked;
end
$$;

create function private.alerts_deep(
    p_books text, p_account text, p_bot text, p_exchange text, p_fill_minutes numeric, p_now timestamptz
)
    returns jsonb
    language sql stable security definer
    set search_path = ''
    as $$
    with span as (
        select p_now - interval '1 day' as since, p_now - make_interval(secs => 60 * p_fill_minutes::double precision) as until
    ), fills as (
        select fill_id, order_id, at from public.account_bookings b, span s
        where account = p_books and kind = 'fill' and at >= s.since - interval '1 day' and at <= p_now
            and not exists (
                select from public.account_bookings r where r.account = b.account and r.reverses = b.key
            )
    ), reported as (
        select trade_id, order_id, source, recorded_at from public.trades t, span s
        where account = p_account and bot = p_bot and corrected_by is null
            and executed_at >= s.since - interval '1 day'
    ), rounds as (
        select round_id from public.arena_rounds
        where exchange = p_exchange and status <> 'open' and markets > 0 order by slot desc limit 1
    )
    select jsonb_build_object(
        'peak', (
            select jsonb_build_object('equity', equity::text, 'taken_at', extract(epoch from taken_at))
            from public.balance_snapshots
            where account = p_account and taken_at > p_now - interval '30 days' and taken_at <= p_now
            order by equity desc, taken_at limit 1
        ),
        'fills', jsonb_build_object(
            'matched', (
                select count(*) from reported t
                where t.source = 'bot_live' and exists (
                    select from fills f where f.fill_id = t.trade_id or f.order_id = t.order_id
                )
            ),
            'unconfirmed', (
                select count(*) from reported t, span s
                where t.source = 'bot_live' and t.recorded_at between s.since and s.until and not exists (
                    select from fills f where f.fill_id = t.trade_id or f.order_id = t.order_id
                )
            ),
            'unreported', (
                select count(*) from fills f, span s
                where f.at between s.since and s.until and not exists (
                    select from reported t where t.trade_id = f.fill_id or t.order_id = f.order_id
                )
            )
        ),
        'budget', (
            select jsonb_build_object('day', day, 'spent', spent_usd::text, 'cap', cap_usd::text)
            from public.arena_budget
            where scope = 'global' and day = (p_now at time zone 'UTC')::date and cap_usd > 0
        ),
        'models', (
            select coalesce(jsonb_agg(jsonb_build_object(
                'agent_id', agent_id, 'round_id', round_id, 'done', done, 'failed', failed
            ) order by agent_id), '[]') from (
                select d.agent_id, d.round_id, count(*) filter (where d.status = 'done') as done,
                    count(*) filter (where d.status in ('failed', 'pending', 'running')) as failed
                from public.arena_decisions d join rounds using (round_id) join public.arena_agents a using (agent_id)
                where a.kind = 'llm' group by d.agent_id, d.round_id
            ) m
        )
    )
    $$;

-- Everything that one look needs from the database, in one call.
-- p_books is the account's label, p_account and p_bot are the labels of the history's rows.
-- p_deep adds what is looked at less often. Null where there is nothing.
create function public.alerts_read(
    p_owner text, p_books text, p_account text, p_bot text, p_exchange text, p_deep boolean, p_fill_minutes numeric,
    p_now timestamptz
)
    returns jsonb
    language sql stable security definer
    set search_path = ''
    as $$
    with waiting as (
        select d.*, a.severity, a.text, coalesce(r.status, 'sent') as raised
        from public.alert_deliveries d
        join public.alerts a using (owner, alert_id)
        left join public.alert_deliveries r on r.owner = d.owner and r.alert_id = d.alert_id and r.service = d.service
            and r.phase = 'raised' and d.phase not in ('raised', 'noted')
        where d.owner = p_owner and d.status = 'waiting' and d.due_at <= p_now
        order by d.number limit 500
    )
    select jsonb_build_object(
        'version', coalesce((select version from public.alert_states where owner = p_owner), 0),
        'cursor', (select cursor from public.alert_states where owner = p_owner),
        'states', coalesce((select states from public.alert_states where owner = p_owner), '[]'),
        'memory', coalesce((select memory from public.alert_states where owner = p_owner), '{}'),
        'acknowledged', (
            select coalesce(jsonb_agg(alert_id), '[]') from public.alerts
            where owner = p_owner and acknowledged_at is not null and cleared_at is null and not is_event
        ),
        'waiting', (
            select coalesce(jsonb_agg(jsonb_build_object(
                'alert_id', alert_id, 'phase', phase, 'service', service, 'severity', severity, 'text', text,
                'at', extract(epoch from at), 'attempts', attempts, 'created_at', extract(epoch from created_at),
                'due_at', extract(epoch from due_at), 'order', number, 'raised', raised
            ) order by number), '[]') from waiting
        ),
        'sent_lately', (
            select coalesce(jsonb_object_agg(service, messages), '{}') from (
                select service, count(distinct sent_at) as messages from public.alert_deliveries
                where owner = p_owner and status = 'sent' and sent_at > p_now - interval '10 minutes'
                group by service
            ) s
        ),
        'last_trade_at', (
            select extract(epoch from executed_at) from public.trades
            where account = p_account and bot = p_bot and corrected_by is null
            order by executed_at desc, event_id desc limit 1
        ),
        'books', (
            select jsonb_build_object(
                'updated_at', extract(epoch from updated_at), 'loading', progress ->> 'walk' is not null,
                'open', (
                    select coalesce(jsonb_agg(jsonb_build_object(
                        'ticker', h.ticker, 'contracts', h.contracts::text, 'basis', h.basis::text,
                        'event_ticker', (
                            select b.event_ticker from public.account_bookings b
                            where b.account = p_books and b.ticker = h.ticker and b.event_ticker is not null
                            order by b.seq desc limit 1
                        )
                    ) order by h.ticker), '[]')
                    from public.account_holdings h where h.account = p_books and h.contracts <> 0
                )
            ) from public.account_books where account = p_books
        ),
        'equity', (
            select jsonb_build_object('equity', equity::text, 'taken_at', extract(epoch from taken_at))
            from public.balance_snapshots where account = p_account and taken_at <= p_now
            order by taken_at desc limit 1
        ),
        'day_first', (
            select jsonb_build_object('equity', equity::text, 'taken_at', extract(epoch from taken_at))
            from public.balance_snapshots
            where account = p_account and taken_at >= date_trunc('day', p_now at time zone 'UTC') at time zone 'UTC'
                and taken_at <= p_now
            order by taken_at limit 1
        ),
        'deep', case when p_deep then private.alerts_deep(p_books, p_account, p_bot, p_exchange, p_fill_minutes, p_now) end
    )
    $$;

-- What a daily digest tells of the 24 hours before p_now.
create function public.alerts_digest(
    p_books text, p_account text, p_bot text, p_exchange text, p_now timestamptz
)
    returns jsonb
    language sql stable security definer
    set search_path = ''
    as $$
    with span as (select p_now - interval '1 day' as since)
    select jsonb_build_object(
        'equity', (
            select equity::text from public.balance_snapshots
            where account = p_account and taken_at <= p_now order by taken_at desc limit 1
        ),
        'equity_before', (
            select equity::text from public.balance_snapshots, span
            where account = p_account and taken_at >= since and taken_at <= p_now order by taken_at limit 1
        ),
        'realized', (
            select coalesce(sum(realized), 0)::text from public.account_bookings, span
            where account = p_books and at >= since and at <= p_now
        ),
        'fees', (
            select coalesce(sum(fees), 0)::text from public.account_bookings, span
            where account = p_books and at >= since and at <= p_now
        ),
        'trades', (
            select count(*) from public.trades, span
            where account = p_account and bot = p_bot and corrected_by is null and executed_at >= since
                and executed_at <= p_now
        ),
        'lost', (
            select coalesce(sum(greatest(0, coalesce((data ->> 'lost')::numeric, (data ->> 'at_least')::numeric, 0)
                - coalesce((data ->> 'backfilled')::numeric, 0))), 0)
            from public.feed_events, span
            where account = p_account and bot = p_bot and kind = 'source_gap' and published_at >= since
                and published_at <= p_now
        ),
        'model_cost', (
            select coalesce(sum(cost_usd), 0)::text from public.arena_attempts, span
            where started_at >= since and started_at <= p_now
        ),
        'rounds', (
            select count(*) from public.arena_rounds, span
            where exchange = p_exchange and opened_at >= since and opened_at <= p_now
        )
    )
    $$;

create function public.alerts_acknowledge(p_owner text, p_id text) returns jsonb
    language sql security definer
    set search_path = ''
    as $$
    update public.alerts set acknowledged_at = coalesce(acknowledged_at, clock_timestamp())
    where owner = p_owner and alert_id = p_id
    returning jsonb_build_object('id', alert_id, 'acknowledged_at', acknowledged_at)
    $$;

create function public.alerts_mute(p_owner text, p_rule text, p_seconds integer) returns jsonb
    language sql security definer
    set search_path = ''
    as $$
    insert into public.alert_mutes as m (owner, rule, until, created_at)
    values (p_owner, p_rule, now() + make_interval(secs => p_seconds), now())
    on conflict (owner, rule) do update set until = excluded.until, created_at = excluded.created_at
    returning jsonb_build_object('rule', rule, 'until', until)
    $$;

do $$
declare
    signature text;
begin
    foreach signature in array array[
        'public.alerts_commit(text, bigint, jsonb, jsonb, jsonb, jsonb, timestamptz)',
        'public.alerts_claim(text, jsonb)', 'public.alerts_mark(text, jsonb)',
        'public.alerts_read(text, text, text, text, text, boolean, numeric, timestamptz)',
        'public.alerts_digest(text, text, text, text, timestamptz)',
        'public.alerts_acknowledge(text, text)', 'public.alerts_mute(text, text, integer)'
    ] loop
        execute format('revoke execute on function %s from public, anon, authenticated', signature);
        execute format('grant execute on function %s to service_role', signature);
    end loop;
end $$;
revoke execute on function private.alerts_deep(text, text, text, text, numeric, timestamptz)
    from public, anon, authenticated;
