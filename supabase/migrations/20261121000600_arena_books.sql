-- The arena's books: what never changes, who may write them, and what is still to be done.
-- The ledger is the truth. Books and positions are its running sum, kept by the same statement that appends a row,
-- so that nobody has to replay a season to take one decision. A replay must give the same: a test does it.

-- ---------------------------------------------------------------- rows that are never rewritten
create function arena_keep() returns trigger language plpgsql set search_path = '' as $$
begin
  raise exception 'rows of % are never changed or deleted', tg_table_name using errcode = '23001';
end $$;

create function arena_keep_round() returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'DELETE'
    or (new.round_id, new.slot, new.season, new.opened_at, new.closes_at, new.exchange, new.seed, new.markets)
      is distinct from
       (old.round_id, old.slot, old.season, old.opened_at, old.closes_at, old.exchange, old.seed, old.markets)
  then
    raise exception 'round % keeps its slot, its hours and its markets', old.round_id using errcode = '23001';
  end if;
  return new;
end $$;

alter table arena_rounds add column funded_at timestamptz; -- when the money for its models was set aside
create trigger arena_rounds_kept before update or delete on arena_rounds
  for each row execute function arena_keep_round();

alter table arena_decisions add column queued_at timestamptz; -- when it was last handed to the queue

do $$
declare
  name text;
begin
  foreach name in array array[
    'arena_round_markets', 'arena_attempts', 'arena_seal_roots', 'arena_results', 'arena_ledger',
    'arena_paper_decisions', 'arena_marks', 'arena_reports'
  ] loop
    execute format('create trigger %I before update or delete on public.%I for each row execute function public.arena_keep()',
      name || '_kept', name);
  end loop;
end $$;

-- A forecast is sealed at the database's time, belongs to its decision, and comes before its round closes.
create or replace function arena_seal_forecast() returns trigger language plpgsql set search_path = '' as $$
declare
  asked public.arena_rounds;
begin
  if tg_op <> 'INSERT' then
    raise exception 'forecast % is sealed and cannot be changed or deleted', old.forecast_id using errcode = '23001';
  end if;
  if not exists (
    select 1 from public.arena_decisions d where d.decision_id = new.forecast_id
      and (d.round_id, d.ticker, d.agent_id, d.track) = (new.round_id, new.ticker, new.agent_id, new.track)
  ) then
    raise exception 'forecast % answers no decision of that name', new.forecast_id using errcode = '23514';
  end if;
  select * into asked from public.arena_rounds r where r.round_id = new.round_id;
  if asked.exchange <> 'replay' then
    new.created_at := clock_timestamp();
    if asked.closes_at <= new.created_at then
      raise exception 'round % is closed: forecast % is late', new.round_id, new.forecast_id using errcode = '23514';
    end if;
  end if;
  return new;
end $$;

