-- What contestants' answers took and what accounts were worth, for the figures beside the board.

-- One row per question that an agent was asked, with what all its attempts took. What the house skipped was not asked.
-- A cost is null where one of its attempts has a bill that is not known.
create view arena_work as
  select d.decision_id, d.round_id, d.ticker, d.agent_id, d.track, d.status, d.reason, f.p, d.attempt as attempts,
         t.latency_ms, t.tokens, t.cost_usd
  from arena_decisions d
  left join arena_forecasts f on f.forecast_id = d.decision_id
  left join lateral (
    select (array_agg(o.latency_ms order by o.attempt desc))[1] as latency_ms,
           sum(o.input_tokens + o.output_tokens) as tokens,
           case when bool_and(o.cost_usd is not null) then sum(o.cost_usd) end as cost_usd
    from arena_attempts o where o.decision_id = d.decision_id
  ) t on true
  where d.status <> 'skipped';
revoke all on arena_work from anon, authenticated;
grant select on arena_work to service_role;

-- The last mark of each hour: what drawdowns, daily returns and their spread are reckoned from.
create view public_arena_hours as
  select distinct on (m.account_id, date_trunc('hour', m.at, 'UTC')) m.account_id, m.at, m.cash, m.equity
  from public_arena_marks m
  order by m.account_id, date_trunc('hour', m.at, 'UTC'), m.at desc;

-- What model calls cost in a season, on the track that an account follows.
create view public_arena_account_costs as
  select a.account_id, coalesce(sum(t.cost_usd), 0) as cost_usd
  from arena_accounts a
  left join arena_rounds r on r.season = a.season and r.closes_at <= now()
  left join arena_decisions d on d.round_id = r.round_id and d.agent_id = a.agent_id and d.track = a.track
  left join arena_attempts t on t.decision_id = d.decision_id
  group by a.account_id;

revoke all on public_arena_hours, public_arena_account_costs from anon, authenticated;
grant select on public_arena_hours, public_arena_account_costs to anon, authenticated, service_role;
