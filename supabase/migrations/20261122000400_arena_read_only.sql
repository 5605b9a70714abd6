-- A hosted project may hand every new view to everyone, writing included (projects made before the end of October 2026
-- do). A view over one table can be written through, past the table's row security. So, as for every other view:
-- reading, and nothing else.
do $$
declare
  name text;
begin
  foreach name in array array[
    'public_arena_agents', 'public_arena_rounds', 'public_arena_forecasts', 'public_arena_seal_roots',
    'public_arena_results', 'public_arena_ledger', 'public_arena_reports', 'public_arena_marks', 'public_arena_stops'
  ] loop
    execute format('revoke all on public.%I from public, anon, authenticated, service_role', name);
    execute format('grant select on public.%I to anon, authenticated, service_role', name);
  end loop;
end $$;

-- A stop tells what an account is worth to the digit, and so what it bought: it waits for the rounds that were open
-- when it was made, as marks do.
create or replace view public_arena_stops as
  select s.account_id, a.season, a.agent_id, a.policy, s.day, s.reason, s.equity, s.reference, s.at
  from arena_stops s join arena_accounts a using (account_id)
  where s.at < coalesce((select min(r.opened_at) from arena_rounds r where r.closes_at > now()), 'infinity');
