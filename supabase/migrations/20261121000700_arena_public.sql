-- What the arena shows: one view per question, so that what is still secret is held back by the database itself.
-- A forecast is secret until its round closes, and so is what betrays it: a Kelly stake tells the probability.

create index on arena_forecasts (created_at);
create index on arena_ledger (round_id);
create index on arena_paper_decisions (account_id, at);

-- Books stop before the first trade of a round that is still open: rows behind it would tell what it cost.
create or replace view public_arena_ledger as
  with secret as (
    select h.account_id, min(h.seq) as seq
    from arena_ledger h join arena_rounds r using (round_id)
    where r.closes_at > now() group by h.account_id
  )
  select l.account_id, a.season, a.agent_id, a.policy, l.seq, l.kind, l.ticker, l.side, l.contracts, l.price, l.cash,
         l.realized, l.round_id, l.at, l.key
  from arena_ledger l join arena_accounts a using (account_id) left join secret s using (account_id)
  where s.seq is null or l.seq < s.seq;

-- Marks stop with the opening of the oldest round that is still open. A mark bears the beginning of its minute or hour,
-- so that one taken after the opening may be dated before it.
create or replace view public_arena_marks as
  select m.account_id, a.season, a.agent_id, a.policy, m.at, m.cash, m.equity
  from arena_marks m join arena_accounts a using (account_id)
  where m.at < coalesce((
    select min(date_trunc(case r.exchange when 'sandbox' then 'minute' else 'hour' end, r.opened_at, 'UTC'))
    from arena_rounds r where r.closes_at > now()
  ), 'infinity');

create view public_arena_accounts as
  select a.account_id, a.season, a.agent_id, a.track, a.policy, a.deposit, a.created_at,
         m.at as marked_at, m.cash, m.equity, coalesce(l.realized, 0) as realized, coalesce(l.fees, 0) as fees,
         coalesce(l.entries, 0) as entries
  from arena_accounts a
  left join lateral (
    select p.at, p.cash, p.equity from public_arena_marks p where p.account_id = a.account_id order by p.at desc limit 1
  ) m on true
  left join lateral (
    select sum(p.realized) as realized, -sum(p.cash) filter (where p.kind = 'fee') as fees, count(*) as entries
    from public_arena_ledger p where p.account_id = a.account_id
  ) l on true;

create view public_arena_paper_decisions as
  select p.decision_id, p.account_id, a.season, a.agent_id, a.policy, d.round_id, d.ticker, d.track, p.action, p.reason,
         p.side, p.contracts, p.average_price, p.fee, p.at
  from arena_paper_decisions p join arena_accounts a using (account_id)
  join arena_decisions d using (decision_id) join arena_rounds r on r.round_id = d.round_id
  where r.closes_at <= now();

-- Paper orders whole again: what was bought for how much, beside the quote and the forecast it was bought on, and what
-- the market paid in the end. Buying one side closes the other; the order is told as it was given.
create view public_arena_orders as
  select o.account_id, o.season, o.agent_id, o.policy, o.decision_id, d.round_id, d.ticker, o.side, o.contracts, o.cost,
         o.fee, m.q, m.yes_bid, m.yes_ask, f.p, r.value
  from (
    select l.account_id, l.season, l.agent_id, l.policy, e.decision_id,
           min(e.side) as side, sum(e.contracts) as contracts, sum(e.contracts * e.price) as cost, -sum(e.fee) as fee
    from public_arena_ledger l cross join lateral (
      select regexp_replace(l.key, '/(fee|[0-9]+/(buy|close))$', '') as decision_id,
             case l.kind when 'buy' then l.side when 'close' then case l.side when 'yes' then 'no' else 'yes' end end as side,
             case when l.kind <> 'fee' then l.contracts end as contracts,
             case l.kind when 'buy' then l.price when 'close' then 1 - l.price end as price,
             case when l.kind = 'fee' then l.cash else 0 end as fee
    ) e
    where l.kind in ('buy', 'close', 'fee')
    group by l.account_id, l.season, l.agent_id, l.policy, e.decision_id
  ) o
  join arena_decisions d using (decision_id)
  join arena_round_markets m on m.round_id = d.round_id and m.ticker = d.ticker
  left join arena_forecasts f on f.forecast_id = o.decision_id
  left join lateral (
    select s.value from arena_results s where s.ticker = d.ticker order by s.version desc limit 1
  ) r on true;

create view public_arena_decisions as
  select d.decision_id, d.round_id, d.ticker, d.agent_id, d.track, d.status, d.attempt,
         r.closes_at <= now() as opened, case when r.closes_at <= now() then d.reason end as reason,
         d.created_at, d.finished_at
  from arena_decisions d join arena_rounds r using (round_id);

