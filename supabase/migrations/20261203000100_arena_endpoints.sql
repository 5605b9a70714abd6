-- Endpoints of outside agents: Coliseum calls them with the questions of open rounds and stores what they answer.
-- An answer goes through the same rule as a forecast that an agent sends itself (arena_seal_entrant_forecast).

-- The secret signs requests, so it cannot be stored as a hash. It is no credential here: it opens nothing of Coliseum,
-- and whoever has it can only ask the endpoint in Coliseum's name. No role may read the table, and one function, which
-- only the service role may call, gives a secret out together with the call that it signs. Encryption under a key that
-- the same functions would hold beside the service role's key would protect nothing more than a copy of the database.
create table arena_endpoints (
  entrant_id text primary key references arena_agents (agent_id),
  secret text not null check (secret ~ '^whsec_[A-Za-z0-9+/]{43}=$'),
  previous_secret text check (previous_secret ~ '^whsec_[A-Za-z0-9+/]{43}=$'),
  previous_until timestamptz,                      -- until then requests are signed with both
  status text not null default 'unproven' check (status in ('unproven', 'ready', 'paused')),
  problems integer not null default 0 check (problems >= 0), -- one after the other, without a good answer between
  problem text check (char_length(problem) <= 300), -- the last one
  problem_at timestamptz,
  next_call_at timestamptz not null default now(), -- no call before
  lease integer not null default 0,                -- counts the challenges
  lease_until timestamptz,                         -- the challenge that runs
  asked_at timestamptz,                            -- the newest challenge
  proven_at timestamptz
);

-- One row per entrant and question that was called. `attempt` is the lease: a worker that lost it stores nothing.
create table arena_calls (
  entrant_id text not null references arena_agents (agent_id),
  question_id text not null,
  status text not null check (status in ('calling', 'waiting', 'answered', 'abstained', 'deferred', 'failed')),
  attempt integer not null default 1 check (attempt > 0),
  wrong integer not null default 0 check (wrong >= 0), -- replies that could not be used; after three it has failed
  problem text check (char_length(problem) <= 300),
  lease_until timestamptz,
  called_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (entrant_id, question_id)
);
create index on arena_calls (called_at);
create index on arena_calls (entrant_id, called_at desc);

alter table arena_entrants add column endpoint_changes integer not null default 0;
alter table arena_entrants add column endpoint_changes_at timestamptz not null default now(); -- when their day began

