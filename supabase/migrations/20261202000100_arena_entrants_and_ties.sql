-- Outside agents (entrants) and the tracks `informed` and `open`, and ids that must belong together.
-- An entrant's id begins with `e-`, and no other id does: a roster cannot take an entrant's id, nor the reverse.

alter table arena_agents drop constraint arena_agents_kind_check;
alter table arena_agents add constraint arena_agents_kind_check
  check (kind in ('llm', 'statistical', 'consensus', 'entrant'));
alter table arena_agents add constraint arena_agents_entrant_id_check check ((kind = 'entrant') = (agent_id like 'e-%'));
alter table arena_agents add constraint arena_agents_tracks_check
  check (tracks <@ array['blind', 'aware', 'informed', 'open'] and cardinality(tracks) > 0);
alter table arena_agents add constraint arena_agents_entrant_track_check
  check (kind <> 'entrant' or tracks = array['open']);

alter table arena_decisions drop constraint arena_decisions_track_check;
alter table arena_decisions add constraint arena_decisions_track_check
  check (track in ('blind', 'aware', 'informed', 'open'));
alter table arena_accounts drop constraint arena_accounts_track_check;
alter table arena_accounts add constraint arena_accounts_track_check
  check (track in ('blind', 'aware', 'informed', 'open'));
alter table arena_claims drop constraint arena_claims_track_check;
alter table arena_claims add constraint arena_claims_track_check
  check (track in ('blind', 'aware', 'informed', 'open'));

-- The roster of a season. Entrants do not come from a roster: they register.
create or replace function arena_field(p jsonb) returns void language plpgsql security definer set search_path = '' as $$
declare
  taken text;
begin
  select a.agent_id into taken from jsonb_populate_recordset(null::public.arena_agents, p -> 'agents') a
    where a.kind = 'entrant' or a.agent_id like 'e-%' order by a.agent_id limit 1;
  if taken is not null then
    raise exception 'agent % of the roster has an id or kind of outside agents', taken using errcode = '23514';
  end if;
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

-- As before, and: the attempt and the forecast must be this decision's own, `done` needs a forecast, and a forecast
-- ends its decision as `done`. The error code 22023 marks a caller's mistake; nothing is stored.
create or replace function arena_finish_decision(p jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  asked public.arena_decisions;
  outcome text := p ->> 'status';
  has_forecast boolean := jsonb_typeof(p -> 'forecast') is not distinct from 'object';
  has_attempt boolean := jsonb_typeof(p -> 'attempt') is not distinct from 'object';
  lease integer := coalesce((p ->> 'lease')::integer, (p -> 'attempt' ->> 'attempt')::integer);
begin
  if outcome is null or outcome not in ('pending', 'done', 'failed', 'skipped') then
    raise exception 'a decision ends as done, failed or skipped, or waits as pending, not as %', outcome
      using errcode = '22023';
  end if;
  if has_forecast and p -> 'forecast' ->> 'forecast_id' is distinct from p ->> 'decision_id' then
    raise exception 'forecast % does not answer decision %', p -> 'forecast' ->> 'forecast_id', p ->> 'decision_id'
      using errcode = '22023';
  end if;
  if has_attempt and p -> 'attempt' ->> 'decision_id' is distinct from p ->> 'decision_id' then
    raise exception 'the attempt belongs to %, not to %', p -> 'attempt' ->> 'decision_id', p ->> 'decision_id'
      using errcode = '22023';
  end if;
  if has_forecast and outcome <> 'done' then
    raise exception 'decision % has a forecast and is done, not %', p ->> 'decision_id', outcome using errcode = '22023';
  end if;
  select * into asked from public.arena_decisions where decision_id = p ->> 'decision_id' for update;
  if asked.decision_id is null then
    raise exception 'no decision %', p ->> 'decision_id' using errcode = '23503';
  end if;
  if outcome = 'done' and not has_forecast and asked.status in ('pending', 'running') then
    raise exception 'decision % is not done without a forecast', asked.decision_id using errcode = '22023';
  end if;
  lease := coalesce(lease, asked.attempt);
  if has_attempt then
    insert into public.arena_attempts
      select * from jsonb_populate_record(null::public.arena_attempts, p -> 'attempt')
      on conflict (decision_id, attempt) do nothing;
  end if;
  if lease > asked.settled_attempt then
    update public.arena_decisions set reserved_usd = 0, settled_attempt = lease where decision_id = asked.decision_id;
    perform public.arena_account_for(
      asked.round_id, asked.reserved_usd, coalesce((p -> 'attempt' ->> 'cost_usd')::numeric, 0));
  end if;
  if asked.status not in ('pending', 'running') or (outcome <> 'done' and lease < asked.attempt) then
    return jsonb_build_object('decision_id', asked.decision_id, 'changed', false);
  end if;
  if has_forecast then
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

-- As before, but entrants answer by themselves: nothing is handed out for them and the consensus does not wait.
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
      and a.kind <> 'entrant'
      and (a.kind <> 'llm' or r.funded_at is not null)
      and (a.kind <> 'consensus' or now() >= r.opened_at + (r.closes_at - r.opened_at) * 2 / 3 or not exists (
            select 1 from public.arena_decisions o join public.arena_agents b using (agent_id)
            where o.round_id = d.round_id and b.kind not in ('consensus', 'entrant')
              and o.status in ('pending', 'running')))
    for update of d skip locked
  ), marked as (
    update public.arena_decisions d set queued_at = now() from due where d.decision_id = due.decision_id
      returning d.decision_id, due.turn
  )
  select coalesce(jsonb_agg(decision_id order by turn), '[]') into given from marked;
  return given;
end $$;

-- As before, but an entrant that did not answer is `not_answered`, and the round can still be complete.
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
  update public.arena_decisions d
    set status = 'failed', finished_at = now(),
        reason = case when a.kind = 'entrant' then 'not_answered' else 'round_closed' end,
        reserved_usd = case d.status when 'pending' then 0 else d.reserved_usd end,
        lease_until = case when d.status = 'running' and d.reserved_usd > 0 then d.lease_until end
    from public.arena_agents a
    where a.agent_id = d.agent_id and d.round_id = p_round and d.status in ('pending', 'running');
  update public.arena_rounds set status = case when exists (
      select 1 from public.arena_decisions d join public.arena_agents a using (agent_id)
      where d.round_id = p_round and d.status <> 'done' and a.kind <> 'entrant'
    ) then 'partial' else 'complete' end
    where round_id = p_round;
  perform public.arena_account_for(p_round, freed, 0);
  return true;
end $$;

-- As before, but tracks that not every season has get a leaderboard only where somebody was asked.
create or replace function arena_report_due(p_season text, p_track text) returns boolean
language sql stable security definer set search_path = '' as $$
  select coalesce(changed.at > coalesce(known.at, '-infinity'), false) and (p_track in ('blind', 'aware') or exists (
           select 1 from public.arena_decisions d join public.arena_rounds r using (round_id)
           where r.season = p_season and d.track = p_track))
  from (select greatest(
          (select max(closes_at) from public.arena_rounds where season = p_season and closes_at <= now()),
          (select max(o.recorded_at) from public.arena_results o where exists (
             select 1 from public.arena_round_markets m join public.arena_rounds r using (round_id)
             where m.ticker = o.ticker and r.season = p_season))) as at) changed,
       (select max(known_at) as at from public.arena_reports where season = p_season and track = p_track) known
$$;
