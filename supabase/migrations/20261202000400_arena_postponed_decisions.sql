-- A decision that waits for a paused model keeps its attempts and says what it waits for.

-- Give back a decision that this lease did not try. False where the lease is no longer the newest.
create function arena_postpone_decision(p_decision text, p_lease integer, p_reason text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.arena_decisions
    set status = 'pending', attempt = attempt - 1, lease_until = null, queued_at = now(), reason = p_reason
    where decision_id = p_decision and status = 'running' and attempt = p_lease and settled_attempt < p_lease;
  return found;
end $$;
revoke execute on function arena_postpone_decision(text, integer, text) from public, anon, authenticated;
grant execute on function arena_postpone_decision(text, integer, text) to service_role;

-- As before, but a decision that was waiting keeps the true reason: `circuit_open:…` is skipped, a failure that was to be
-- tried again has failed with its own class.
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
    set status = case when d.status = 'pending' and d.reason like 'circuit_open:%' then 'skipped' else 'failed' end,
        finished_at = now(),
        reason = case when a.kind = 'entrant' then 'not_answered'
                      when d.status = 'pending' then coalesce(d.reason, 'round_closed') else 'round_closed' end,
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
