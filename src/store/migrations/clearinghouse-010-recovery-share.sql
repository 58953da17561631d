-- How much of what is unissued comes at once, in percent, where CALs are recovered (protocol §5.5); the rest waits
-- for the horizon of the old server.
alter table agreements add column recovery_share integer not null default 100
  check (recovery_share between 0 and 100);

-- Of a recovery that does not wait: how many of its units may come at once; null: all.
alter table dead_sources add column at_once integer;
