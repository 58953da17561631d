-- Of a recovery that did not wait: when what of its units nobody has was set aside on the new server, as the old one was
-- heard of again, and who took that back (protocol §5.5). Times are milliseconds UTC.
alter table dead_sources add column suspended_at integer;
alter table dead_sources add column lifted_at integer;
alter table dead_sources add column lifted_by text;
