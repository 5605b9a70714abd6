-- As before, and: markets and decisions that are opened with a round are that round's own.
create or replace function arena_open_round(p jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  made text;
  stray text;
begin
  select b.row ->> 'round_id' into stray
    from (select jsonb_array_elements(p -> 'markets') as row union all select jsonb_array_elements(p -> 'decisions')) b
    where b.row ->> 'round_id' is distinct from p -> 'round' ->> 'round_id' limit 1;
  if found then
    raise exception 'a market or decision of round % came with round %', stray, p -> 'round' ->> 'round_id'
      using errcode = '22023';
  end if;
  insert into public.arena_rounds
    select * from jsonb_populate_record(null::public.arena_rounds, p -> 'round')
    on conflict (slot) do nothing returning round_id into made;
  if made is null then
    return jsonb_build_object('opened', false, 'round_id',
      (select round_id from public.arena_rounds where slot = (p -> 'round' ->> 'slot')::timestamptz));
  end if;
  insert into public.arena_round_markets
    select * from jsonb_populate_recordset(null::public.arena_round_markets, p -> 'markets');
  insert into public.arena_decisions (decision_id, round_id, ticker, agent_id, track, status, reason)
    select d.decision_id, d.round_id, d.ticker, d.agent_id, d.track, coalesce(d.status, 'pending'), d.reason
    from jsonb_populate_recordset(null::public.arena_decisions, p -> 'decisions') d;
  return jsonb_build_object('opened', true, 'round_id', made);
end $$;
