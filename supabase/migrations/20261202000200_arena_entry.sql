-- Outside agents (entrants): registration, tokens, limits, questions and forecasts.
-- A forecast is stored by one function. It takes the token's hash, a question and numbers, and builds every id itself.
-- Mistakes of a caller come back as {"error": …}; nothing is stored then.

create table arena_entrants (
  entrant_id text primary key references arena_agents (agent_id),
  token_hash text not null unique check (token_hash ~ '^[0-9a-f]{64}$'),
  contact text not null check (char_length(contact) between 3 and 200),
  endpoint text check (char_length(endpoint) <= 500),
  status text not null check (status in ('pending', 'active', 'banned')),
  requests_per_minute integer not null check (requests_per_minute between 1 and 6000),
  forecasts_per_day integer not null check (forecasts_per_day between 0 and 100000),
  window_at timestamptz not null default now(),      -- the minute in which `used` requests were counted
  used integer not null default 0,
  claim_hash text not null check (claim_hash ~ '^[0-9a-f]{64}$'),
  claim_until timestamptz not null,
  claim_tries integer not null default 0,            -- wrong codes; after five the link is dead
  created_at timestamptz not null default now(),
  decided_at timestamptz                             -- when an operator admitted, limited or banned it
);
create index on arena_entrants (created_at);

-- Register: {"entrant_id"} or {"error": "name" | "busy", "retry_after"?}. At most 100 wait for the operator at a time,
-- and at most 60 register within an hour.
create function arena_register_entrant(p jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
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
  return jsonb_build_object('entrant_id', made);
end $$;

-- Count `p_cost` requests of a token, in one statement, so that many at once cannot exceed the limit together.
-- {"entrant_id", "status", …} or {"error": "unknown" | "pending" | "banned" | "rate", "retry_after"?}.
create function arena_authorize_entrant(p_token_hash text, p_cost integer) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  known public.arena_entrants;
begin
  update public.arena_entrants
    set used = case when window_at <= now() - interval '1 minute' then p_cost else used + p_cost end,
        window_at = case when window_at <= now() - interval '1 minute' then now() else window_at end
    where token_hash = p_token_hash and status = 'active'
      and (window_at <= now() - interval '1 minute' or used + p_cost <= requests_per_minute)
    returning * into known;
  if found then
    return jsonb_build_object('entrant_id', known.entrant_id, 'status', known.status,
      'requests_per_minute', known.requests_per_minute, 'forecasts_per_day', known.forecasts_per_day);
  end if;
  select * into known from public.arena_entrants where token_hash = p_token_hash;
  if not found then return jsonb_build_object('error', 'unknown'); end if;
  if known.status <> 'active' then return jsonb_build_object('error', known.status, 'entrant_id', known.entrant_id); end if;
  return jsonb_build_object('error', 'rate', 'retry_after',
    greatest(1, ceil(extract(epoch from known.window_at + interval '1 minute' - now()))::integer));
end $$;

-- The open questions that an entrant has not answered, after the question `p_after`, with the whole frozen context.
create function arena_entrant_questions(p_entrant text, p_after text, p_limit integer) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(q) order by q.question_id), '[]') from (
    select m.round_id || '.' || m.ticker as question_id, m.round_id, m.ticker, r.closes_at, m.context, m.context_hash
    from public.arena_rounds r join public.arena_round_markets m using (round_id)
    where r.status = 'open' and r.closes_at > now() and r.exchange <> 'replay'
      and m.round_id || '.' || m.ticker > p_after
      and not exists (select 1 from public.arena_forecasts f
                      where f.forecast_id = m.round_id || '/' || m.ticker || '/' || p_entrant || '/open')
    order by 1 limit p_limit) q
$$;

-- One question of a round, open or over: {"round_id", "ticker", "closes_at", "context_hash", …} or null.
create function arena_entrant_question(p_entrant text, p_question text) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('question_id', p_question, 'round_id', m.round_id, 'ticker', m.ticker,
    'closes_at', r.closes_at, 'context', m.context, 'context_hash', m.context_hash,
    'open', r.status = 'open' and r.closes_at > now(),
    'forecast_id', f.forecast_id, 'seal', f.seal)
  from public.arena_round_markets m join public.arena_rounds r using (round_id)
  left join public.arena_forecasts f on f.forecast_id = m.round_id || '/' || m.ticker || '/' || p_entrant || '/open'
  where r.exchange <> 'replay' and m.round_id = split_part(p_question, '.', 1)
    and m.ticker = substr(p_question, strpos(p_question, '.') + 1)
$$;

