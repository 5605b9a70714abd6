-- Anyone can make a published leaderboard again from the exports. For this the views name the season of every row and
-- when its round closes, and an attempt has the time at which it was recorded: the attempt of a late worker may come
-- after the leaderboard. Attempts that are older than this column were recorded when their answer came.
alter table arena_attempts add column recorded_at timestamptz;

create function arena_stamp_attempt() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.recorded_at := clock_timestamp();
  return new;
end $$;
revoke all on function arena_stamp_attempt() from public, anon, authenticated;

create trigger arena_attempts_stamped before insert on arena_attempts
  for each row execute function arena_stamp_attempt();

-- Decisions that were put to agents, and the totals of their attempts, as they were known at a time.
create function arena_work_known(p_rounds text[], p_track text, p_known timestamptz) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'agent_id', d.agent_id, 'round_id', d.round_id, 'ticker', d.ticker,
      'status', case when d.finished_at <= p_known then d.status else 'pending' end,
      'reason', case when d.finished_at <= p_known then d.reason end,
      'p', f.p::text, 'attempts', d.attempt,
      'latency_ms', t.latency_ms, 'tokens', t.tokens, 'cost_usd', t.cost_usd::text
    ) order by d.decision_id), '[]')
  from public.arena_decisions d
  left join public.arena_forecasts f on f.forecast_id = d.decision_id and f.created_at <= p_known
  left join lateral (
    select (array_agg(o.latency_ms order by o.attempt desc))[1] as latency_ms,
           sum(o.input_tokens + o.output_tokens) as tokens,
           case when bool_and(o.cost_usd is not null) then sum(o.cost_usd) end as cost_usd
    from public.arena_attempts o
    where o.decision_id = d.decision_id
      and coalesce(o.recorded_at, o.started_at + make_interval(secs => o.latency_ms / 1000.0)) <= p_known
  ) t on true
  where d.round_id = any(p_rounds) and d.track = p_track and d.status <> 'skipped'
$$;
revoke all on function arena_work_known(text[], text, timestamptz) from public, anon, authenticated;
grant execute on function arena_work_known(text[], text, timestamptz) to service_role;
drop view arena_work;

create or replace view public_arena_markets as
  select m.round_id || '/' || m.ticker as market_id, m.round_id, m.ticker, m.event_ticker, m.series_ticker, m.category,
         m.title, m.close_time, m.yes_bid, m.yes_ask, m.q, m.volume_24h, m.snapshot_at, m.context_hash, r.exchange,
         r.closes_at, r.closes_at <= now() as opened, o.result, o.value,
         case when r.closes_at <= now() then m.context end as context,
         case when r.closes_at <= now() then m.book end as book,
         r.season,
         1 + coalesce(jsonb_array_length(m.context #> '{question,other_outcomes}'), 0) as outcomes,
         coalesce((m.context #>> '{terms,mutually_exclusive}')::boolean, false) as mutually_exclusive
  from arena_round_markets m join arena_rounds r using (round_id)
  left join lateral (
    select s.result, s.value from arena_results s where s.ticker = m.ticker order by s.version desc limit 1
  ) o on true;

create or replace view public_arena_forecasts as
  select f.forecast_id, f.seal, f.round_id, f.ticker, f.agent_id, f.track, f.created_at,
         r.closes_at <= now() as opened,
         case when r.closes_at <= now() then f.p end as p,
         case when r.closes_at <= now() then f.low end as low,
         case when r.closes_at <= now() then f.high end as high,
         case when r.closes_at <= now() then f.abstain end as abstain,
         case when r.closes_at <= now() then f.payload end as payload,
         r.season, r.closes_at
  from arena_forecasts f join arena_rounds r using (round_id);

create or replace view public_arena_decisions as
  select d.decision_id, d.round_id, d.ticker, d.agent_id, d.track, d.status, d.attempt,
         r.closes_at <= now() as opened,
         case when r.closes_at <= now() then d.reason end as reason,
         d.created_at, d.finished_at, r.season, r.closes_at
  from arena_decisions d join arena_rounds r using (round_id);

create or replace view public_arena_attempts as
  select t.decision_id, t.attempt, d.round_id, d.ticker, d.agent_id, d.track, t.started_at, t.latency_ms,
         t.model_requested, t.model_served, t.host, t.output_mode, t.context_hash, t.prompt, t.raw_reply,
         t.input_tokens, t.output_tokens, t.cost_usd, t.cost_source, t.error_class, r.season, r.closes_at,
         coalesce(t.recorded_at, t.started_at + make_interval(secs => t.latency_ms / 1000.0)) as recorded_at
  from arena_attempts t join arena_decisions d using (decision_id) join arena_rounds r on r.round_id = d.round_id
  where r.closes_at <= now();

create or replace view public_arena_agents as
  select agent_id, kind, name, model, tracks, status, season, created_at, params ->> 'rule' as rule from arena_agents;

-- The versions of the results of every market that a season's rounds ask about.
create view public_arena_season_results as
  select a.season, s.ticker, s.version, s.status, s.result, s.value, s.decided_at, s.recorded_at
  from (
    select distinct r.season, m.ticker from arena_round_markets m join arena_rounds r using (round_id)
  ) a join arena_results s using (ticker);
revoke all on public_arena_season_results from public, anon, authenticated, service_role;
grant select on public_arena_season_results to anon, authenticated, service_role;
