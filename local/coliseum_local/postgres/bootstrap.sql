-- What the hosted service has before the first migration. Kept out of the migrations: the cloud has it already.
do $$
begin
    if to_regrole('anon') is null then create role anon nologin noinherit; end if;
    if to_regrole('authenticated') is null then create role authenticated nologin noinherit; end if;
    if to_regrole('service_role') is null then create role service_role nologin noinherit bypassrls; end if;
    if to_regrole('authenticator') is null then create role authenticator nologin noinherit; end if;
end
$$;
grant anon, authenticated, service_role to authenticator;
grant usage on schema public to anon, authenticated, service_role;
create schema if not exists extensions;
grant usage on schema extensions to anon, authenticated, service_role;
create schema if not exists auth;
grant usage on schema auth to anon, authenticated, service_role;
do $$
begin
    if to_regproc('auth.role') is null then
        create function auth.role() returns text language sql stable set search_path = ''
            as $f$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' $f$;
    end if;
    if to_regproc('auth.uid') is null then
        create function auth.uid() returns uuid language sql stable set search_path = ''
            as $f$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $f$;
    end if;
    if to_regproc('auth.jwt') is null then
        create function auth.jwt() returns jsonb language sql stable set search_path = ''
            as $f$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $f$;
    end if;
end
$$;
