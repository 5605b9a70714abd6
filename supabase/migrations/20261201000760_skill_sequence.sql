-- The bounds of the mean skill that hold at every look, board by board. Boards of earlier rules do not have them.
create or replace view public_arena_standings as
  select p.season, p.track, p.as_of, p.known_at, p.digest, line ->> 'agent' as agent_id,
         (line ->> 'rank')::integer as rank, (line ->> 'tier')::integer as tier, (line ->> 'listed')::boolean as listed,
         line ->> 'separated' as separated,
         (own ->> 'skill')::double precision as skill,
         (own -> 'skill_interval' ->> 0)::double precision as skill_low,
         (own -> 'skill_interval' ->> 1)::double precision as skill_high,
         (own ->> 'skill_events')::integer as events,
         (own ->> 'log10_evidence')::double precision as log10_evidence,
         (own -> 'skill_sequence' ->> 0)::double precision as skill_sequence_low,
         (own -> 'skill_sequence' ->> 1)::double precision as skill_sequence_high,
         (own ->> 'skill_sequence_clusters')::integer as skill_sequence_clusters
  from arena_reports p
  cross join lateral jsonb_array_elements(p.report -> 'standings') line
  cross join lateral (select p.report #> array['report', 'slices', 'all', line ->> 'agent'] as own) numbers;

revoke all on public_arena_standings from anon, authenticated;
grant select on public_arena_standings to anon, authenticated, service_role;
