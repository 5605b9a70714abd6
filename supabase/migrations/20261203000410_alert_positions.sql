-- As before, and when a position was last traded: who trades in the hours before a market closes knows that it closes.
--
-- Everything that one look needs from the database, in one call.
-- p_books is the account's label, p_account and p_bot are the labels of the history's rows.
-- p_deep adds what is looked at less often. Null where there is nothing.
create or replace function public.alerts_read(
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
                        'last_fill_at', extract(epoch from h.last_fill_at),
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
