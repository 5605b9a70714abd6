-- Endpoints that take long have half of the places, so that many of them cannot delay those that answer at once.

alter table arena_endpoints add column seconds numeric check (seconds >= 0); -- that the last good answer took

-- A good answer ends the problems before it.
create function arena_note_good_answer(p_entrant text, p_began timestamptz) returns void
language sql set search_path = '' as $$
  update public.arena_endpoints set
      seconds = greatest(0, extract(epoch from clock_timestamp() - p_began)),
      next_call_at = case when problems > 0 then now() else next_call_at end, problems = 0
    where entrant_id = p_entrant and status = 'ready'
$$;

-- As before, but endpoints with problems, or whose last answer took more than five seconds, come last, and have at most
-- 32 calls at a time together.
create or replace function arena_claim_calls(p_questions integer, p_challenges integer, p_each integer, p_lease_seconds integer)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  moment timestamptz;
  until timestamptz;
  challenges jsonb;
  questions jsonb;
begin
  -- One worker claims at a time, so that two cannot see the same row as free.
  perform pg_advisory_xact_lock(hashtextextended('arena_calls', 0));
  moment := clock_timestamp();
  until := moment + make_interval(secs => p_lease_seconds);

  with due as (
    select n.entrant_id from public.arena_endpoints n join public.arena_entrants e using (entrant_id)
    where e.status = 'active' and n.status = 'unproven' and n.next_call_at <= moment
      and coalesce(n.lease_until <= moment, true)
    order by n.problems, n.next_call_at, n.entrant_id limit p_challenges
  ), claimed as (
    update public.arena_endpoints n set lease = n.lease + 1, lease_until = until, asked_at = moment
      from due where due.entrant_id = n.entrant_id
      returning n.entrant_id, n.lease, n.secret, case when n.previous_until > moment then n.previous_secret end as old
  )
  select coalesce(jsonb_agg(jsonb_build_object(
      'entrant_id', c.entrant_id, 'endpoint', e.endpoint, 'lease', c.lease,
      'secrets', jsonb_build_array(c.secret)
        || case when c.old is null then '[]'::jsonb else jsonb_build_array(c.old) end)), '[]')
    into challenges from claimed c join public.arena_entrants e using (entrant_id);

  with running as (
    select c.entrant_id, count(*) as number from public.arena_calls c
    where c.status = 'calling' and c.lease_until > moment group by 1
  ), room_for_slow as (
    select greatest(0, 32 - coalesce(sum(r.number), 0)) as number
    from running r join public.arena_endpoints n using (entrant_id) where n.problems > 0 or coalesce(n.seconds, 0) > 5
  ), playing as (
    select e.entrant_id, n.problems > 0 or coalesce(n.seconds, 0) > 5 as slow,
      least(case when n.problems = 0 then p_each else 1 end,
            e.forecasts_per_day - (select count(*) from public.arena_forecasts f
              where f.agent_id = e.entrant_id and f.created_at > moment - interval '1 day'))
        - coalesce(r.number, 0) as room
    from public.arena_entrants e join public.arena_endpoints n using (entrant_id)
    left join running r using (entrant_id)
    where e.status = 'active' and n.status = 'ready' and n.next_call_at <= moment
  ), asked as (
    select m.round_id || '.' || m.ticker as question_id, m.round_id, m.ticker, r.closes_at
    from public.arena_rounds r join public.arena_round_markets m using (round_id)
    where r.status = 'open' and r.exchange <> 'replay' and r.closes_at > moment + interval '2 seconds'
  ), due as (
    select p.entrant_id, p.slow, p.room, q.question_id, q.closes_at,
      row_number() over (partition by p.entrant_id
                         order by coalesce(c.attempt, 0), q.closes_at, q.question_id) as turn
    from playing p cross join asked q
    left join public.arena_calls c on c.entrant_id = p.entrant_id and c.question_id = q.question_id
    where p.room > 0 and coalesce(c.attempt, 0) < 40 -- should an answer end the worker each time, others go on
      and (c.status is null or c.status = 'waiting' or (c.status = 'calling' and c.lease_until <= moment))
      and not exists (select 1 from public.arena_forecasts f
        where f.forecast_id = q.round_id || '/' || q.ticker || '/' || p.entrant_id || '/open')
  ), possible as (
    select d.*, row_number() over (partition by d.slow
                                   order by d.turn, d.closes_at, md5(d.entrant_id || d.question_id)) as place
    from due d where d.turn <= d.room
  ), chosen as (
    select entrant_id, question_id from possible
    where not slow or place <= (select number from room_for_slow)
    order by slow, place limit p_questions
  ), claimed as (
    insert into public.arena_calls as c (entrant_id, question_id, status, lease_until, called_at)
      select entrant_id, question_id, 'calling', until, moment from chosen order by entrant_id, question_id
      on conflict (entrant_id, question_id) do update
        set status = 'calling', attempt = c.attempt + 1, lease_until = excluded.lease_until,
            called_at = excluded.called_at
      returning c.entrant_id, c.question_id, c.attempt
  )
  select coalesce(jsonb_agg(jsonb_build_object(
      'entrant_id', c.entrant_id, 'question_id', c.question_id, 'attempt', c.attempt, 'round_id', r.round_id,
      'ticker', m.ticker, 'closes_at', r.closes_at, 'context', m.context, 'context_hash', m.context_hash,
      'seconds_left', extract(epoch from r.closes_at - clock_timestamp()), 'endpoint', e.endpoint,
      'secrets', jsonb_build_array(n.secret)
        || case when n.previous_until > moment then jsonb_build_array(n.previous_secret) else '[]'::jsonb end)), '[]')
    into questions
    from claimed c join public.arena_entrants e using (entrant_id) join public.arena_endpoints n using (entrant_id)
    join public.arena_round_markets m on m.round_id = split_part(c.question_id, '.', 1)
      and m.ticker = substr(c.question_id, strpos(c.question_id, '.') + 1)
    join public.arena_rounds r on r.round_id = m.round_id;
  return jsonb_build_object('challenges', challenges, 'questions', questions);