-- As before, and with an endpoint its secret is stored.
create or replace function arena_register_entrant(p jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  today timestamptz := now();
  quarter integer := extract(quarter from now() at time zone 'UTC');
  first date := date_trunc('quarter', now() at time zone 'UTC')::date;
  season text := to_char(now() at time zone 'UTC', 'YYYY') || 'Q' || quarter;
  slug text := trim(both '-' from left(regexp_replace(lower(p ->> 'name'), '[^a-z0-9]+', '-', 'g'), 40));
  made text;
begin
  perform pg_advisory_xact_lock(hashtextextended('arena_entrants', 0));
  if (select count(*) from public.arena_entrants where status = 'pending') >= 100 and p ->> 'status' = 'pending' then
    return jsonb_build_object('error', 'busy', 'retry_after', 3600);
  end if;
  if (select count(*) from public.arena_entrants where created_at > today - interval '1 hour') >= 60 then
    return jsonb_build_object('error', 'busy', 'retry_after', 3600);
  end if;
  if exists (select 1 from public.arena_agents where lower(name) = lower(p ->> 'name')) then
    return jsonb_build_object('error', 'name');
  end if;
  made := 'e-' || case when slug = '' then '' else slug || '-' end || left(p ->> 'token_hash', 8);
  insert into public.arena_seasons (season, starts_at, ends_at)
    values (season, first at time zone 'UTC', (first + interval '3 months') at time zone 'UTC') on conflict do nothing;
  insert into public.arena_agents (agent_id, kind, name, tracks, status, season)
    values (made, 'entrant', p ->> 'name', array['open'],
            case p ->> 'status' when 'active' then 'active' else 'paused' end, season);
  insert into public.arena_entrants (entrant_id, token_hash, contact, endpoint, status, requests_per_minute,
                                     forecasts_per_day, claim_hash, claim_until)
    values (made, p ->> 'token_hash', p ->> 'contact', p ->> 'endpoint', p ->> 'status',
            (p ->> 'requests_per_minute')::integer, (p ->> 'forecasts_per_day')::integer, p ->> 'claim_hash',
            today + interval '7 days');
  if p ->> 'endpoint' is not null then
    insert into public.arena_endpoints (entrant_id, secret) values (made, p ->> 'signing_secret');
  end if;
  return jsonb_build_object('entrant_id', made);
end $$;

-- The rule for every forecast of an entrant, whichever way it comes. The caller has locked the entrant's row, so that
-- two forecasts at once come one after the other. {"forecast_id", "seal", "created_at"}, or
-- {"error": "pending" | "banned" | "question" | "late" | "second" | "day", …}.
create function arena_seal_entrant_forecast(
  known public.arena_entrants, p_question text, p_payload jsonb, p_seal text
) returns jsonb language plpgsql set search_path = '' as $$
declare
  asked record;
  decision text;
  stored public.arena_forecasts;
begin
  if known.status <> 'active' then return jsonb_build_object('error', known.status); end if;
  select m.round_id, m.ticker, m.context_hash, r.closes_at, r.status into asked
    from public.arena_round_markets m join public.arena_rounds r using (round_id)
    where r.exchange <> 'replay' and m.round_id = split_part(p_question, '.', 1)
      and m.ticker = substr(p_question, strpos(p_question, '.') + 1);
  if not found then return jsonb_build_object('error', 'question'); end if;
  decision := asked.round_id || '/' || asked.ticker || '/' || known.entrant_id || '/open';
  select * into stored from public.arena_forecasts where forecast_id = decision;
  if found then
    return jsonb_build_object('error', 'second', 'forecast_id', stored.forecast_id, 'seal', stored.seal);
  end if;
  if asked.status <> 'open' or asked.closes_at <= clock_timestamp() then
    return jsonb_build_object('error', 'late', 'closes_at', asked.closes_at);
  end if;
  if (select count(*) from public.arena_forecasts
      where agent_id = known.entrant_id and created_at > now() - interval '1 day') >= known.forecasts_per_day then
    return jsonb_build_object('error', 'day', 'limit', known.forecasts_per_day);
  end if;
  if p_payload ->> 'agent_id' is distinct from known.entrant_id
     or p_payload ->> 'context_hash' is distinct from asked.context_hash then
    raise exception 'the payload is not of this entrant and question' using errcode = '22023';
  end if;
  insert into public.arena_decisions (decision_id, round_id, ticker, agent_id, track)
    values (decision, asked.round_id, asked.ticker, known.entrant_id, 'open') on conflict do nothing;
  insert into public.arena_forecasts (forecast_id, seal, round_id, ticker, agent_id, track, p, abstain, payload)
    values (decision, p_seal, asked.round_id, asked.ticker, known.entrant_id, 'open',
            (p_payload ->> 'probability')::numeric, false, p_payload)
    returning * into stored;
  update public.arena_decisions set status = 'done', attempt = 1, finished_at = now() where decision_id = decision;
  return jsonb_build_object('forecast_id', decision, 'seal', p_seal, 'created_at', stored.created_at);
end $$;

-- As before: the forecast that an agent sends itself, with its token.
create or replace function arena_submit_forecast(p_token_hash text, p_question text, p_payload jsonb, p_seal text)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  known public.arena_entrants;
begin
  select * into known from public.arena_entrants where token_hash = p_token_hash for update;
  if not found then return jsonb_build_object('error', 'unknown'); end if;
  return public.arena_seal_entrant_forecast(known, p_question, p_payload, p_seal);
end $$;

-- As before, and an agent whose endpoint answers our calls plays, too: it only waits to be called.
create or replace function arena_playing_entrants() returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(e.entrant_id order by e.entrant_id), '[]') from public.arena_entrants e
  where e.status = 'active' and (
    exists (select 1 from public.arena_forecasts f
            where f.agent_id = e.entrant_id and f.created_at > now() - interval '7 days')
    or exists (select 1 from public.arena_endpoints n where n.entrant_id = e.entrant_id and n.status = 'ready'))
$$;

-- ---------------------------------------------------------------- what an agent does with its endpoint

-- Lock the entrant of a token and count a change of its endpoint: at most ten in a day, because each one is followed by
-- a request to an address that it chose. {"entrant_id"} or {"error": "unknown" | "pending" | "banned" | "busy", …}.
create function arena_count_endpoint_change(p_token_hash text) returns jsonb
language plpgsql set search_path = '' as $$
declare
  known public.arena_entrants;