create view public_arena_attempts as
  select t.decision_id, t.attempt, d.round_id, d.ticker, d.agent_id, d.track, t.started_at, t.latency_ms,
         t.model_requested, t.model_served, t.host, t.output_mode, t.context_hash, t.prompt, t.raw_reply,
         t.input_tokens, t.output_tokens, t.cost_usd, t.cost_source, t.error_class
  from arena_attempts t join arena_decisions d using (decision_id) join arena_rounds r on r.round_id = d.round_id
  where r.closes_at <= now();

create view public_arena_markets as
  select m.round_id || '/' || m.ticker as market_id, m.round_id, m.ticker, m.event_ticker, m.series_ticker, m.category,
         m.title, m.close_time, m.yes_bid, m.yes_ask, m.q, m.volume_24h, m.snapshot_at, m.context_hash,
         r.exchange, r.closes_at, r.closes_at <= now() as opened, o.result, o.value,
         case when r.closes_at <= now() then m.context end as context,
         case when r.closes_at <= now() then m.book end as book
  from arena_round_markets m join arena_rounds r using (round_id)
  left join lateral (
    select s.result, s.value from arena_results s where s.ticker = m.ticker order by s.version desc limit 1
  ) o on true;

create view public_arena_round_decisions as
  select n.round_id, jsonb_object_agg(n.status, n.number) as decisions
  from (select round_id, status, count(*) as number from arena_decisions group by round_id, status) n
  group by n.round_id;

create view public_arena_agent_totals as
  select a.agent_id,
         coalesce((select jsonb_object_agg(n.status, n.number) from (
           select d.status, count(*) as number from arena_decisions d where d.agent_id = a.agent_id group by d.status
         ) n), '{}') as decisions,
         coalesce((select jsonb_object_agg(f.error_class, f.number) from (
           select t.error_class, count(*) as number from arena_attempts t join arena_decisions d using (decision_id)
           where d.agent_id = a.agent_id and t.error_class is not null group by t.error_class
         ) f), '{}') as failures,
         s.attempts, s.cost_usd, s.cost_unknown, s.input_tokens, s.output_tokens, s.latency_p50_ms, s.latency_p95_ms
  from arena_agents a
  left join lateral (
    select count(*) as attempts, coalesce(sum(t.cost_usd), 0) as cost_usd,
           count(*) filter (where t.cost_usd is null and t.model_requested is not null) as cost_unknown,
           coalesce(sum(t.input_tokens), 0) as input_tokens, coalesce(sum(t.output_tokens), 0) as output_tokens,
           percentile_cont(0.5) within group (order by t.latency_ms) as latency_p50_ms,
           percentile_cont(0.95) within group (order by t.latency_ms) as latency_p95_ms
    from arena_attempts t join arena_decisions d using (decision_id) where d.agent_id = a.agent_id
  ) s on true;

-- Every board that was ever published, line by line: how ranks, skill and evidence came to be.
create view public_arena_standings as
  select p.season, p.track, p.as_of, p.known_at, p.digest, line ->> 'agent' as agent_id,
         (line ->> 'rank')::integer as rank, (line ->> 'tier')::integer as tier, (line ->> 'listed')::boolean as listed,
         line ->> 'separated' as separated,
         (own ->> 'skill')::double precision as skill,
         (own -> 'skill_interval' ->> 0)::double precision as skill_low,
         (own -> 'skill_interval' ->> 1)::double precision as skill_high,
         (own ->> 'skill_events')::integer as events,
         (own ->> 'log10_evidence')::double precision as log10_evidence
  from arena_reports p
  cross join lateral jsonb_array_elements(p.report -> 'standings') line
  cross join lateral (select p.report #> array['report', 'slices', 'all', line ->> 'agent'] as own) numbers;

-- All seals of a UTC day in order, as one JSON array: what the day's Merkle root is made of.
create function arena_day_seals(p_day date) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(f.seal order by f.seal), '[]')
  from public.arena_forecasts f
  where f.created_at >= p_day::timestamp at time zone 'UTC' and f.created_at < (p_day + 1)::timestamp at time zone 'UTC'
$$;
revoke execute on function arena_day_seals(date) from public, anon, authenticated;
grant execute on function arena_day_seals(date) to service_role;

do $$
declare
  name text;
begin
  foreach name in array array[
    'public_arena_accounts', 'public_arena_paper_decisions', 'public_arena_orders', 'public_arena_decisions',
    'public_arena_attempts', 'public_arena_markets', 'public_arena_round_decisions', 'public_arena_agent_totals',
    'public_arena_standings'
  ] loop
    execute format('revoke all on public.%I from anon, authenticated', name);
    execute format('grant select on public.%I to anon, authenticated, service_role', name);
  end loop;
end $$;
