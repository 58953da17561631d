-- Servers in whose place this one has come: its operating system was replaced, or its database was lost
-- (protocol §5.5). Times are milliseconds UTC.
create table predecessors (
  license_server_id text primary key,
  cause text not null check (cause in ('system-replaced', 'rebuilt')),
  -- Why, in the words of the model system (core/recovery.ts).
  reason text not null,
  at integer not null,
  -- The folder that its files were set aside in, within the data folder.
  aside text not null,
  -- What its database said of each line, as JSON (store/predecessor-rows.ts); null where it could not be read.
  lines text,
  -- Signed by its own key, where that still opened: that this server comes in its place.
  proof text
);

-- Whom its database knew to have a CAL: honored here without showing anything. Under an agreement that this
-- server is activated for they are gap licenses, and no longer here.
create table restored_holders (
  id integer primary key,
  agreement text not null,
  line integer not null,
  product text not null,
  kind text not null check (kind in ('device', 'user', 'concurrent')),
  -- Null of a CAL that had come to it with a move, for a holder known by the pseudonym alone.
  holder text,
  sub text not null,
  source text not null,
  origin text not null,
  lease_end integer not null,
  -- Until when it is given licenses without a unit: no lease of the server before can run then.
  until integer not null,
  -- The license that it was given, if any: expires_at is 0 until then.
  jti text not null default '',
  bare_sub text not null default '',
  generation integer not null default 0,
  log_size integer not null default 0,
  log_root text not null default '',
  issued_at integer not null default 0,
  expires_at integer not null default 0,
  unique (agreement, line, sub)
);
create index restored_holders_holder on restored_holders (kind, holder, product);

-- Of a restored holder: until when its gap license is renewed, whatever becomes of the recovery.
alter table gap_licenses add column until integer not null default 0;
