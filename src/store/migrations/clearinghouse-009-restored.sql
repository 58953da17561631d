-- Each time that this clearinghouse was restored from a backup (protocol §5.6). Times are milliseconds UTC.
create table recoveries (
  epoch integer primary key,
  at integer not null,
  -- As of when the backup was.
  backup_at integer not null
);

-- The license servers of each agreement whose reports are waited for since the last of them; one with an
-- empty id stands for those that the backup does not know.
create table recovery_servers (
  agreement text not null,
  license_server_id text not null,
  state text not null check (state in ('awaited', 'uncovered', 'certificate', 'done', 'opened')),
  -- Its latest horizon, as far as it can have been moved on before the restore: then nothing is waited for.
  until integer not null,
  -- CALs that it has and that nothing is in hand for.
  missing integer not null,
  changed_at integer not null,
  primary key (agreement, license_server_id)
) without rowid;
