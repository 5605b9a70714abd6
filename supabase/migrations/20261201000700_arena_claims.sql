-- Claims about agents, registered before the forecasts that decide them, and what the leaderboards said about them.
-- A claim is public at once, is never changed or withdrawn, and counts only events that are first asked after it.

create table arena_claims (
  number bigint primary key check (number > 0),      -- 1, 2, 3 … in the order of registration
  claim_id text not null unique check (claim_id ~ '^[0-9a-f]{16}$'),
  claim text not null check (octet_length(claim) <= 4000), -- canonical JSON: sorted keys, no white space, ASCII
  seal text not null unique,                         -- sha256 of `claim`
  agent_id text not null references arena_agents,
  season text not null check (season ~ '^\d{4}Q[1-4]$'),
  track text not null check (track in ('blind', 'aware')),
  look_at timestamptz,                               -- the only look of a claim that is decided on a date
  registered_at timestamptz not null,
  previous text not null,                            -- `chain` of the claim before; 64 zeros for the first
  chain text not null unique                         -- sha256 of previous, seal and registered_at, a line each
);
create index on arena_claims (season, track);

-- What one leaderboard says about one claim. The first final row is the verdict, and nothing can follow it.
create table arena_claim_looks (
  claim_id text not null references arena_claims (claim_id),
  digest text not null references arena_reports (digest),
  verdict text not null check (verdict in ('supported', 'refuted', 'unresolved')),
  final boolean not null,
  reason text not null,
  numbers jsonb not null,
  looked_at timestamptz not null,
  primary key (claim_id, looked_at), -- a date can pass while the leaderboard stays the same
  check (final or verdict = 'unresolved')
);
create unique index arena_claim_verdicts on arena_claim_looks (claim_id) where final;

-- The time as it is sealed: UTC, microseconds.
create function arena_claim_time(p_at timestamptz) returns text language sql immutable set search_path = '' as $$
  select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- Whatever the writer sends, number, time, seal and chain are the database's.
create function arena_register() returns trigger language plpgsql set search_path = '' as $$
declare
  told jsonb := new.claim::jsonb;
  season_end timestamptz;
begin
  perform pg_advisory_xact_lock(hashtextextended('arena_claims', 0));
  new.registered_at := clock_timestamp();
  new.seal := encode(sha256(convert_to(new.claim, 'UTF8')), 'hex');
  new.claim_id := left(new.seal, 16);
  new.agent_id := told ->> 'agent';
  new.season := told -> 'population' ->> 'season';
  new.track := told -> 'population' ->> 'track';
  new.look_at := (told -> 'stopping' ->> 'at')::timestamptz;
  select coalesce(max(c.number), 0) + 1 into new.number from public.arena_claims c;
  select coalesce((select c.chain from public.arena_claims c where c.number = new.number - 1), repeat('0', 64))
    into new.previous;
  new.chain := encode(sha256(convert_to(
    new.previous || chr(10) || new.seal || chr(10) || public.arena_claim_time(new.registered_at), 'UTF8')), 'hex');
  season_end := make_timestamptz(left(new.season, 4)::integer, 1, 1, 0, 0, 0, 'UTC')
    + make_interval(months => 3 * right(new.season, 1)::integer);
  if season_end <= new.registered_at then
    raise exception 'season % is over: no event of it can count', new.season using errcode = '23514';
  end if;
  if new.look_at <= new.registered_at then
    raise exception 'the look at % is not after the registration', new.look_at using errcode = '23514';
  end if;
  return new;
end $$;
create trigger arena_claims_registered before insert on arena_claims
  for each row execute function arena_register();

create function arena_look() returns trigger language plpgsql set search_path = '' as $$
declare
  asked public.arena_claims;
  board public.arena_reports;
begin
  -- Two settlers at once: the second waits here and then sees the verdict of the first.
  select * into asked from public.arena_claims c where c.claim_id = new.claim_id;
  perform pg_advisory_xact_lock(hashtextextended('arena_claim:' || new.claim_id, 0));
  if exists (select 1 from public.arena_claim_looks l where l.claim_id = new.claim_id and l.final) then
    raise exception 'claim % has its verdict', new.claim_id using errcode = '23001';
  end if;
  new.looked_at := clock_timestamp();
  select * into board from public.arena_reports r where r.digest = new.digest;
  if (board.season, board.track) is distinct from (asked.season, asked.track) then
    raise exception 'claim % is about % %, and the leaderboard about % %', new.claim_id, asked.season, asked.track,
      board.season, board.track using errcode = '23514';
  end if;
  if new.final and new.looked_at < asked.look_at then
    raise exception 'claim % is not decided before %', new.claim_id, asked.look_at using errcode = '23514';
  end if;
  return new;
end $$;
create trigger arena_claim_looks_made before insert on arena_claim_looks
  for each row execute function arena_look();

create trigger arena_claims_kept before update or delete on arena_claims
  for each row execute function arena_keep();