-- Store an entrant's only forecast of a question: {"forecast_id", "seal", "created_at"}, or
-- {"error": "unknown" | "pending" | "banned" | "question" | "late" | "second" | "day", …}.
create function arena_submit_forecast(p_token_hash text, p_question text, p_payload jsonb, p_seal text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  known public.arena_entrants;
  asked record;
  decision text;
  stored public.arena_forecasts;
begin
  -- The row is locked: two forecasts at once of the same entrant come one after the other.
  select * into known from public.arena_entrants where token_hash = p_token_hash for update;
  if not found then return jsonb_build_object('error', 'unknown'); end if;
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

-- A new token for the old one, which no longer works. False where the old one is unknown.
create function arena_rotate_token(p_token_hash text, p_new_hash text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.arena_entrants set token_hash = p_new_hash where token_hash = p_token_hash;
  return found;
end $$;

-- What an entrant may know of itself: its questions since it was active, which it answered, and its scores.
-- `brier` is the mean of (p - result)² over its settled forecasts, `market_brier` the price's over the same questions.
create function arena_entrant_record(p_entrant text) returns jsonb
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
        order by round_id desc, ticker limit 50) m), '[]'))
  from asked
$$;

-- The outside agents that a new round asks: active, and with a forecast in the last seven days.
create function arena_playing_entrants() returns jsonb language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(e.entrant_id order by e.entrant_id), '[]') from public.arena_entrants e
  where e.status = 'active' and exists (
    select 1 from public.arena_forecasts f
    where f.agent_id = e.entrant_id and f.created_at > now() - interval '7 days')
$$;

-- What the operator sees. Contacts and endpoints are in no public view.
create function arena_list_entrants() returns jsonb language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'entrant_id', e.entrant_id, 'name', a.name, 'contact', e.contact, 'endpoint', e.endpoint, 'status', e.status,
    'requests_per_minute', e.requests_per_minute, 'forecasts_per_day', e.forecasts_per_day,
    'created_at', e.created_at, 'decided_at', e.decided_at,
    'forecasts', (select count(*) from public.arena_forecasts f where f.agent_id = e.entrant_id))
    order by e.created_at desc, e.entrant_id), '[]')
  from public.arena_entrants e join public.arena_agents a on a.agent_id = e.entrant_id
$$;

-- The operator's decision. Null where there is no such entrant. Open questions of a banned one end unanswered.
create function arena_set_entrant(p_entrant text, p_status text, p_requests integer, p_forecasts integer) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  known public.arena_entrants;
begin
  update public.arena_entrants
    set status = coalesce(p_status, status), requests_per_minute = coalesce(p_requests, requests_per_minute),
        forecasts_per_day = coalesce(p_forecasts, forecasts_per_day), decided_at = now()
    where entrant_id = p_entrant returning * into known;
  if not found then return null; end if;
  update public.arena_agents
    set status = case known.status when 'active' then 'active' when 'banned' then 'retired' else 'paused' end
    where agent_id = p_entrant;
  return jsonb_build_object('entrant_id', known.entrant_id, 'status', known.status,
    'requests_per_minute', known.requests_per_minute, 'forecasts_per_day', known.forecasts_per_day);
end $$;

-- Look at a registration through its link. It changes nothing but the count of wrong codes.
create function arena_read_claim(p_entrant text, p_claim_hash text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  known public.arena_entrants;
begin
  select * into known from public.arena_entrants where entrant_id = p_entrant for update;
  if not found or known.claim_until <= now() or known.claim_tries >= 5 then return null; end if;
  if known.claim_hash <> p_claim_hash then
    update public.arena_entrants set claim_tries = claim_tries + 1 where entrant_id = p_entrant;
    return null;
  end if;
  return jsonb_build_object('entrant_id', known.entrant_id,
    'name', (select name from public.arena_agents where agent_id = p_entrant),
    'contact', known.contact, 'endpoint', known.endpoint, 'status', known.status, 'created_at', known.created_at);
end $$;

alter table arena_entrants enable row level security;
revoke all on arena_entrants from public, anon, authenticated, service_role;
do $$
declare
  name text;
begin
  foreach name in array array[
    'arena_register_entrant(jsonb)', 'arena_authorize_entrant(text, integer)',
    'arena_entrant_questions(text, text, integer)', 'arena_entrant_question(text, text)',
    'arena_submit_forecast(text, text, jsonb, text)', 'arena_rotate_token(text, text)', 'arena_entrant_record(text)',
    'arena_list_entrants()', 'arena_playing_entrants()', 'arena_set_entrant(text, text, integer, integer)', 'arena_read_claim(text, text)'
  ] loop
    execute format('revoke execute on function public.%s from public, anon, authenticated', name);
    execute format('grant execute on function public.%s to service_role', name);
  end loop;
end $$;
