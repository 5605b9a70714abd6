-- Seals that nobody can guess, and money for models that is accounted for decision by decision.

-- A probability has two digits: without a nonce, trying them all would find the one behind a public seal. Rows of
-- before have none and stay as they are.
alter table arena_forecasts add constraint arena_forecasts_nonce
  check (coalesce(payload ->> 'nonce', '') ~ '^[0-9a-f]{32,128}$') not valid;
-- What is sealed is what stands beside it.
alter table arena_forecasts add constraint arena_forecasts_payload check (
  (payload ->> 'round_id', payload ->> 'ticker', payload ->> 'agent_id', payload ->> 'track')
    is not distinct from (round_id, ticker, agent_id, track)
  and (payload ->> 'probability')::numeric is not distinct from p) not valid;


-- As before; lateness has a word of its own (55000), so that nothing else that is refused is taken for it.
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
      raise exception 'round % is closed: forecast % is late', new.round_id, new.forecast_id using errcode = '55000';
    end if;
  end if;
  return new;
end $$;

-- ---------------------------------------------------------------- money
-- Each decision knows what is set aside for it. That ends in one of three ways: an attempt is written down and
-- counts what it cost; a worker is not heard of again and all of it counts, since the model may have been asked and
-- paid for; or nobody will ask any more and it is given back.
-- Rows are locked in one order: round, decisions, budget.
alter table arena_decisions
  add column reserved_usd numeric not null default 0 check (reserved_usd >= 0),
  add column settled_attempt integer not null default 0;  -- the last attempt whose money is accounted for
create index arena_decisions_reserved on arena_decisions (lease_until) where reserved_usd > 0;
alter table arena_budget add column warned_at timestamptz; -- when it was told that the day's money runs out

drop function arena_reserve(date, text, numeric, numeric);
drop function arena_settle(date, text, numeric, numeric);
drop function arena_fund_round(text, text[]);

-- The UTC day whose budget pays for a round.
create function arena_budget_day(p_round text) returns date language sql stable security definer set search_path = '' as $$
  select (opened_at at time zone 'UTC')::date from public.arena_rounds where round_id = p_round
$$;

-- Take money out of what is reserved, and count what of it was spent.
create function arena_account_for(p_round text, p_reserved numeric, p_spent numeric) returns void
language sql security definer set search_path = '' as $$
  update public.arena_budget
    set reserved_usd = greatest(0, reserved_usd - p_reserved), spent_usd = spent_usd + p_spent
    where day = public.arena_budget_day(p_round) and scope = 'global' and (p_reserved <> 0 or p_spent <> 0)
$$;

-- Whoever held this decision is not heard of again: what was set aside counts as spent.
create function arena_write_off(p_decision text) returns void language plpgsql security definer set search_path = '' as $$
declare
  lost public.arena_decisions;
begin
  select * into lost from public.arena_decisions where decision_id = p_decision for update;
  update public.arena_decisions set reserved_usd = 0, settled_attempt = attempt where decision_id = p_decision;
  perform public.arena_account_for(lost.round_id, lost.reserved_usd, lost.reserved_usd);
end $$;

-- Set money of the round's day aside for one decision, beyond what it has: true where the cap allows it.
create function arena_reserve(p_decision text, p_amount numeric, p_cap numeric) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  asked public.arena_decisions;
  pays date;
begin
  if p_amount < 0 then raise exception 'amount % is negative', p_amount using errcode = '22023'; end if;
  select * into asked from public.arena_decisions where decision_id = p_decision for update;
  if asked.decision_id is null then raise exception 'no decision %', p_decision using errcode = '23503'; end if;
  pays := public.arena_budget_day(asked.round_id);
  insert into public.arena_budget (day, scope, cap_usd) values (pays, 'global', p_cap) on conflict do nothing;
  update public.arena_budget set cap_usd = p_cap, reserved_usd = reserved_usd + p_amount
    where day = pays and scope = 'global' and spent_usd + reserved_usd + p_amount <= p_cap;
  if not found then return false; end if;
  update public.arena_decisions set reserved_usd = reserved_usd + p_amount where decision_id = p_decision;
  return true;
