-- A decision is done when its forecast is stored, whoever writes: as a rule of the table, not of one function.
create or replace function arena_check_decision() returns trigger language plpgsql set search_path = '' as $$
declare
  asked public.arena_agents;
begin
  select * into asked from public.arena_agents where agent_id = new.agent_id;
  if tg_op = 'INSERT' and not new.track = any (asked.tracks) then
    raise exception 'agent % does not play the track %', new.agent_id, new.track using errcode = '23514';
  end if;
  if asked.kind = 'entrant' and new.reserved_usd > 0 then
    raise exception 'decision % is of an outside agent, for which no money is set aside', new.decision_id
      using errcode = '23514';
  end if;
  if tg_op = 'UPDATE' and (new.decision_id, new.round_id, new.ticker, new.agent_id, new.track, new.created_at)
      is distinct from (old.decision_id, old.round_id, old.ticker, old.agent_id, old.track, old.created_at) then
    raise exception 'decision % keeps its round, market, agent and track', old.decision_id using errcode = '23001';
  end if;
  if tg_op = 'UPDATE' and old.status = 'done' and new.status <> 'done' then
    raise exception 'decision % is done and stays so', old.decision_id using errcode = '23001';
  end if;
  if new.status = 'done' and not exists (select 1 from public.arena_forecasts f where f.forecast_id = new.decision_id) then
    raise exception 'decision % is not done without a forecast', new.decision_id using errcode = '23514';
  end if;
  return new;
end $$;
