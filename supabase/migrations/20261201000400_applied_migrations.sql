-- Lets `coliseum doctor` compare the migrations of a database with those of the project.

create function public.applied_migrations() returns text[]
    language plpgsql stable security definer
    set search_path = ''
    as $$
begin
    return (select array_agg(version order by version) from supabase_migrations.schema_migrations);
exception when undefined_table or invalid_schema_name or insufficient_privilege then
    return null;
end
$$;
comment on function public.applied_migrations() is
    'Versions of the applied migrations; null where they were applied without Supabase''s history table.';
revoke execute on function public.applied_migrations() from public, anon, authenticated;
grant execute on function public.applied_migrations() to service_role;