end $$;

-- Pay for a round, once: `p_each` maps an agent to what one of its decisions may cost. An agent's whole round is paid
-- for or none of it, the cheapest first; whose is not, its decisions are skipped. The agents that are paid for; null
-- where the round had been paid for before.
create function arena_fund_round(p_round text, p_each jsonb, p_cap numeric) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  pays date := public.arena_budget_day(p_round);
  funded text[] := '{}';
  wish record;
begin
  update public.arena_rounds set funded_at = now() where round_id = p_round and funded_at is null;
  if not found then return null; end if;
  perform 1 from public.arena_decisions
    where round_id = p_round and status = 'pending' and p_each ? agent_id order by decision_id for update;
  for wish in
    select d.agent_id, count(*) * (p_each ->> d.agent_id)::numeric as amount from public.arena_decisions d
    where d.round_id = p_round and d.status = 'pending' and p_each ? d.agent_id
    group by d.agent_id order by amount, d.agent_id
  loop
    insert into public.arena_budget (day, scope, cap_usd) values (pays, 'global', p_cap) on conflict do nothing;
    update public.arena_budget set cap_usd = p_cap, reserved_usd = reserved_usd + wish.amount
      where day = pays and scope = 'global' and spent_usd + reserved_usd + wish.amount <= p_cap;
    if found then funded := funded || wish.agent_id; end if;
  end loop;
  update public.arena_decisions set reserved_usd = (p_each ->> agent_id)::numeric
    where round_id = p_round and status = 'pending' and agent_id = any (funded);
  update public.arena_decisions set status = 'skipped', reason = 'budget', finished_at = now()
    where round_id = p_round and status = 'pending' and p_each ? agent_id and agent_id <> all (funded);
  return to_jsonb(funded);
end $$;

-- The day of which `p_share` of the budget is spent, told once per day; null otherwise.
create function arena_budget_warning(p_share numeric) returns jsonb
language sql security definer set search_path = '' as $$
  update public.arena_budget set warned_at = now()
    where day >= (now() at time zone 'UTC')::date - 1 and scope = 'global' and warned_at is null
      and cap_usd > 0 and spent_usd >= p_share * cap_usd
    returning jsonb_build_object('day', day, 'spent_usd', spent_usd::text, 'cap_usd', cap_usd::text)
$$;

-- Take a decision for `seconds`: the row, or null where it is finished, leased by another, or its round is over.
create or replace function arena_lease_decision(p_decision text, p_seconds integer) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  asked public.arena_decisions;
begin
  select d.* into asked from public.arena_decisions d join public.arena_rounds r using (round_id)
    where d.decision_id = p_decision
      and (d.status = 'pending' or (d.status = 'running' and d.lease_until < now()))
      and (r.closes_at > now() or r.exchange = 'replay')
    for update of d;
  if asked.decision_id is null then return null; end if;
  if asked.status = 'running' then perform public.arena_write_off(p_decision); end if;
  update public.arena_decisions d
    set status = 'running', attempt = d.attempt + 1, lease_until = now() + make_interval(secs => p_seconds)
    where d.decision_id = p_decision returning * into asked;
  return to_jsonb(asked) || jsonb_build_object('reserved_usd', asked.reserved_usd::text);
end $$;

