-- Feeds that are not in the list any more: forgotten with their sources, or read as settlement sources only.
create function arena_unlist_feeds(p_listed text[]) returns void
language plpgsql security definer set search_path = '' as $$
begin
  update public.arena_source_feeds set origin = 'settlement'
    where origin = 'list' and url <> all (p_listed) and series <> '{}';
  delete from public.arena_source_feeds where origin = 'list' and url <> all (p_listed);
end $$;
revoke execute on function arena_unlist_feeds(text[]) from public, anon, authenticated;
grant execute on function arena_unlist_feeds(text[]) to service_role;
