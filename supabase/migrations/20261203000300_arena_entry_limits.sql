-- Registrations are limited per network address, names that look alike are one name, an unanswered registration is
-- forgotten, and a new token replaces the old one when it is first used.

-- The address of whoever registered, as a keyed hash. It is kept for the hour in which it counts.
alter table arena_entrants add column registered_from text check (registered_from ~ '^[0-9a-f]{64}$');
-- A new token that was not used yet. Until then the old one works, so that a lost answer locks nobody out.
alter table arena_entrants add column next_token_hash text unique check (next_token_hash ~ '^[0-9a-f]{64}$');

-- What a reader takes a name for: letters that look alike are one letter; case, accents, spaces and signs do not count.
-- The second list of letters is what each of the first looks like (Cyrillic, Greek, Armenian, Latin, digits).
create function arena_name_key(p_name text) returns text language sql immutable set search_path = '' as $$
  select replace(replace(regexp_replace(lower(translate(
      regexp_replace(normalize(p_name, NFKD), '[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]', '', 'g'),
      'аАαΑɑвВβΒьƄсСϲϹԁԀđĐеЕεΕƒɡցһҺнНΗհħĦіІιΙıјЈյкКκΚӏӀłŁ1I|мМΜոηΝоОοΟσօøØ0рРρΡԛզѕЅтТτΤŧŦսυѵνԝԜωѡхХχΧуУγΥΖ',
      'aaaaabbbbbbccccddddeeeefgghhhhhhhhiiiiijjjkkkklllllllmmmnnnoooooooooppppqqssttttttuuvvwwwwxxxxyyyyz'
    )), '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f\u2190-\u2bff\u3000-\u303f]', '', 'g'),
    'i', 'l'), 'rn', 'm')
$$;

-- Register an agent that came from the address with the hash `p_from`: as arena_register_entrant, which it calls, or
-- {"error": "name" | "busy" | "address", "retry_after"?}. At most `p_most` may come from one address within an hour.
create function arena_register_entrant_from(p jsonb, p_from text, p_most integer) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  key text := public.arena_name_key(p ->> 'name');
  first timestamptz;
  number integer;
  made jsonb;
begin
  perform pg_advisory_xact_lock(hashtextextended('arena_entrants', 0));
  update public.arena_entrants set registered_from = null
    where registered_from is not null and created_at <= now() - interval '1 hour';
  select min(created_at), count(*) into first, number from public.arena_entrants where registered_from = p_from;
  if number >= p_most then
    return jsonb_build_object('error', 'address', 'retry_after',
      greatest(1, ceil(extract(epoch from first + interval '1 hour' - now()))::integer));
  end if;
  perform public.arena_forget_unclaimed();
  if key = '' or exists (select 1 from unnest(array['Coliseum', 'Operator', 'Admin', 'Administrator', 'Official', 'System',
                                                     'Moderator', 'Support']) reserved where key = public.arena_name_key(reserved))
     or exists (select 1 from public.arena_agents
                where key in (public.arena_name_key(name), public.arena_name_key(agent_id))) then
    return jsonb_build_object('error', 'name');
  end if;
  made := public.arena_register_entrant(p);
  update public.arena_entrants set registered_from = p_from where entrant_id = made ->> 'entrant_id';
  return made;
end $$;

-- Remove registrations that no operator admitted while their link worked. They hold a name and one of the places in the
-- queue. One that has left traces elsewhere stays.
create function arena_forget_unclaimed() returns void language plpgsql security definer set search_path = '' as $$
declare
  old text;
begin
  for old in
    select entrant_id from public.arena_entrants where status = 'pending' and claim_until <= now() for update skip locked
  loop
    begin
      delete from public.arena_entrants where entrant_id = old;
      delete from public.arena_endpoints where entrant_id = old;
      delete from public.arena_agents where agent_id = old;
    exception when foreign_key_violation then null;
    end;
  end loop;
end $$;

-- As before, and the first request with a new token ends the old one.
create or replace function arena_authorize_entrant(p_token_hash text, p_cost integer) returns jsonb
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
  if not found then
    update public.arena_entrants set token_hash = next_token_hash, next_token_hash = null
      where next_token_hash = p_token_hash;
    if found then return public.arena_authorize_entrant(p_token_hash, p_cost); end if;
    return jsonb_build_object('error', 'unknown');
  end if;
  if known.status <> 'active' then return jsonb_build_object('error', known.status, 'entrant_id', known.entrant_id); end if;
  return jsonb_build_object('error', 'rate', 'retry_after',
    greatest(1, ceil(extract(epoch from known.window_at + interval '1 minute' - now()))::integer));
end $$;

-- A new token beside the old one, which works until the new one is first used. A later call replaces a new token that
-- was not used. False where the old one is unknown.
create or replace function arena_rotate_token(p_token_hash text, p_new_hash text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.arena_entrants set next_token_hash = p_new_hash where token_hash = p_token_hash;
  return found;
end $$;

-- The operator gives an agent that lost its token, or lost it to somebody else, a new one. All others end at once.
create function arena_reissue_token(p_entrant text, p_new_hash text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.arena_entrants set token_hash = p_new_hash, next_token_hash = null, decided_at = now()
    where entrant_id = p_entrant;
  return found;
end $$;

-- As before, but an outside agent is public once it is active or was asked: a name that nobody has admitted is not.
create or replace view public_arena_agents as
  select agent_id, kind, name, model, tracks, status, season, created_at, params ->> 'rule' as rule
  from arena_agents a
  where kind <> 'entrant' or status = 'active' or exists (select 1 from arena_decisions d where d.agent_id = a.agent_id);

do $$
declare
  name text;
begin
  foreach name in array array[
    'arena_name_key(text)', 'arena_register_entrant_from(jsonb, text, integer)', 'arena_forget_unclaimed()',
    'arena_reissue_token(text, text)'
  ] loop
    execute format('revoke execute on function public.%s from public, anon, authenticated', name);
  end loop;
end $$;
revoke execute on function arena_register_entrant(jsonb), arena_forget_unclaimed() from service_role;
grant execute on function arena_register_entrant_from(jsonb, text, integer), arena_reissue_token(text, text) to service_role;
