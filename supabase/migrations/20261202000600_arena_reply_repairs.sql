-- What of a model's reply was repaired before it was read, instead of asking the model again.

alter table arena_attempts add column repairs text[];
comment on column arena_attempts.repairs is
  'Such as percent:probability; empty where the reply was as asked, null where nothing was replied or before this column.';

create or replace view public_arena_attempts as
  select t.decision_id, t.attempt, d.round_id, d.ticker, d.agent_id, d.track, t.started_at, t.latency_ms,
         t.model_requested, t.model_served, t.host, t.output_mode, t.context_hash, t.prompt, t.raw_reply,
         t.input_tokens, t.output_tokens, t.cost_usd, t.cost_source, t.error_class, r.season, r.closes_at,
         coalesce(t.recorded_at, t.started_at + make_interval(secs => t.latency_ms / 1000.0)) as recorded_at,
         t.repairs
  from arena_attempts t join arena_decisions d using (decision_id) join arena_rounds r on r.round_id = d.round_id
  where r.closes_at <= now();
