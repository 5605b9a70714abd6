-- A claim link is not closed by wrong codes. A code has 256 random bits, so none can be guessed, while ids are public and
-- anyone could have closed the links of others.

create or replace function arena_read_claim(p_entrant text, p_claim_hash text) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('entrant_id', e.entrant_id, 'name', a.name, 'contact', e.contact, 'endpoint', e.endpoint,
    'status', e.status, 'created_at', e.created_at)
  from public.arena_entrants e join public.arena_agents a on a.agent_id = e.entrant_id
  where e.entrant_id = p_entrant and e.claim_hash = p_claim_hash and e.claim_until > now()
$$;
alter table arena_entrants drop column claim_tries;
