-- More ids that must belong together, and no trade at the prices of a book that was old when the forecast was sealed.

-- The parts of an id are those of its row. Everything that reads an id relies on this.
alter table arena_decisions add constraint arena_decisions_id_check
  check (decision_id = round_id || '/' || ticker || '/' || agent_id || '/' || track);
alter table arena_accounts add constraint arena_accounts_id_check
  check (account_id = season || '/' || agent_id || '/' || policy);
-- Outside agents can read prices until a round closes, so that the book of its opening would be a gift to them.
alter table arena_accounts add constraint arena_accounts_entrant_check check (agent_id not like 'e-%');
-- A lease that was never given settles nothing.
alter table arena_decisions add constraint arena_decisions_settled_check check (settled_attempt <= attempt);

-- A decision is for an agent that plays its track; one of an outside agent is never paid for by us.
create function arena_check_decision() returns trigger language plpgsql set search_path = '' as $$
declare
  asked public.arena_agents;
begin
  select * into asked from public.arena_agents where agent_id = new.agent_id;
  if tg_op = 'INSERT' and not new.track = any (asked.tracks) then
    raise exception 'agent % does not play the track %', new.agent_id, new.track using errcode = '23514';
  end if;
  if asked.kind = 'entrant' and new.reserved_usd > 0 then
    raise exception 'decision % is of an outside agent, for which no money is set aside', new.decision_id
      using errcode = '23514';
  end if;
  if tg_op = 'UPDATE' and (new.decision_id, new.round_id, new.ticker, new.agent_id, new.track, new.created_at)
      is distinct from (old.decision_id, old.round_id, old.ticker, old.agent_id, old.track, old.created_at) then
    raise exception 'decision % keeps its round, market, agent and track', old.decision_id using errcode = '23001';
  end if;
  return new;
end $$;
create trigger arena_decisions_checked before insert or update on arena_decisions
  for each row execute function arena_check_decision();

-- An attempt was leased before it was made.
create function arena_check_attempt() returns trigger language plpgsql set search_path = '' as $$
declare
  leased integer;
begin
  select d.attempt into leased from public.arena_decisions d where d.decision_id = new.decision_id;
  if new.attempt < 1 or new.attempt > leased then
    raise exception 'attempt % of % was never leased: there were %', new.attempt, new.decision_id, leased
      using errcode = '23514';
  end if;
  return new;
end $$;
create trigger arena_attempts_checked before insert on arena_attempts
  for each row execute function arena_check_attempt();

-- As before, and: an order is the account's own answer to a forecast that it follows, in that forecast's market, and
-- the forecast was sealed within 15 minutes after the book that it trades.
create or replace function arena_write_books(p_account text, p_after bigint, p_rows jsonb, p_note jsonb default null)
returns text language plpgsql security definer set search_path = '' as $$
declare
  stands bigint;
begin
  select seq into stands from public.arena_books where account_id = p_account for update;
  if stands is null then raise exception 'no account %', p_account using errcode = '23503'; end if;
  if p_note is not null then
    perform public.arena_check_order(p_account, p_rows, p_note);
    if exists (select 1 from public.arena_paper_decisions d
               where d.decision_id = p_note ->> 'decision_id' and d.account_id = p_account) then
      return 'repeated';
    end if;
    if exists (select 1 from jsonb_array_elements(p_rows) r
               join public.arena_results o on o.ticker = r ->> 'ticker') then
      return 'settled';
    end if;
  elsif exists (select 1 from jsonb_array_elements(p_rows) r where r ->> 'kind' not in ('settle', 'reverse')) then
    raise exception 'rows of % are no pay-out and name no forecast', p_account using errcode = '23514';
  elsif not exists (
    select 1 from jsonb_array_elements(p_rows) r
    where not exists (select 1 from public.arena_ledger l where l.account_id = p_account and l.key = r ->> 'key')
  ) then
    return 'repeated';
  end if;
  if jsonb_array_length(p_rows) > 0 then
    if stands <> p_after then return 'moved'; end if;
    perform public.arena_book_rows(p_account, p_rows);
  end if;
  if p_note is not null then
    insert into public.arena_paper_decisions
      (decision_id, account_id, action, reason, side, contracts, average_price, fee, detail)
      select n.decision_id, p_account, n.action, n.reason, n.side, n.contracts, n.average_price, n.fee,
             coalesce(n.detail, '{}')
      from jsonb_populate_record(null::public.arena_paper_decisions, p_note) n;
  end if;
  return 'written';
end $$;

create function arena_check_order(p_account text, p_rows jsonb, p_note jsonb) returns void
language plpgsql stable security definer set search_path = '' as $$
declare
  said public.arena_forecasts;
  frozen public.arena_round_markets;
begin
  select * into said from public.arena_forecasts where forecast_id = p_note ->> 'decision_id';
  if said.forecast_id is null then
    raise exception 'no forecast %', p_note ->> 'decision_id' using errcode = '23503';
  end if;
  if not exists (
    select 1 from public.arena_accounts a join public.arena_rounds r on r.round_id = said.round_id
    where a.account_id = p_account and (a.agent_id, a.track, a.season) = (said.agent_id, said.track, r.season)
  ) then
    raise exception 'account % does not follow forecast %', p_account, said.forecast_id using errcode = '23514';
  end if;
  if (p_note ->> 'action' = 'trade') is distinct from (jsonb_array_length(p_rows) > 0) then
    raise exception 'decision % of % has other rows than its action', said.forecast_id, p_account using errcode = '23514';
  end if;
  if exists (
    select 1 from jsonb_array_elements(p_rows) r
    where coalesce(r ->> 'kind', '') not in ('buy', 'close', 'fee') or r ->> 'ticker' is distinct from said.ticker
      or r ->> 'round_id' is distinct from said.round_id
      or not starts_with(coalesce(r ->> 'key', ''), said.forecast_id || '/')
  ) then
    raise exception 'rows of % are not an order for forecast %', p_account, said.forecast_id using errcode = '23514';
  end if;
  select * into frozen from public.arena_round_markets where (round_id, ticker) = (said.round_id, said.ticker);
  if jsonb_array_length(p_rows) > 0 and said.created_at > frozen.snapshot_at + interval '15 minutes' then
    raise exception 'forecast % came too late for the book of %', said.forecast_id, frozen.snapshot_at
      using errcode = '23514';
  end if;
end $$;

do $$
declare
  name text;
begin
  foreach name in array array[
    'arena_check_decision()', 'arena_check_attempt()', 'arena_check_order(text, jsonb, jsonb)'
  ] loop
    execute format('revoke execute on function public.%s from public, anon, authenticated, service_role', name);
  end loop;
end $$;