-- Record an attempt and, where it ended the decision, its forecast: one transaction, repeatable. What a decision
-- ended with stays; a failure told by a worker whose lease went to another one is not its end.
create or replace function arena_finish_decision(p jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  asked public.arena_decisions;
  outcome text := p ->> 'status';
  told integer := (p -> 'attempt' ->> 'attempt')::integer;
begin
  select * into asked from public.arena_decisions where decision_id = p ->> 'decision_id' for update;
  if asked.decision_id is null then
    raise exception 'no decision %', p ->> 'decision_id' using errcode = '23503';
  end if;
  if jsonb_typeof(p -> 'attempt') = 'object' then
    insert into public.arena_attempts
      select * from jsonb_populate_record(null::public.arena_attempts, p -> 'attempt')
      on conflict (decision_id, attempt) do nothing;
  end if;
  if asked.status not in ('pending', 'running') or (outcome <> 'done' and told < asked.attempt) then
    return jsonb_build_object('decision_id', asked.decision_id, 'changed', false);
  end if;
  if jsonb_typeof(p -> 'forecast') = 'object' then
    insert into public.arena_forecasts
      (forecast_id, seal, round_id, ticker, agent_id, track, p, low, high, abstain, payload, created_at)
      select f.forecast_id, f.seal, f.round_id, f.ticker, f.agent_id, f.track, f.p, f.low, f.high,
             coalesce(f.abstain, false), f.payload, coalesce(f.created_at, now())
      from jsonb_populate_record(null::public.arena_forecasts, p -> 'forecast') f;
  end if;
  update public.arena_decisions
    set status = outcome, reason = p ->> 'reason', lease_until = null,
        finished_at = case when outcome in ('done', 'failed', 'skipped') then now() end
    where decision_id = asked.decision_id;
  return jsonb_build_object('decision_id', asked.decision_id, 'changed', true);
end $$;

-- ---------------------------------------------------------------- accounts and their running sums
alter table arena_accounts add column track text not null default 'blind' check (track in ('blind', 'aware'));

create table arena_books (
  account_id text primary key references arena_accounts,
  seq bigint not null default 0,           -- of the ledger's last row
  cash numeric not null default 0,
  deposits numeric not null default 0,
  realized numeric not null default 0,     -- before fees
  fees numeric not null default 0
);
create table arena_positions (             -- open ones
  account_id text not null references arena_accounts,
  ticker text not null,
  side text not null check (side in ('yes', 'no')),
  contracts numeric not null check (contracts > 0),
  basis numeric not null,                  -- what they cost, before fees
  primary key (account_id, ticker)
);
create index on arena_positions (ticker);
create table arena_stops (                 -- days on which an account may only reduce, and why
  account_id text not null references arena_accounts,
  day date not null,
  reason text not null check (reason in ('daily_loss', 'drawdown')),
  equity numeric not null,
  reference numeric not null,              -- the day's first equity, or the highest since the last such stop
  at timestamptz not null default now(),
  primary key (account_id, day)
);
create trigger arena_stops_kept before update or delete on arena_stops
  for each row execute function arena_keep();
create table arena_quotes (                -- the last quote of each market while it was active
  ticker text primary key,
  yes_bid numeric check (yes_bid between 0 and 1),
  yes_ask numeric check (yes_ask between 0 and 1),
  at timestamptz not null
);
create index on arena_round_markets (ticker, snapshot_at desc);
drop index arena_round_markets_ticker_idx; -- the new one begins with the same column
create index on arena_results (ticker) where version > 1;

-- Make a season, its agents and their accounts exist, each account with its deposit. A new season fields an agent
-- again, with the roster's model; within a season nothing about it changes but whether it has a key. What an
-- operator paused or retired stays so.
create function arena_field(p jsonb) returns void language plpgsql security definer set search_path = '' as $$
begin
  insert into public.arena_seasons select * from jsonb_populate_record(null::public.arena_seasons, p -> 'season')
    on conflict do nothing;
  insert into public.arena_agents as known (agent_id, kind, name, model, tracks, status, season, output_mode, params)
    select a.agent_id, a.kind, a.name, a.model, a.tracks, coalesce(a.status, 'active'), p -> 'season' ->> 'season',
           coalesce(a.output_mode, 'auto'), coalesce(a.params, '{}')
    from jsonb_populate_recordset(null::public.arena_agents, p -> 'agents') a
    on conflict (agent_id) do update set
      kind = case when known.season < excluded.season then excluded.kind else known.kind end,
      name = case when known.season < excluded.season then excluded.name else known.name end,
      model = case when known.season < excluded.season then excluded.model else known.model end,
      tracks = case when known.season < excluded.season then excluded.tracks else known.tracks end,
      output_mode = case when known.season < excluded.season then excluded.output_mode else known.output_mode end,
      params = case when known.season < excluded.season then excluded.params else known.params end,
      status = case when known.status in ('paused', 'retired') or known.season > excluded.season
                    then known.status else excluded.status end,
      season = greatest(known.season, excluded.season)
    where known.season < excluded.season
       or (known.season = excluded.season and known.status in ('active', 'needs_key') and known.status <> excluded.status);
  with made as (
    insert into public.arena_accounts (account_id, season, agent_id, policy, deposit, track)
      select a.account_id, p -> 'season' ->> 'season', a.agent_id, a.policy, a.deposit, a.track
      from jsonb_populate_recordset(null::public.arena_accounts, p -> 'accounts') a
      on conflict do nothing returning account_id, deposit
  ), funded as (
    insert into public.arena_ledger (account_id, seq, key, kind, cash, at)
      select account_id, 1, 'deposit', 'deposit', deposit, now() from made
  )
  insert into public.arena_books (account_id, seq, cash, deposits) select account_id, 1, deposit, deposit from made;
end $$;

-- Change what an operator or a worker may change of an agent, and nothing else. False for an unknown one.
create function arena_set_agent(p_agent text, p_status text default null, p_output_mode text default null)
returns boolean language plpgsql security definer set search_path = '' as $$
begin
  update public.arena_agents
    set status = coalesce(p_status, status), output_mode = coalesce(p_output_mode, output_mode)
    where agent_id = p_agent;
  return found;
end $$;

-- Append rows and carry them into book and positions. The caller holds the book's lock. A row that contradicts the
-- account's state is refused, whoever computed it.
create function arena_book_rows(p_account text, p_rows jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  book public.arena_books;
  held public.arena_positions;
  r public.arena_ledger;
begin
  select * into book from public.arena_books where account_id = p_account;
  for r in select * from jsonb_populate_recordset(null::public.arena_ledger, p_rows) order by seq loop
    r.account_id := p_account;
    if r.seq <> book.seq + 1 then
      raise exception 'ledger % ends at %, row % would leave a hole', p_account, book.seq, r.seq using errcode = '23514';
    end if;
    insert into public.arena_ledger select r.*;
    -- Only the reversal of an amended result may leave a debt, as the exchange takes back what it paid.
    if book.cash + r.cash < 0 and (r.kind = 'buy' or (r.kind = 'fee' and book.cash >= 0)) then
      raise exception 'account % would be overdrawn by %', p_account, -(book.cash + r.cash) using errcode = '23514';
    end if;
    select * into held from public.arena_positions where account_id = p_account and ticker = r.ticker;
    if (r.kind = 'buy' and held.side <> r.side)
      or (r.kind in ('close', 'settle') and (held.side is distinct from r.side or held.contracts < r.contracts))
      or (r.kind = 'settle' and (held.contracts <> r.contracts or held.basis <> r.cash - r.realized))
      or (r.kind = 'reverse' and held.ticker is not null)
    then
      raise exception 'row % of % contradicts the position in %', r.seq, p_account, r.ticker using errcode = '23514';
    end if;
    if r.kind = 'buy' then
      insert into public.arena_positions as p (account_id, ticker, side, contracts, basis)
        values (p_account, r.ticker, r.side, r.contracts, -r.cash)
        on conflict (account_id, ticker) do update
          set contracts = p.contracts + excluded.contracts, basis = p.basis + excluded.basis;
    elsif r.kind = 'settle' or (r.kind = 'close' and held.contracts = r.contracts) then
      delete from public.arena_positions where account_id = p_account and ticker = r.ticker;
    elsif r.kind = 'close' then
      update public.arena_positions set contracts = contracts - r.contracts, basis = basis - (r.cash - r.realized)
        where account_id = p_account and ticker = r.ticker;
    elsif r.kind = 'reverse' then
      insert into public.arena_positions (account_id, ticker, side, contracts, basis)
        values (p_account, r.ticker, r.side, r.contracts, r.realized - r.cash);
    end if;
    book.seq := r.seq;
    book.cash := book.cash + r.cash;
    book.realized := book.realized + r.realized;
    if r.kind = 'deposit' then book.deposits := book.deposits + r.cash; end if;
    if r.kind = 'fee' then book.fees := book.fees - r.cash; end if;
  end loop;
  update public.arena_books b
    set (seq, cash, deposits, realized, fees) = (book.seq, book.cash, book.deposits, book.realized, book.fees)
    where b.account_id = p_account;
end $$;

-- Write rows that were computed from the book as it stood at `p_after`, in one transaction with the note that says
-- why (p_note, for a decision), and say what became of them:
--   written   they are in the books now
--   repeated  they, or this decision's note, were there before; nothing changed
--   moved     another writer was faster; nothing changed, read the book again
--   settled   the market has a result by now: no position is opened after the end; nothing changed
create function arena_write_books(p_account text, p_after bigint, p_rows jsonb, p_note jsonb default null) returns text
language plpgsql security definer set search_path = '' as $$
declare
  stands bigint;
begin
  select seq into stands from public.arena_books where account_id = p_account for update;
  if stands is null then raise exception 'no account %', p_account using errcode = '23503'; end if;
  if p_note is not null then
    if exists (select 1 from public.arena_paper_decisions d
               where d.decision_id = p_note ->> 'decision_id' and d.account_id = p_account) then
      return 'repeated';
    end if;
    if exists (select 1 from jsonb_array_elements(p_rows) r
               join public.arena_results o on o.ticker = r ->> 'ticker') then
      return 'settled';
    end if;
  elsif not exists (
    select 1 from jsonb_array_elements(p_rows) r
    where not exists (select 1 from public.arena_ledger l where l.account_id = p_account and l.key = r ->> 'key')
  ) then
    return 'repeated';
  end if;
  if jsonb_array_length(p_rows) > 0 then
    if stands <> p_after then return 'moved'; end if;
    perform public.arena_book_rows(p_account, p_rows);
  end if;
  if p_note is not null then
    insert into public.arena_paper_decisions
      (decision_id, account_id, action, reason, side, contracts, average_price, fee, detail)
      select n.decision_id, p_account, n.action, n.reason, n.side, n.contracts, n.average_price, n.fee,
             coalesce(n.detail, '{}')
      from jsonb_populate_record(null::public.arena_paper_decisions, p_note) n;
  end if;
  return 'written';
end $$;
drop function arena_append_ledger(text, bigint, jsonb);

-- What accounts hold, with what a limit or a mark needs to know of each market as it was last seen.
create view arena_held as
  select p.account_id, p.ticker, p.side, p.contracts, p.basis, coalesce(m.event_ticker, p.ticker) as event_ticker,
         coalesce(m.category, 'Uncategorised') as category, m.context -> 'terms' as terms,
         case when t.at > m.snapshot_at then t.yes_bid else m.yes_bid end as yes_bid,
         case when t.at > m.snapshot_at then t.yes_ask else m.yes_ask end as yes_ask
  from arena_positions p
  left join lateral (
    select * from arena_round_markets o where o.ticker = p.ticker order by o.snapshot_at desc limit 1
  ) m on true
  left join arena_quotes t on t.ticker = p.ticker;

-- Accounts with their books and what their loss limits are measured against.
create view arena_account_books as
  select a.account_id, a.season, a.agent_id, a.policy, a.track, a.deposit, b.seq, b.cash, b.deposits, b.realized, b.fees,
         case when d.until is null
              then greatest(a.deposit, (select max(m.equity) from arena_marks m where m.account_id = a.account_id))
              else (select max(m.equity) from arena_marks m where m.account_id = a.account_id and m.at >= d.until)
         end as peak, -- null on the day after a drawdown stop: what it is worth then is the new height
         (select m.equity from arena_marks m where m.account_id = a.account_id
           and m.at <= date_trunc('day', now(), 'UTC') order by m.at desc limit 1) as day_start,
         exists (select 1 from arena_stops s where s.account_id = a.account_id
                 and s.day = (now() at time zone 'UTC')::date) as stopped
  from arena_accounts a
  join arena_books b using (account_id)
  left join lateral (
    select (max(s.day) + 1)::timestamp at time zone 'UTC' as until from arena_stops s
    where s.account_id = a.account_id and s.reason = 'drawdown'
  ) d on true;

-- What scoring needs of a market in a round, without what contestants were shown.
create view arena_asked_markets as
  select m.round_id, m.ticker, m.event_ticker, m.series_ticker, m.category, m.close_time, m.q, m.yes_bid, m.yes_ask,
         m.volume_24h, 1 + coalesce(jsonb_array_length(m.context #> '{question,other_outcomes}'), 0) as outcomes,
         coalesce((m.context #>> '{terms,mutually_exclusive}')::boolean, false) as mutually_exclusive, m.snapshot_at
  from arena_round_markets m;

-- ---------------------------------------------------------------- what is still to be done
-- Positions in markets with a result, and settlements that paid an older version of it.
create view arena_due_settlements as
  select p.account_id, p.ticker, n.version, n.value, null::bigint as seq, null::text as key, null::text as side,
         null::numeric as contracts, null::numeric as price, null::numeric as cash, null::numeric as realized
  from arena_positions p
  cross join lateral (
    select version, value from arena_results r where r.ticker = p.ticker order by version desc limit 1
  ) n
  union all
  select l.account_id, l.ticker, n.version, n.value, l.seq, l.key, l.side, l.contracts, l.price, l.cash, l.realized
  from (select distinct ticker from arena_results where version > 1) amended
  cross join lateral (
    select version, value from arena_results r where r.ticker = amended.ticker order by version desc limit 1
  ) n
  join arena_ledger l on l.ticker = amended.ticker and l.kind = 'settle'
    and l.key <> 'settle/' || l.ticker || '/' || n.version
    and not exists (select 1 from arena_ledger b where b.account_id = l.account_id and b.key = 'reverse/' || l.key);

-- Forecasts whose worker was stopped before every account had decided.
create view arena_untraded as
  select distinct f.forecast_id, f.created_at
  from arena_forecasts f
  join arena_rounds r using (round_id)
  join arena_accounts a on a.season = r.season and a.agent_id = f.agent_id and a.track = f.track
  where f.created_at between now() - interval '2 days' and now() - interval '1 minute'
    and not exists (select 1 from arena_paper_decisions d
                    where d.decision_id = f.forecast_id and d.account_id = a.account_id);

-- UTC days that are over, have forecasts and no Merkle root. Ten minutes of patience for transactions under way.
create view arena_unrooted_days as
  select distinct (f.created_at at time zone 'UTC')::date as day
  from arena_forecasts f
  where f.created_at < date_trunc('day', now() - interval '10 minutes', 'UTC')
    and not exists (select 1 from arena_seal_roots s where s.day = (f.created_at at time zone 'UTC')::date);

-- Decisions to put on the queue now: never queued, queued long ago, or left behind by a worker that died. Whoever
-- calls marks them as queued; should he be stopped before he sent them, they are due again after `p_again` seconds.
-- Models wait until their round is paid for; the consensus until the others have answered, or two thirds of the
-- round are over. A decision whose worker died `p_attempts` times has failed.
create function arena_hand_out(p_again integer, p_attempts integer) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  given jsonb;
begin
  update public.arena_decisions set status = 'failed', reason = 'lease_expired', lease_until = null, finished_at = now()
    where status = 'running' and lease_until < now() and attempt >= p_attempts;
  with due as (
    select d.decision_id, md5(r.seed || d.decision_id) as turn
    from public.arena_rounds r
    join public.arena_decisions d using (round_id)
    join public.arena_agents a using (agent_id)
    where r.status = 'open' and r.closes_at > now()
      and case d.status
            when 'pending' then d.queued_at is null or d.queued_at < now() - make_interval(secs => p_again)
            when 'running' then d.lease_until < now() and coalesce(d.queued_at < d.lease_until, true)
            else false end
      and (a.kind <> 'llm' or r.funded_at is not null)
      and (a.kind <> 'consensus' or now() >= r.opened_at + (r.closes_at - r.opened_at) * 2 / 3 or not exists (
            select 1 from public.arena_decisions o join public.arena_agents b using (agent_id)
            where o.round_id = d.round_id and b.kind <> 'consensus' and o.status in ('pending', 'running')))
    for update of d skip locked
  ), marked as (
    update public.arena_decisions d set queued_at = now() from due where d.decision_id = due.decision_id
      returning d.decision_id, due.turn
  )
  select coalesce(jsonb_agg(decision_id order by turn), '[]') into given from marked;
  return given;
end $$;

-- A round is paid for, but for these agents: their decisions are skipped. Once per round.
create function arena_fund_round(p_round text, p_unfunded text[]) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.arena_rounds set funded_at = now() where round_id = p_round and funded_at is null;
  if not found then return false; end if;
  update public.arena_decisions set status = 'skipped', reason = 'budget', finished_at = now()
    where round_id = p_round and agent_id = any (p_unfunded) and status = 'pending';
  return true;
end $$;

-- Close a round whose time is over: what is not answered has failed. True where this call closed it.
create function arena_close_round(p_round text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  perform 1 from public.arena_rounds
    where round_id = p_round and status = 'open' and closes_at <= now() for update;
  if not found then return false; end if;
  update public.arena_decisions set status = 'failed', reason = 'round_closed', lease_until = null, finished_at = now()
    where round_id = p_round and status in ('pending', 'running');
  update public.arena_rounds set status = case when exists (
      select 1 from public.arena_decisions where round_id = p_round and status <> 'done'
    ) then 'partial' else 'complete' end
    where round_id = p_round;
  return true;
end $$;

-- Whether a season's board may have changed since its newest report: a round closed, or a result came in.
create function arena_report_due(p_season text, p_track text) returns boolean
language sql stable security definer set search_path = '' as $$
  select coalesce(changed.at > coalesce(known.at, '-infinity'), false)
  from (select greatest(
          (select max(closes_at) from public.arena_rounds where season = p_season and closes_at <= now()),
          (select max(o.recorded_at) from public.arena_results o where exists (
             select 1 from public.arena_round_markets m join public.arena_rounds r using (round_id)
             where m.ticker = o.ticker and r.season = p_season))) as at) changed,
       (select max(known_at) as at from public.arena_reports where season = p_season and track = p_track) known
$$;

do $$
declare
  name text;
begin
  foreach name in array array['arena_books', 'arena_positions', 'arena_stops', 'arena_quotes'] loop
    execute format('alter table public.%I enable row level security', name);
    execute format('revoke all on public.%I from anon, authenticated', name);
    execute format('grant select, insert, update, delete on public.%I to service_role', name);
  end loop;
  foreach name in array array[
    'arena_held', 'arena_account_books', 'arena_asked_markets', 'arena_due_settlements', 'arena_untraded', 'arena_unrooted_days'
  ] loop
    execute format('revoke all on public.%I from anon, authenticated', name);
    execute format('grant select on public.%I to service_role', name);
  end loop;
  foreach name in array array[
    'arena_field(jsonb)', 'arena_set_agent(text, text, text)', 'arena_book_rows(text, jsonb)',
    'arena_write_books(text, bigint, jsonb, jsonb)', 'arena_hand_out(integer, integer)',
    'arena_fund_round(text, text[])', 'arena_close_round(text)', 'arena_report_due(text, text)'
  ] loop
    execute format('revoke execute on function public.%s from public, anon, authenticated', name);
    execute format('grant execute on function public.%s to service_role', name);
  end loop;
end $$;
-- Books are written through the functions alone.
revoke insert, update, delete on arena_books, arena_positions, arena_ledger, arena_paper_decisions from service_role;
revoke execute on function arena_book_rows(text, jsonb) from service_role;
revoke execute on function arena_keep(), arena_keep_round() from public;

-- ---------------------------------------------------------------- what anyone may read
create view public_arena_stops as
  select s.account_id, a.season, a.agent_id, a.policy, s.day, s.reason, s.equity, s.reference, s.at
  from arena_stops s join arena_accounts a using (account_id);
grant select on public_arena_stops to anon, authenticated, service_role;
