-- Units that came back while licenses on them could still run: quarantined until those have ended, then
-- in hand (protocol §2.4). Times are milliseconds UTC.
create table lapses (
  move text primary key references moves (id),
  agreement text not null,
  line integer not null,
  units integer not null check (units > 0),
  ends_at integer not null,
  ended_at integer
);
create index lapses_waiting on lapses (ends_at) where ended_at is null;
