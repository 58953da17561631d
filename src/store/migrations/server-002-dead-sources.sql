-- License servers that were declared to function no longer, on the target of the move (protocol §2.5), and
-- what their holders are given until their CALs are here (§1.5). Times are milliseconds UTC.
create table dead_sources (
  move text primary key references moves (id),
  line_id integer not null references lines (id),
  source text not null,
  statement text not null,
  declared_by text not null,
  -- When the source may give nothing more to new holders, and when all its leases have ended; null: not told.
  horizon integer,
  opens_at integer,
  state text not null check (state in ('asked', 'waiting', 'granted', 'over'))
);
create index dead_sources_source on dead_sources (line_id, source);

-- Licenses that bridge the gap: once for each holder of a dead source that showed its token.
create table gap_licenses (
  id integer primary key,
  line_id integer not null references lines (id),
  product text not null,
  holder text not null,
  -- The pseudonym in the gap license's own token, and the one that the shown token has.
  sub text not null,
  source_sub text not null,
  source text not null,
  origin text not null,
  -- When the shown token ends or has ended.
  lease_end integer not null,
  jti text not null,
  generation integer not null,
  log_size integer not null,
  log_root text not null,
  issued_at integer not null,
  expires_at integer not null,
  -- When a unit of the source was reserved for its holder, and when the holder had a permanent license.
  reserved_at integer,
  upgraded_at integer,
  unique (line_id, source_sub)
);
create index gap_licenses_waiting on gap_licenses (line_id, source) where upgraded_at is null;