-- Record an attempt and, where it ended the decision, its forecast: one transaction, repeatable. What a decision
-- ended with stays; a failure told by a worker whose lease went to another one is not its end. `lease` is the attempt
-- that speaks. Its money is accounted for here, once: what it cost counts, the rest of what was set aside is free.
create or replace function arena_finish_decision(p jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  asked public.arena_decisions;
  outcome text := p ->> 'status';
  told integer := coalesce((p ->> 'lease')::integer, (p -> 'attempt' ->> 'attempt')::integer);
begin
  select * into asked from public.arena_decisions where decision_id = p ->> 'decision_id' for update;
  if asked.decision_id is null then
    raise exception 'no decision %', p ->> 'decision_id' using errcode = '23503';
  end if;
  told := coalesce(told, asked.attempt);
  if jsonb_typeof(p -> 'attempt') = 'object' then
    insert into public.arena_attempts
      select * from jsonb_populate_record(null::public.arena_attempts, p -> 'attempt')
      on conflict (decision_id, attempt) do nothing;
  end if;
  if told > asked.settled_attempt then
    update public.arena_decisions set reserved_usd = 0, settled_attempt = told where decision_id = asked.decision_id;
    perform public.arena_account_for(
      asked.round_id, asked.reserved_usd, coalesce((p -> 'attempt' ->> 'cost_usd')::numeric, 0));
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

-- As before; and what was set aside for decisions whose worker is not heard of again counts as spent.
create or replace function arena_hand_out(p_again integer, p_attempts integer) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  given jsonb;
  lost text;
begin
  update public.arena_decisions
    set status = 'failed', reason = 'lease_expired', finished_at = now(),
        lease_until = case when reserved_usd > 0 then lease_until end
    where status = 'running' and lease_until < now() and attempt >= p_attempts;
  for lost in
    select decision_id from public.arena_decisions where reserved_usd > 0 and lease_until < now()
    for update skip locked -- from here on the budget is locked: no waiting for another decision
  loop
    perform public.arena_write_off(lost);
  end loop;
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

-- Close a round whose time is over: what is not answered has failed. True where this call closed it. Money for what
-- was never asked is given back; what a worker holds is accounted for when it speaks, or when its lease is over.
create or replace function arena_close_round(p_round text) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  freed numeric;
begin
  perform 1 from public.arena_rounds
    where round_id = p_round and status = 'open' and closes_at <= now() for no key update;
  if not found then return false; end if;
  perform 1 from public.arena_decisions where round_id = p_round and status in ('pending', 'running')
    order by decision_id for update;
  select coalesce(sum(reserved_usd), 0) into freed from public.arena_decisions
    where round_id = p_round and status = 'pending';
  update public.arena_decisions
    set status = 'failed', reason = 'round_closed', finished_at = now(),
        reserved_usd = case status when 'pending' then 0 else reserved_usd end,
        lease_until = case when status = 'running' and reserved_usd > 0 then lease_until end
    where round_id = p_round and status in ('pending', 'running');
  update public.arena_rounds set status = case when exists (
      select 1 from public.arena_decisions where round_id = p_round and status <> 'done'
    ) then 'partial' else 'complete' end
    where round_id = p_round;
  perform public.arena_account_for(p_round, freed, 0);
  return true;
end $$;

-- What an agent has sealed in a round, once it has nothing more to say there; null until then.
create function arena_said(p_round text, p_agent text) returns jsonb
language sql stable security definer set search_path = '' as $$
  select case when not exists (
      select 1 from public.arena_decisions d
      where d.round_id = p_round and d.agent_id = p_agent and d.status in ('pending', 'running')
    ) then (
      select coalesce(jsonb_agg(jsonb_build_object(
        'forecast_id', f.forecast_id, 'ticker', f.ticker, 'track', f.track, 'seal', f.seal) order by f.forecast_id), '[]')
      from public.arena_forecasts f where f.round_id = p_round and f.agent_id = p_agent
    ) end
$$;

do $$
declare
  name text;
begin
  foreach name in array array[
    'arena_budget_day(text)', 'arena_account_for(text, numeric, numeric)', 'arena_write_off(text)',
    'arena_reserve(text, numeric, numeric)', 'arena_fund_round(text, jsonb, numeric)', 'arena_budget_warning(numeric)',
    'arena_said(text, text)'
  ] loop
    execute format('revoke execute on function public.%s from public, anon, authenticated', name);
  end loop;
  foreach name in array array[
    'arena_reserve(text, numeric, numeric)', 'arena_fund_round(text, jsonb, numeric)', 'arena_budget_warning(numeric)',
    'arena_said(text, text)'
  ] loop
    execute format('grant execute on function public.%s to service_role', name);
  end loop;
end $$;