end $$;

create or replace function arena_answer_call(p_entrant text, p_question text, p_attempt integer, p_payload jsonb, p_seal text)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  known public.arena_entrants;
  answer jsonb;
  why text;
  began timestamptz;
begin
  -- Locks come in one order everywhere: the entrant, its endpoint, the call.
  select * into known from public.arena_entrants where entrant_id = p_entrant for update;
  perform 1 from public.arena_endpoints where entrant_id = p_entrant for update;
  perform 1 from public.arena_calls
    where entrant_id = p_entrant and question_id = p_question and attempt = p_attempt and status = 'calling' for update;
  if not found or known.entrant_id is null then return jsonb_build_object('error', 'lease'); end if;
  begin
    answer := public.arena_seal_entrant_forecast(known, p_question, p_payload, p_seal);
  exception when sqlstate '55000' then -- the round closed while the row was written
    answer := jsonb_build_object('error', 'late');
  end;
  why := answer ->> 'error';
  update public.arena_calls set
      status = case when why is null or why = 'second' then 'answered' when why = 'day' then 'waiting' else 'failed' end,
      problem = case why
        when 'late' then 'the answer came after the close of the round'
        when 'day' then 'the limit of forecasts in 24 hours is reached'
        when 'banned' then 'the operator has banned this agent'
        when 'pending' then 'the operator has not admitted this agent yet'
        when 'question' then 'there is no such question any more' end,
      lease_until = null, finished_at = clock_timestamp()
    where entrant_id = p_entrant and question_id = p_question
    returning called_at into began;
  -- Whatever became of the forecast, the endpoint has given a good answer.
  perform public.arena_note_good_answer(p_entrant, began);
  return answer;
end $$;

create or replace function arena_end_call(
  p_entrant text, p_question text, p_attempt integer, p_outcome text, p_problem text, p_retry_after integer
) returns boolean language plpgsql security definer set search_path = '' as $$
declare
  ended public.arena_calls;
begin
  perform 1 from public.arena_endpoints where entrant_id = p_entrant for update; -- before the call, as everywhere
  update public.arena_calls set
      wrong = wrong + case p_outcome when 'wrong' then 1 else 0 end,
      status = case when p_outcome in ('abstained', 'deferred') then p_outcome
                    when p_outcome = 'wrong' and wrong >= 2 then 'failed' else 'waiting' end,
      problem = left(p_problem, 300), lease_until = null, finished_at = clock_timestamp()
    where entrant_id = p_entrant and question_id = p_question and attempt = p_attempt and status = 'calling'
    returning * into ended;
  if not found then return false; end if;
  if p_outcome in ('abstained', 'deferred') then
    perform public.arena_note_good_answer(p_entrant, ended.called_at);
  else
    perform public.arena_note_endpoint_problem(
      p_entrant, ended.called_at, p_problem, p_retry_after, p_outcome = 'stop');
  end if;
  return true;
end $$;

-- As before, with the seconds of the last good answer.
create or replace function arena_endpoint_state(p_entrant text, p_recent integer) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'status', n.status, 'problems', n.problems, 'problem', n.problem, 'problem_at', n.problem_at,
    'next_call_at', n.next_call_at, 'proven_at', n.proven_at, 'seconds', round(n.seconds, 3),
    'old_secret_until', case when n.previous_until > now() then n.previous_until end,
    'calls', (select coalesce(jsonb_object_agg(s.status, s.number), '{}') from (
        select c.status, count(*) as number from public.arena_calls c where c.entrant_id = p_entrant group by 1) s),
    'recent', (select coalesce(jsonb_agg(to_jsonb(s) order by s.called_at desc, s.question_id), '[]') from (
        select c.question_id, c.status, c.attempt, c.problem, c.called_at, c.finished_at
        from public.arena_calls c where c.entrant_id = p_entrant
        order by c.called_at desc, c.question_id limit p_recent) s))
  from public.arena_endpoints n where n.entrant_id = p_entrant
$$;

revoke execute on function arena_note_good_answer(text, timestamptz) from public, anon, authenticated, service_role;
