-- Units of moves of a fenced source for other lines than it was declared dead for, which may have two holders between the
-- two times, should it live. Those of its own line stand with the declaration (dead_sources).
create table fenced_risks (
  move text primary key references moves (id),
  agreement text not null,
  line integer not null,
  source text not null,
  units integer not null check (units > 0),
  risk_from integer not null,
  risk_until integer not null
);
create index fenced_risks_agreement on fenced_risks (agreement);