begin
  select * into known from public.arena_entrants where token_hash = p_token_hash for update;
  if not found then return jsonb_build_object('error', 'unknown'); end if;
  if known.status <> 'active' then return jsonb_build_object('error', known.status); end if;
  if known.endpoint_changes_at <= now() - interval '1 day' then
    update public.arena_entrants set endpoint_changes = 1, endpoint_changes_at = now()
      where entrant_id = known.entrant_id;
  elsif known.endpoint_changes >= 10 then
    return jsonb_build_object('error', 'changes', 'retry_after',
      greatest(1, ceil(extract(epoch from known.endpoint_changes_at + interval '1 day' - now()))::integer));
  else
    update public.arena_entrants set endpoint_changes = endpoint_changes + 1 where entrant_id = known.entrant_id;
  end if;
  return jsonb_build_object('entrant_id', known.entrant_id);
end $$;

-- Set an address with a new secret, or remove it (null). Calls to the address before it can store nothing any more.
create function arena_set_endpoint(p_token_hash text, p_endpoint text, p_secret text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  counted jsonb := public.arena_count_endpoint_change(p_token_hash);
  mine text := counted ->> 'entrant_id';
begin
  if mine is null then return counted; end if;
  update public.arena_entrants set endpoint = p_endpoint where entrant_id = mine;
  if p_endpoint is null then
    delete from public.arena_endpoints where entrant_id = mine;
  else
    insert into public.arena_endpoints as n (entrant_id, secret) values (mine, p_secret)
      on conflict (entrant_id) do update set
        secret = excluded.secret, previous_secret = null, previous_until = null, status = 'unproven', problems = 0,
        problem = null, problem_at = null, next_call_at = now(), lease = n.lease + 1, lease_until = null,
        proven_at = null;
  end if;
  update public.arena_calls set status = 'waiting', attempt = attempt + 1, lease_until = null
    where entrant_id = mine and status = 'calling';
  return counted;
end $$;

-- A new secret. For a day requests are signed with the old one, too, so that no call fails meanwhile.
create function arena_rotate_endpoint_secret(p_token_hash text, p_secret text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  counted jsonb := public.arena_count_endpoint_change(p_token_hash);
begin
  if counted ? 'error' then return counted; end if;
  update public.arena_endpoints
    set previous_secret = secret, previous_until = now() + interval '1 day', secret = p_secret
    where entrant_id = counted ->> 'entrant_id';
  if not found then return jsonb_build_object('error', 'no_endpoint'); end if;
  return counted;
end $$;

-- Call again an endpoint that was paused or waits after problems. It is asked for its proof first.
create function arena_resume_endpoint(p_token_hash text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  counted jsonb := public.arena_count_endpoint_change(p_token_hash);
begin
  if counted ? 'error' then return counted; end if;
  update public.arena_endpoints
    set status = 'unproven', problems = 0, next_call_at = now(), lease = lease + 1, lease_until = null
    where entrant_id = counted ->> 'entrant_id';
  if not found then return jsonb_build_object('error', 'no_endpoint'); end if;
  return counted;
end $$;

-- How an endpoint stands, with its newest `p_recent` calls. Null where there is none.
create function arena_endpoint_state(p_entrant text, p_recent integer) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'status', n.status, 'problems', n.problems, 'problem', n.problem, 'problem_at', n.problem_at,
    'next_call_at', n.next_call_at, 'proven_at', n.proven_at,
    'old_secret_until', case when n.previous_until > now() then n.previous_until end,
    'calls', (select coalesce(jsonb_object_agg(s.status, s.number), '{}') from (
        select c.status, count(*) as number from public.arena_calls c where c.entrant_id = p_entrant group by 1) s),
    'recent', (select coalesce(jsonb_agg(to_jsonb(s) order by s.called_at desc, s.question_id), '[]') from (
        select c.question_id, c.status, c.attempt, c.problem, c.called_at, c.finished_at
        from public.arena_calls c where c.entrant_id = p_entrant
        order by c.called_at desc, c.question_id limit p_recent) s))
  from public.arena_endpoints n where n.entrant_id = p_entrant
$$;

-- As before, with the endpoint and how it stands.
create or replace function arena_entrant_record(p_entrant text) returns jsonb
language sql stable security definer set search_path = '' as $$
  with asked as (
    select d.decision_id, d.round_id, d.ticker, d.status, r.closes_at, f.p, f.seal, m.q,
           (select o.value from public.arena_results o
            where o.ticker = d.ticker and o.result in ('yes', 'no') order by o.version desc limit 1) as value
    from public.arena_decisions d join public.arena_rounds r using (round_id)
    join public.arena_round_markets m on m.round_id = d.round_id and m.ticker = d.ticker
    left join public.arena_forecasts f on f.forecast_id = d.decision_id
    where d.agent_id = p_entrant
  )
  select jsonb_build_object(
    'asked', count(*) filter (where closes_at <= now() or status = 'done'),
    'answered', count(*) filter (where status = 'done'),
    'settled', count(*) filter (where p is not null and value is not null and closes_at <= now()),
    'brier', round(avg((p - value) ^ 2) filter (where value is not null and closes_at <= now()), 6),
    'market_brier', round(avg((q - value) ^ 2) filter (where p is not null and value is not null and closes_at <= now()), 6),
    'missed', coalesce((select jsonb_agg(m.round_id || '.' || m.ticker order by m.round_id desc, m.ticker) from (
        select round_id, ticker from asked where status <> 'done' and closes_at <= now()
        order by round_id desc, ticker limit 50) m), '[]'),
    'endpoint', (select e.endpoint from public.arena_entrants e where e.entrant_id = p_entrant),
    'endpoint_state', public.arena_endpoint_state(p_entrant, 20))
  from asked
$$;

create or replace function arena_list_entrants() returns jsonb language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'entrant_id', e.entrant_id, 'name', a.name, 'contact', e.contact, 'endpoint', e.endpoint,
    'endpoint_state', public.arena_endpoint_state(e.entrant_id, 0), 'status', e.status,
    'requests_per_minute', e.requests_per_minute, 'forecasts_per_day', e.forecasts_per_day,
    'created_at', e.created_at, 'decided_at', e.decided_at,
    'forecasts', (select count(*) from public.arena_forecasts f where f.agent_id = e.entrant_id))
    order by e.created_at desc, e.entrant_id), '[]')
  from public.arena_entrants e join public.arena_agents a on a.agent_id = e.entrant_id
