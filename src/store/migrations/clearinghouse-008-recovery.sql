-- Whether the CALs of a server that comes back as a new one are its own at once, once in 12 months, or wait for
-- the horizon of the old one (protocol §5.5).
alter table agreements add column recovery text not null default 'immediate'
  check (recovery in ('immediate', 'wait'));

-- Of a server in whose place its target has come: why; and whether its units do not wait.
alter table dead_sources add column recovery text;
alter table dead_sources add column immediate integer not null default 0;
