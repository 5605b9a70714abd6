-- A model may be asked several times about one question. The payload then holds every probability under "replicates", and
-- the forecast is their mean. Scoring reads them from a column of their own, without the reasons that payloads hold.

alter table public.arena_forecasts
  add column replicates jsonb generated always as (payload -> 'replicates') stored;

alter table public.arena_forecasts add constraint arena_forecasts_replicates_check check (
  coalesce(jsonb_typeof(payload -> 'replicates'), 'null') = 'null'
  or (jsonb_typeof(payload -> 'replicates') = 'array' and jsonb_array_length(payload -> 'replicates') between 1 and 5)
);

comment on column public.arena_forecasts.replicates is
  'The probabilities of which p is the mean, as texts; null where the agent was asked once.';

create or replace view public.public_arena_forecasts as
  select f.forecast_id, f.seal, f.round_id, f.ticker, f.agent_id, f.track, f.created_at,
         r.closes_at <= now() as opened,
         case when r.closes_at <= now() then f.p end as p,
         case when r.closes_at <= now() then f.low end as low,
         case when r.closes_at <= now() then f.high end as high,
         case when r.closes_at <= now() then f.abstain end as abstain,
         case when r.closes_at <= now() then f.payload end as payload,
         r.season, r.closes_at,
         case when r.closes_at <= now() then f.replicates end as replicates
  from public.arena_forecasts f join public.arena_rounds r using (round_id);
