-- A leaderboard takes minutes to make. If the date of a claim comes meanwhile, the look is stored after the date although
-- it was made before. Such a look must be repeated, also if no new leaderboard is due.

create or replace function arena_claims_due(p_season text, p_track text) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (
    select 1 from public.arena_claims c
    left join lateral (
      select max(l.looked_at) as at, coalesce(bool_or(l.final), false) as final
      from public.arena_claim_looks l where l.claim_id = c.claim_id
    ) looked on true
    where c.season = p_season and c.track = p_track and not looked.final
      -- No function runs longer than a quarter of an hour.
      and ((c.look_at <= now() and coalesce(looked.at, '-infinity') < c.look_at + interval '15 minutes')
        or exists (select 1 from public.arena_reports r where r.season = p_season and r.track = p_track
                   and r.created_at > greatest(c.registered_at, coalesce(looked.at, '-infinity'))))
  )
$$;
