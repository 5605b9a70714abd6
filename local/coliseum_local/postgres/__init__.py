"""Postgres on one machine, as the functions know it from Supabase: an embedded server under a PostgREST subset."""
