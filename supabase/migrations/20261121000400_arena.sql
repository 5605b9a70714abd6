-- The arena: who plays, what was asked, what was answered, and what it earned.
-- Rows tell what happened and are never rewritten: forecasts are sealed, ledgers only grow, results have versions.
-- Functions run as their owner and are executable by service_role alone; the public reads the views at the end.

create table arena_seasons (
  season text primary key check (season ~ '^\d{4}Q[1-4]$'),
  starts_at timestamptz not null,
  ends_at timestamptz not null check (ends_at > starts_at)
);

create table arena_agents (
  agent_id text primary key check (agent_id ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
  kind text not null check (kind in ('llm', 'statistical', 'consensus')),
  name text not null,
  model text,                              -- OpenRouter's provider/model; null for contestants that need no model
  tracks text[] not null default array['blind'],
  status text not null default 'active' check (status in ('active', 'needs_key', 'paused', 'retired')),
  season text not null references arena_seasons,
  output_mode text not null default 'auto' check (output_mode in ('auto', 'tool', 'native', 'prompted')),
  params jsonb not null default '{}',
  created_at timestamptz not null default now(),
  check ((kind = 'llm') = (model is not null))
);

create table arena_rounds (
  round_id text primary key,
  slot timestamptz not null unique,        -- a schedule that fires twice opens one round
  season text not null references arena_seasons,
  opened_at timestamptz not null,
  closes_at timestamptz not null check (closes_at > opened_at),
  status text not null default 'open' check (status in ('open', 'closed', 'complete', 'partial')),
  exchange text not null check (exchange in ('sandbox', 'kalshi', 'replay')),
  seed bigint not null,
  markets integer not null check (markets >= 0)
);

create table arena_round_markets (
  round_id text not null references arena_rounds,
  ticker text not null,
  event_ticker text not null,
  series_ticker text not null,
  category text not null,
  title text not null,
  close_time timestamptz not null,
  context jsonb not null,                  -- what every contestant is shown
  context_hash text not null check (context_hash ~ '^[0-9a-f]{64}$'),
  book jsonb not null,                     -- the frozen depth that paper trades walk
  yes_bid numeric,
  yes_ask numeric,
  q numeric check (q between 0 and 1),     -- the market's probability; null where it had no usable quote
  volume_24h numeric not null default 0,
  snapshot_at timestamptz not null,
  primary key (round_id, ticker)
);
create index on arena_round_markets (ticker);

create table arena_decisions (
  decision_id text primary key,            -- <round>/<ticker>/<agent>/<track>
  round_id text not null,
  ticker text not null,
  agent_id text not null references arena_agents,
  track text not null check (track in ('blind', 'aware')),
  status text not null default 'pending' check (status in ('pending', 'running', 'done', 'failed', 'skipped')),
  attempt integer not null default 0,
  lease_until timestamptz,
  reason text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  foreign key (round_id, ticker) references arena_round_markets,
  unique (round_id, ticker, agent_id, track)
);
create index on arena_decisions (status, lease_until);
create index on arena_decisions (agent_id, round_id);

create table arena_attempts (
  decision_id text not null references arena_decisions,
  attempt integer not null,
  started_at timestamptz not null,
  latency_ms integer not null,
  model_requested text,
  model_served text,
  host text,
  output_mode text,
  prompt text,
  context_hash text,
  raw_reply text,
  input_tokens integer,
  output_tokens integer,
  cost_usd numeric,                        -- null is unknown, not free
  cost_source text check (cost_source in ('billed', 'estimated', 'bound')),
  error_class text,
  error_detail text,
  primary key (decision_id, attempt)
);

create table arena_forecasts (
  forecast_id text primary key references arena_decisions (decision_id),
  seal text not null unique check (seal ~ '^[0-9a-f]{64}$'),
  round_id text not null references arena_rounds,
  ticker text not null,
  agent_id text not null references arena_agents,
  track text not null,
  p numeric check (p between 0 and 1),     -- null where the contestant abstained
  low numeric check (low between 0 and 1),
  high numeric check (high between 0 and 1),
  abstain boolean not null default false,
  payload jsonb not null,                  -- all that the seal covers
  created_at timestamptz not null default now(),
  check (abstain = (p is null)),
  foreign key (round_id, ticker) references arena_round_markets
);
create index on arena_forecasts (agent_id, created_at);
create index on arena_forecasts (ticker, created_at);

create function arena_seal_forecast() returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op <> 'INSERT' then
    raise exception 'forecast % is sealed and cannot be changed or deleted', old.forecast_id
      using errcode = '23001';
  end if;
  if (select r.closes_at <= now() and r.exchange <> 'replay' from public.arena_rounds r where r.round_id = new.round_id) then
    raise exception 'round % is closed: forecast % is late', new.round_id, new.forecast_id using errcode = '23514';
  end if;
  return new;
end $$;
create trigger arena_forecasts_sealed before insert or update or delete on arena_forecasts
  for each row execute function arena_seal_forecast();

create table arena_seal_roots (
  day date primary key,
  root text not null check (root ~ '^[0-9a-f]{64}$'),
  leaves integer not null check (leaves > 0),
  created_at timestamptz not null default now()
);

create table arena_budget (
  day date not null,
  scope text not null,
  cap_usd numeric not null check (cap_usd >= 0),
  reserved_usd numeric not null default 0 check (reserved_usd >= 0),
  spent_usd numeric not null default 0 check (spent_usd >= 0),
  primary key (day, scope)
);

create table arena_results (
  ticker text not null,
  version integer not null check (version > 0),
  status text not null,
  result text not null check (result in ('yes', 'no', 'scalar', 'void')),
  value numeric not null check (value between 0 and 1), -- dollars per YES contract
  decided_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (ticker, version)
);

create table arena_accounts (
  account_id text primary key,             -- <season>/<agent>/<policy>
  season text not null references arena_seasons,
  agent_id text not null references arena_agents,
  policy text not null check (policy in ('flat', 'quarter_kelly', 'self_sized')),
  deposit numeric not null check (deposit > 0),
  created_at timestamptz not null default now(),
  unique (season, agent_id, policy)
);

create table arena_ledger (
  account_id text not null references arena_accounts,
  seq bigint not null check (seq > 0),     -- contiguous per account
  key text not null,                       -- the happening; a second writing is a repetition
  kind text not null check (kind in ('deposit', 'buy', 'close', 'fee', 'settle', 'reverse')),
  ticker text,
  side text check (side in ('yes', 'no')),
  contracts numeric,
  price numeric,
  cash numeric not null,                   -- signed change of cash
  realized numeric not null default 0,
  round_id text,
  at timestamptz not null,
  primary key (account_id, seq),
  unique (account_id, key)
);
create index on arena_ledger (ticker);

create table arena_paper_decisions (
  decision_id text not null references arena_decisions,
  account_id text not null references arena_accounts,
  action text not null check (action in ('trade', 'none')),
  reason text not null,
  side text check (side in ('yes', 'no')),
  contracts numeric,
  average_price numeric,
  fee numeric,
  detail jsonb not null default '{}',
  at timestamptz not null default now(),
  primary key (decision_id, account_id)
);

create table arena_reports (
  digest text primary key check (digest ~ '^[0-9a-f]{64}$'),
  season text not null references arena_seasons,
  track text not null,
  as_of timestamptz not null,              -- results decided until then
  known_at timestamptz not null,           -- rows recorded until then
  engine_version text not null,
  rules_version text not null,
  input_hash text not null,
  report jsonb not null,
  created_at timestamptz not null default now()
);
create index on arena_reports (season, track, as_of desc);

-- Open a round with its markets, decisions and budget in one transaction. The slot is unique: the second call
-- returns what the first one made.
create function arena_open_round(p jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  made text;
begin
  insert into public.arena_rounds
    select * from jsonb_populate_record(null::public.arena_rounds, p -> 'round')
    on conflict (slot) do nothing returning round_id into made;
  if made is null then
    return jsonb_build_object('opened', false, 'round_id',
      (select round_id from public.arena_rounds where slot = (p -> 'round' ->> 'slot')::timestamptz));
  end if;
  insert into public.arena_round_markets
    select * from jsonb_populate_recordset(null::public.arena_round_markets, p -> 'markets');
  insert into public.arena_decisions (decision_id, round_id, ticker, agent_id, track, status, reason)
    select d.decision_id, d.round_id, d.ticker, d.agent_id, d.track, coalesce(d.status, 'pending'), d.reason
    from jsonb_populate_recordset(null::public.arena_decisions, p -> 'decisions') d;
  return jsonb_build_object('opened', true, 'round_id', made);
end $$;

-- Take a decision for `seconds`: the row, or null where it is finished, leased by another, or its round is over.
create function arena_lease_decision(p_decision text, p_seconds integer) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  taken public.arena_decisions;
begin
  update public.arena_decisions d
    set status = 'running', attempt = d.attempt + 1, lease_until = now() + make_interval(secs => p_seconds)
    where d.decision_id = p_decision
      and (d.status = 'pending' or (d.status = 'running' and d.lease_until < now()))
      and exists (select 1 from public.arena_rounds r where r.round_id = d.round_id
                  and (r.closes_at > now() or r.exchange = 'replay'))
    returning * into taken;
  if taken.decision_id is null then return null; end if;
  return to_jsonb(taken);
end $$;

-- Record an attempt and, where it ended the decision, its forecast: one transaction, repeatable.
create function arena_finish_decision(p jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  decision text := p ->> 'decision_id';
  outcome text := p ->> 'status';
begin
  if p ? 'attempt' and jsonb_typeof(p -> 'attempt') = 'object' then
    insert into public.arena_attempts
      select * from jsonb_populate_record(null::public.arena_attempts, p -> 'attempt')
      on conflict (decision_id, attempt) do nothing;
  end if;
  if p ? 'forecast' and jsonb_typeof(p -> 'forecast') = 'object' then
    insert into public.arena_forecasts (forecast_id, seal, round_id, ticker, agent_id, track, p, low, high, abstain, payload)
      select f.forecast_id, f.seal, f.round_id, f.ticker, f.agent_id, f.track, f.p, f.low, f.high,
             coalesce(f.abstain, false), f.payload
      from jsonb_populate_record(null::public.arena_forecasts, p -> 'forecast') f
      where not exists (select 1 from public.arena_forecasts o where o.forecast_id = f.forecast_id);
  end if;
  update public.arena_decisions
    set status = outcome, reason = p ->> 'reason', lease_until = null,
        finished_at = case when outcome in ('done', 'failed', 'skipped') then now() end
    where decision_id = decision and status in ('pending', 'running');
  return jsonb_build_object('decision_id', decision, 'changed', found);
end $$;

-- Reserve money of a day before it is spent: true where the cap allows it. The row is made at the day's first call.
create function arena_reserve(p_day date, p_scope text, p_amount numeric, p_cap numeric) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  if p_amount < 0 then raise exception 'amount % is negative', p_amount using errcode = '22023'; end if;
  insert into public.arena_budget (day, scope, cap_usd) values (p_day, p_scope, p_cap) on conflict do nothing;
  update public.arena_budget set cap_usd = p_cap, reserved_usd = reserved_usd + p_amount
    where day = p_day and scope = p_scope and spent_usd + reserved_usd + p_amount <= p_cap;
  return found;
end $$;

-- Turn a reservation into what was really spent (an unknown bill counts in full).
create function arena_settle(p_day date, p_scope text, p_reserved numeric, p_spent numeric) returns void
language sql security definer set search_path = '' as $$
  update public.arena_budget
    set reserved_usd = greatest(0, reserved_usd - p_reserved), spent_usd = spent_usd + p_spent
    where day = p_day and scope = p_scope
$$;

-- Append rows to a ledger if it still ends where the caller read it (compare-and-set). Keys already written are
-- repetitions and leave no second row. Returns the last seq.
create function arena_append_ledger(p_account text, p_after bigint, p_rows jsonb) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  last bigint;
  funds numeric;
begin
  perform 1 from public.arena_accounts where account_id = p_account for update;
  if not found then raise exception 'no account %', p_account using errcode = '23503'; end if;
  select coalesce(max(seq), 0) into last from public.arena_ledger where account_id = p_account;
  if not exists (
    select 1 from jsonb_array_elements(p_rows) r
    where not exists (select 1 from public.arena_ledger l where l.account_id = p_account and l.key = r ->> 'key')
  ) then
    return last;
  end if;
  if last <> p_after then
    raise exception 'ledger % ends at %, not at %', p_account, last, p_after using errcode = '40001';
  end if;
  insert into public.arena_ledger
    select * from jsonb_populate_recordset(null::public.arena_ledger, p_rows);
  select sum(cash), max(seq) into funds, last from public.arena_ledger where account_id = p_account;
  if funds < 0 then raise exception 'account % would be overdrawn by %', p_account, -funds using errcode = '23514'; end if;
  if (select count(*) from public.arena_ledger where account_id = p_account) <> last then
    raise exception 'ledger % would have holes', p_account using errcode = '23514';
  end if;
  return last;
end $$;

-- Record a market's result; a repetition of the newest version changes nothing. Returns the version.
create function arena_record_result(p_ticker text, p_status text, p_result text, p_value numeric, p_decided timestamptz)
returns integer language plpgsql security definer set search_path = '' as $$
declare
  newest public.arena_results;
begin
  perform pg_advisory_xact_lock(hashtextextended('arena_result:' || p_ticker, 0));
  select * into newest from public.arena_results where ticker = p_ticker order by version desc limit 1;
  if newest.ticker is not null and newest.result = p_result and newest.value = p_value then return newest.version; end if;
  insert into public.arena_results (ticker, version, status, result, value, decided_at)
    values (p_ticker, coalesce(newest.version, 0) + 1, p_status, p_result, p_value, p_decided);
  return coalesce(newest.version, 0) + 1;
end $$;

do $$
declare
  name text;
begin
  foreach name in array array[
    'arena_seasons', 'arena_agents', 'arena_rounds', 'arena_round_markets', 'arena_decisions', 'arena_attempts',
    'arena_forecasts', 'arena_seal_roots', 'arena_budget', 'arena_results', 'arena_accounts', 'arena_ledger',
    'arena_paper_decisions', 'arena_reports'
  ] loop
    execute format('alter table public.%I enable row level security', name);
    execute format('revoke all on public.%I from anon, authenticated', name);
    execute format('grant select, insert, update, delete on public.%I to service_role', name);
  end loop;
end $$;

revoke execute on function arena_seal_forecast() from public;
revoke execute on function arena_open_round(jsonb) from public, anon, authenticated;
revoke execute on function arena_lease_decision(text, integer) from public, anon, authenticated;
revoke execute on function arena_finish_decision(jsonb) from public, anon, authenticated;
revoke execute on function arena_reserve(date, text, numeric, numeric) from public, anon, authenticated;
revoke execute on function arena_settle(date, text, numeric, numeric) from public, anon, authenticated;
revoke execute on function arena_append_ledger(text, bigint, jsonb) from public, anon, authenticated;
revoke execute on function arena_record_result(text, text, text, numeric, timestamptz) from public, anon, authenticated;
grant execute on function arena_open_round(jsonb) to service_role;
grant execute on function arena_lease_decision(text, integer) to service_role;
grant execute on function arena_finish_decision(jsonb) to service_role;
grant execute on function arena_reserve(date, text, numeric, numeric) to service_role;
grant execute on function arena_settle(date, text, numeric, numeric) to service_role;
grant execute on function arena_append_ledger(text, bigint, jsonb) to service_role;
grant execute on function arena_record_result(text, text, text, numeric, timestamptz) to service_role;

-- What anyone may read: seals at once, contents once the round is closed. Definer views over ungranted tables.
create view public_arena_agents as
  select agent_id, kind, name, model, tracks, status, season, created_at from arena_agents;
create view public_arena_rounds as
  select round_id, slot, season, opened_at, closes_at, status, exchange, markets from arena_rounds;
create view public_arena_forecasts as
  select f.forecast_id, f.seal, f.round_id, f.ticker, f.agent_id, f.track, f.created_at,
         r.closes_at <= now() as opened,
         case when r.closes_at <= now() then f.p end as p,
         case when r.closes_at <= now() then f.low end as low,
         case when r.closes_at <= now() then f.high end as high,
         case when r.closes_at <= now() then f.abstain end as abstain,
         case when r.closes_at <= now() then f.payload end as payload
  from arena_forecasts f join arena_rounds r using (round_id);
create view public_arena_seal_roots as select day, root, leaves, created_at from arena_seal_roots;
create view public_arena_results as select ticker, version, status, result, value, decided_at, recorded_at from arena_results;
create view public_arena_ledger as
  select l.account_id, a.season, a.agent_id, a.policy, l.seq, l.kind, l.ticker, l.side, l.contracts, l.price, l.cash,
         l.realized, l.round_id, l.at
  from arena_ledger l join arena_accounts a using (account_id);
create view public_arena_reports as
  select digest, season, track, as_of, known_at, engine_version, rules_version, input_hash, report, created_at
  from arena_reports;
grant select on public_arena_agents, public_arena_rounds, public_arena_forecasts, public_arena_seal_roots,
  public_arena_results, public_arena_ledger, public_arena_reports to anon, authenticated, service_role;
