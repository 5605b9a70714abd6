-- A worker that was given up may still bring the forecast, while the next one is at work with money of its own. The
-- decision is over then, and that one's lease stays written down: should it never speak, its money counts as spent
-- when the lease is over. It stayed reserved for good before.
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
    set status = outcome, reason = p ->> 'reason', lease_until = case when reserved_usd > 0 then lease_until end,
        finished_at = case when outcome in ('done', 'failed', 'skipped') then now() end
    where decision_id = asked.decision_id;
  return jsonb_build_object('decision_id', asked.decision_id, 'changed', true);
end $$;
