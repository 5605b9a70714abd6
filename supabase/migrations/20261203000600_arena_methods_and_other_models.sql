-- A prompt variant is an agent of its own: what is public of it gains its method, the working steps of its prompt. Where another
-- model replied than the one asked, the sealed payload names it under "served_model". What is public of a forecast and of an agent
-- shows that.

create index arena_forecasts_other_model on public.arena_forecasts (agent_id) where payload ? 'served_model';

create or replace view public.public_arena_agents as
  select a.agent_id, a.kind, a.name, a.model, a.tracks, a.status, a.season, a.created_at, a.params ->> 'rule' as rule,
         a.params ->> 'method' as method,
         (select count(*) from public.arena_forecasts f join public.arena_rounds r using (round_id)
          where f.agent_id = a.agent_id and f.payload ? 'served_model' and r.closes_at <= now()) as other_model_forecasts
  from public.arena_agents a
  where a.kind <> 'entrant' or a.status = 'active'
     or exists (select 1 from public.arena_decisions d where d.agent_id = a.agent_id);

create or replace view public.public_arena_forecasts as
  select f.forecast_id, f.seal, f.round_id, f.ticker, f.agent_id, f.track, f.created_at,
         r.closes_at <= now() as opened,
         case when r.closes_at <= now() then f.p end as p,
         case when r.closes_at <= now() then f.low end as low,
         case when r.closes_at <= now() then f.high end as high,
         case when r.closes_at <= now() then f.abstain end as abstain,
         case when r.closes_at <= now() then f.payload end as payload,
         r.season, r.closes_at,
         case when r.closes_at <= now() then f.replicates end as replicates,
         case when r.closes_at <= now() then f.payload ->> 'served_model' end as served_model
  from public.arena_forecasts f join public.arena_rounds r using (round_id);
