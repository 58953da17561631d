-- Units with licenses on them that a source has given up before the books had them committed to it: it had typed them from
-- the key pack of a move by telephone whose source has still to release. They are quarantined when they come, until those
-- licenses have ended (docs/protocol.md §2.2). Times are milliseconds UTC.
create table uncovered_releases (
  move text primary key references moves (id),
  agreement text not null,
  line integer not null,
  server text not null,
  units integer not null check (units > 0),
  ends_at integer not null
);
create index uncovered_releases_server on uncovered_releases (server);