create trigger arena_claims_whole before truncate on arena_claims
  for each statement execute function arena_keep();
create trigger arena_claim_looks_kept before update or delete on arena_claim_looks
  for each row execute function arena_keep();
create trigger arena_claim_looks_whole before truncate on arena_claim_looks
  for each statement execute function arena_keep();

-- Register a claim. The same claim again changes nothing: {"claim_id", "new"}.
create function arena_register_claim(p_claim text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  known text;
begin
  perform pg_advisory_xact_lock(hashtextextended('arena_claims', 0));
  select claim_id into known from public.arena_claims
    where seal = encode(sha256(convert_to(p_claim, 'UTF8')), 'hex');
  if known is not null then
    return jsonb_build_object('claim_id', known, 'new', false);
  end if;
  insert into public.arena_claims (claim) values (p_claim) returning claim_id into known;
  return jsonb_build_object('claim_id', known, 'new', true);
end $$;

-- Store looks. Those of claims that have a verdict change nothing.
-- Returns the claims that this call decided.
create function arena_save_looks(p_looks jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  look public.arena_claim_looks;
  decided jsonb := '[]';
begin
  for look in
    select * from jsonb_populate_recordset(null::public.arena_claim_looks, p_looks) l order by l.claim_id
  loop
    perform pg_advisory_xact_lock(hashtextextended('arena_claim:' || look.claim_id, 0));
    continue when exists (select 1 from public.arena_claim_looks l
                          where l.claim_id = look.claim_id and l.final);
    insert into public.arena_claim_looks select look.*;
    if look.final then decided := decided || to_jsonb(look.claim_id); end if;
  end loop;
  return decided;
end $$;

-- The events that a claim may count, as a JSON array: first asked after its registration by the clock of the round and
-- by the clock of the database, and not before `p_since`.
create function arena_claim_events(p_claim text, p_since timestamptz) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(e.event_ticker order by e.event_ticker), '[]')
  from (
    select m.event_ticker
    from public.arena_round_markets m
    join (
      select r.round_id, least(r.slot, r.opened_at,
        (select min(d.created_at) from public.arena_decisions d where d.round_id = r.round_id)) as began_at
      from public.arena_rounds r
    ) b using (round_id)
    group by m.event_ticker
    having min(b.began_at) > (select c.registered_at from public.arena_claims c where c.claim_id = p_claim)
      and min(b.began_at) >= coalesce(p_since, '-infinity')
  ) e
$$;

-- Whether a claim waits for a look that no new leaderboard would make: its date has passed since its last look, or the
-- newest leaderboard has not looked at it.
create function arena_claims_due(p_season text, p_track text) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (
    select 1 from public.arena_claims c
    left join lateral (
      select max(l.looked_at) as at, coalesce(bool_or(l.final), false) as final
      from public.arena_claim_looks l where l.claim_id = c.claim_id
    ) looked on true
    where c.season = p_season and c.track = p_track and not looked.final
      and ((c.look_at <= now() and coalesce(looked.at, '-infinity') < c.look_at)
        or exists (select 1 from public.arena_reports r where r.season = p_season and r.track = p_track
                   and r.created_at > greatest(c.registered_at, coalesce(looked.at, '-infinity'))))
  )
$$;

create view public_arena_claims as
  select c.number, c.claim_id, c.claim, c.seal, c.agent_id, c.season, c.track, c.registered_at, c.previous, c.chain,
         coalesce(l.verdict, 'unresolved') as verdict, coalesce(l.final, false) as final, l.reason, l.numbers, l.digest,
         l.looked_at,
         (select count(*) from arena_claims o where o.agent_id = c.agent_id and o.season = c.season) as registered
  from arena_claims c
  left join lateral (
    select o.* from arena_claim_looks o where o.claim_id = c.claim_id order by o.final desc, o.looked_at desc limit 1
  ) l on true;

alter table arena_claims enable row level security;
alter table arena_claim_looks enable row level security;
revoke all on arena_claims, arena_claim_looks from public, anon, authenticated, service_role;
grant select on arena_claims, arena_claim_looks to service_role;
revoke all on public_arena_claims from public, anon, authenticated, service_role;
grant select on public_arena_claims to anon, authenticated, service_role;
do $$
declare
  name text;
begin
  foreach name in array array[
    'arena_register_claim(text)', 'arena_save_looks(jsonb)', 'arena_claim_events(text, timestamptz)',
    'arena_claims_due(text, text)', 'arena_claim_time(timestamptz)', 'arena_register()', 'arena_look()'
  ] loop
    execute format('revoke execute on function public.%s from public, anon, authenticated', name);
  end loop;
  foreach name in array array[
    'arena_register_claim(text)', 'arena_save_looks(jsonb)', 'arena_claim_events(text, timestamptz)',
    'arena_claims_due(text, text)'
  ] loop
    execute format('grant execute on function public.%s to service_role', name);
  end loop;
end $$;
