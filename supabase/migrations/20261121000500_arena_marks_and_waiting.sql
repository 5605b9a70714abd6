-- What each paper account was worth over time: the equity curve, and the ground for its loss limits.
create table arena_marks (
  account_id text not null references arena_accounts,
  at timestamptz not null,
  cash numeric not null,
  equity numeric not null,                 -- cash plus positions at the bid after fee
  primary key (account_id, at)
);
alter table arena_marks enable row level security;
revoke all on arena_marks from anon, authenticated;
grant select, insert, update, delete on arena_marks to service_role;

create view public_arena_marks as
  select m.account_id, a.season, a.agent_id, a.policy, m.at, m.cash, m.equity
  from arena_marks m join arena_accounts a using (account_id);
grant select on public_arena_marks to anon, authenticated, service_role;

-- Markets whose outcome is still open, or young enough to be amended.
create view arena_waiting_tickers as
  select distinct m.ticker from arena_round_markets m
  where not exists (
    select 1 from arena_results r where r.ticker = m.ticker and r.recorded_at < now() - interval '7 days'
      and r.version = (select max(o.version) from arena_results o where o.ticker = m.ticker)
  );
revoke all on arena_waiting_tickers from anon, authenticated;
grant select on arena_waiting_tickers to service_role;
