-- Moves whose source was declared to function no longer (protocol §2.5): who said so, how long its
-- units wait, and what was heard of it after it had been fenced off. Times are milliseconds UTC.
create table dead_sources (
  move text primary key references moves (id),
  agreement text not null,
  line integer not null,
  source text not null,
  -- The pending that holds the units, and how many they are; a return makes a new one of what is left.
  pending text not null,
  units integer not null check (units >= 0),
  statement text not null,
  declared_by text not null,
  -- Who entered it at the desk; null where the target has signed it.
  entered_by text,
  declared_at integer not null,
  -- The latest horizon ever signed for the source, and when all of its leases must have ended.
  horizon integer not null,
  sunset integer not null,
  opens_at integer not null,
  -- The second person of an early release.
  approved_by text,
  approved_at integer,
  -- When the source was fenced and its units granted.
  granted_at integer,
  -- Units that may have two holders in that time; 0 where none can.
  risk_units integer not null,
  risk_from integer,
  risk_until integer,
  -- A message of the source after that.
  seen_at integer,
  seen_count integer not null,
  seen_said text
);
create index dead_sources_source on dead_sources (source);
create index dead_sources_agreement on dead_sources (agreement);
