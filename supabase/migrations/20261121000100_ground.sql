-- What every later migration stands on: a schema the data API does not show, and a way to ask whether we are here.

create schema if not exists private;
revoke all on schema private from public;

create function public.ping() returns text
    language sql stable
    set search_path = ''
    as $$ select 'pong' $$;

comment on function public.ping() is 'Answers where the migrations were applied; the health check calls it.';
revoke execute on function public.ping() from public, anon, authenticated;
grant execute on function public.ping() to service_role;