$$;

-- ---------------------------------------------------------------- what the caller does

-- Lease what is due: {"challenges": […], "questions": […]}, each with the address and the secrets that sign its request.
-- An endpoint has at most `p_each` calls at a time, and one after a problem. Those after a problem come last. An agent
-- that is not active, or at its limit of forecasts, is not called.
create function arena_claim_calls(p_questions integer, p_challenges integer, p_each integer, p_lease_seconds integer)
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
  ), playing as (
    select e.entrant_id, n.problems,
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
    select p.entrant_id, p.problems, p.room, q.question_id, q.closes_at,
      row_number() over (partition by p.entrant_id
                         order by coalesce(c.attempt, 0), q.closes_at, q.question_id) as turn
    from playing p cross join asked q
    left join public.arena_calls c on c.entrant_id = p.entrant_id and c.question_id = q.question_id
    where p.room > 0 and coalesce(c.attempt, 0) < 40 -- should an answer end the worker each time, others go on
      and (c.status is null or c.status = 'waiting' or (c.status = 'calling' and c.lease_until <= moment))
      and not exists (select 1 from public.arena_forecasts f
        where f.forecast_id = q.round_id || '/' || q.ticker || '/' || p.entrant_id || '/open')
  ), chosen as (
    select entrant_id, question_id from due where turn <= room
    order by problems > 0, turn, closes_at, md5(entrant_id || question_id) limit p_questions
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

-- Note a problem of an endpoint whose call began at `p_began`. The next call waits 30 s, doubling to 15 minutes, or as
-- long as the endpoint wants, up to an hour. After eight problems in a row (five before the proof) it is paused.
-- Problems of calls that ran at the same time count once.
create function arena_note_endpoint_problem(
  p_entrant text, p_began timestamptz, p_problem text, p_retry_after integer, p_stop boolean
) returns void language plpgsql set search_path = '' as $$
declare
  known public.arena_endpoints;
  number integer;
begin
  select * into known from public.arena_endpoints where entrant_id = p_entrant for update;
  if not found then return; end if;
  number := known.problems + case when known.problems > 0 and known.problem_at >= p_began then 0 else 1 end;
  update public.arena_endpoints set
      problems = number, problem = p_problem, problem_at = clock_timestamp(), lease_until = null,
      status = case when p_stop or number >= case known.status when 'unproven' then 5 else 8 end then 'paused'
                    else known.status end,
      next_call_at = clock_timestamp() + make_interval(secs => greatest(
        least(900, 30 * 2 ^ least(number - 1, 10)), least(3600, coalesce(p_retry_after, 0))))
    where entrant_id = p_entrant;
end $$;

-- End a challenge: with the proof (no problem) the endpoint is ready. False where the lease is no longer the newest.
create function arena_end_challenge(
  p_entrant text, p_lease integer, p_problem text, p_retry_after integer, p_stop boolean
) returns boolean language plpgsql security definer set search_path = '' as $$
declare
  known public.arena_endpoints;
begin
  select * into known from public.arena_endpoints
    where entrant_id = p_entrant and lease = p_lease and lease_until is not null and status = 'unproven' for update;
  if not found then return false; end if;
  if p_problem is null then
    update public.arena_endpoints
      set status = 'ready', problems = 0, proven_at = now(), lease_until = null, next_call_at = now()
      where entrant_id = p_entrant;
  else
    perform public.arena_note_endpoint_problem(p_entrant, known.asked_at, p_problem, p_retry_after, p_stop);
  end if;
  return true;
end $$;

-- Store the forecast of a call, by the rule for all forecasts of entrants. The answer is that rule's, or
-- {"error": "lease"} where the call was taken over, or its endpoint replaced.
create function arena_answer_call(p_entrant text, p_question text, p_attempt integer, p_payload jsonb, p_seal text)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  known public.arena_entrants;
  answer jsonb;
  why text;
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
    where entrant_id = p_entrant and question_id = p_question;
  -- Whatever became of the forecast, the endpoint has given a good answer.
  update public.arena_endpoints set problems = 0, next_call_at = now()
    where entrant_id = p_entrant and problems > 0 and status = 'ready';
  return answer;
end $$;

-- End a call without a forecast. `p_outcome`: `abstained`, `deferred` (the agent will send it), `wrong` (a reply that
-- cannot be used), `unreachable`, `stop` (the endpoint does not want to be called). False where the lease is not the newest.
create function arena_end_call(
  p_entrant text, p_question text, p_attempt integer, p_outcome text, p_problem text, p_retry_after integer
) returns boolean language plpgsql security definer set search_path = '' as $$
declare
  ended public.arena_calls;
begin
  perform 1 from public.arena_endpoints where entrant_id = p_entrant for update; -- before the call, as above
  update public.arena_calls set
      wrong = wrong + case p_outcome when 'wrong' then 1 else 0 end,
      status = case when p_outcome in ('abstained', 'deferred') then p_outcome
                    when p_outcome = 'wrong' and wrong >= 2 then 'failed' else 'waiting' end,
      problem = p_problem, lease_until = null, finished_at = clock_timestamp()
    where entrant_id = p_entrant and question_id = p_question and attempt = p_attempt and status = 'calling'
    returning * into ended;
  if not found then return false; end if;
  if p_outcome in ('abstained', 'deferred') then
    update public.arena_endpoints set problems = 0, next_call_at = now()
      where entrant_id = p_entrant and problems > 0 and status = 'ready';
  else
    perform public.arena_note_endpoint_problem(
      p_entrant, ended.called_at, p_problem, p_retry_after, p_outcome = 'stop');
  end if;
  return true;
end $$;

-- Forget calls after 30 days. Returns how many.
create function arena_forget_calls() returns integer language sql security definer set search_path = '' as $$
  with gone as (delete from public.arena_calls where called_at < now() - interval '30 days' returning 1)
  select count(*)::integer from gone
$$;

alter table arena_endpoints enable row level security;
alter table arena_calls enable row level security;
revoke all on arena_endpoints, arena_calls from public, anon, authenticated, service_role;
do $$
declare
  name text;
begin
  foreach name in array array[
    'arena_seal_entrant_forecast(arena_entrants, text, jsonb, text)', 'arena_count_endpoint_change(text)',
    'arena_endpoint_state(text, integer)',
    'arena_note_endpoint_problem(text, timestamptz, text, integer, boolean)'
  ] loop -- called by the functions below only
    execute format('revoke execute on function public.%s from public, anon, authenticated, service_role', name);
  end loop;
  foreach name in array array[
    'arena_set_endpoint(text, text, text)', 'arena_rotate_endpoint_secret(text, text)', 'arena_resume_endpoint(text)',
    'arena_claim_calls(integer, integer, integer, integer)',
    'arena_end_challenge(text, integer, text, integer, boolean)',
    'arena_answer_call(text, text, integer, jsonb, text)',
    'arena_end_call(text, text, integer, text, text, integer)', 'arena_forget_calls()'
  ] loop
    execute format('revoke execute on function public.%s from public, anon, authenticated', name);
    execute format('grant execute on function public.%s to service_role', name);
  end loop;
end $$;
