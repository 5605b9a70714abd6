-- Endpoints: a repaired one is asked again what it had failed; silence for a week ends being asked, as for other agents;
-- a proof clears the problem before it; and no row of secrets can be quoted by an error about a problem's length.

-- As before, but the proof of an endpoint counts for a week, like a forecast.
create or replace function arena_playing_entrants() returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(e.entrant_id order by e.entrant_id), '[]') from public.arena_entrants e
  where e.status = 'active' and (
    exists (select 1 from public.arena_forecasts f
            where f.agent_id = e.entrant_id and f.created_at > now() - interval '7 days')
    or exists (select 1 from public.arena_endpoints n
               where n.entrant_id = e.entrant_id and n.status = 'ready' and n.proven_at > now() - interval '7 days'))
$$;

-- Calls that run store nothing any more, and questions whose answers could not be used may be asked again.
create function arena_restart_calls(p_entrant text) returns void language sql set search_path = '' as $$
  update public.arena_calls set status = 'waiting', attempt = attempt + 1, wrong = 0, lease_until = null
    where entrant_id = p_entrant and status in ('calling', 'failed')
$$;

create or replace function arena_set_endpoint(p_token_hash text, p_endpoint text, p_secret text) returns jsonb
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
  perform public.arena_restart_calls(mine);
  return counted;
end $$;

create or replace function arena_resume_endpoint(p_token_hash text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  counted jsonb := public.arena_count_endpoint_change(p_token_hash);
begin
  if counted ? 'error' then return counted; end if;
  update public.arena_endpoints
    set status = 'unproven', problems = 0, next_call_at = now(), lease = lease + 1, lease_until = null
    where entrant_id = counted ->> 'entrant_id';
  if not found then return jsonb_build_object('error', 'no_endpoint'); end if;
  perform public.arena_restart_calls(counted ->> 'entrant_id');
  return counted;
end $$;

create or replace function arena_note_endpoint_problem(
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
      problems = number, problem = left(p_problem, 300), problem_at = clock_timestamp(), lease_until = null,
      status = case when p_stop or number >= case known.status when 'unproven' then 5 else 8 end then 'paused'
                    else known.status end,
      next_call_at = clock_timestamp() + make_interval(secs => greatest(
        least(900, 30 * 2 ^ least(number - 1, 10)), least(3600, coalesce(p_retry_after, 0))))
    where entrant_id = p_entrant;
end $$;

create or replace function arena_end_challenge(
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
      set status = 'ready', problems = 0, problem = null, problem_at = null, proven_at = now(), lease_until = null,
          next_call_at = now()
      where entrant_id = p_entrant;
  else
    perform public.arena_note_endpoint_problem(p_entrant, known.asked_at, p_problem, p_retry_after, p_stop);
  end if;
  return true;
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
    update public.arena_endpoints set problems = 0, next_call_at = now()
      where entrant_id = p_entrant and problems > 0 and status = 'ready';
  else
    perform public.arena_note_endpoint_problem(
      p_entrant, ended.called_at, p_problem, p_retry_after, p_outcome = 'stop');
  end if;
  return true;
end $$;

revoke execute on function arena_restart_calls(text) from public, anon, authenticated, service_role;
