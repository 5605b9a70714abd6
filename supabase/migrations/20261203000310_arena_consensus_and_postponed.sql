-- A postponed decision is not handed out again before its time, and the consensus answers while its book may be traded.

-- Give back a decision that this lease did not try: it is on the queue for `p_seconds`. False where the lease is no
-- longer the newest.
drop function arena_postpone_decision(text, integer, text);
create function arena_postpone_decision(p_decision text, p_lease integer, p_reason text, p_seconds double precision default 0)
returns boolean language plpgsql security definer set search_path = '' as $$
begin
  update public.arena_decisions
    set status = 'pending', attempt = attempt - 1, lease_until = null, reason = p_reason,
        queued_at = now() + make_interval(secs => greatest(0, least(p_seconds, 3600)))
    where decision_id = p_decision and status = 'running' and attempt = p_lease and settled_attempt < p_lease;
  return found;
end $$;
revoke execute on function arena_postpone_decision(text, integer, text, double precision) from public, anon, authenticated;
grant execute on function arena_postpone_decision(text, integer, text, double precision) to service_role;

-- As before, but the consensus waits for the others for nine minutes at most: this function runs every five minutes, and
-- a forecast that is sealed more than 15 minutes after the book was read is not traded. With 0 seconds, which is the
-- operator's order, postponed decisions are handed out at once.
create or replace function arena_hand_out(p_again integer, p_attempts integer) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  given jsonb;
  lost text;
begin
  update public.arena_decisions
    set status = 'failed', reason = 'lease_expired', finished_at = now(),
        lease_until = case when reserved_usd > 0 then lease_until end
    where status = 'running' and lease_until < now() and attempt >= p_attempts;
  for lost in
    select decision_id from public.arena_decisions where reserved_usd > 0 and lease_until < now()
    for update skip locked -- from here on the budget is locked: no waiting for another decision
  loop
    perform public.arena_write_off(lost);
  end loop;
  with due as (
    select d.decision_id, md5(r.seed || d.decision_id) as turn
    from public.arena_rounds r
    join public.arena_decisions d using (round_id)
    join public.arena_agents a using (agent_id)
    join public.arena_round_markets m on m.round_id = d.round_id and m.ticker = d.ticker
    where r.status = 'open' and r.closes_at > now()
      and case d.status
            when 'pending' then d.queued_at is null or p_again = 0 or d.queued_at < now() - make_interval(secs => p_again)
            when 'running' then d.lease_until < now() and coalesce(d.queued_at < d.lease_until, true)
            else false end
      and a.kind <> 'entrant'
      and (a.kind <> 'llm' or r.funded_at is not null)
      and (a.kind <> 'consensus'
        or now() >= least(r.opened_at + (r.closes_at - r.opened_at) * 2 / 3, m.snapshot_at + interval '9 minutes')
        or not exists (
            select 1 from public.arena_decisions o join public.arena_agents b using (agent_id)
            where o.round_id = d.round_id and b.kind not in ('consensus', 'entrant')
              and o.status in ('pending', 'running')))
    for update of d skip locked
  ), marked as (
    update public.arena_decisions d set queued_at = now() from due where d.decision_id = due.decision_id
      returning d.decision_id, due.turn
  )
  select coalesce(jsonb_agg(decision_id order by turn), '[]') into given from marked;
  return given;
end $$;
