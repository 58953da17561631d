-- What a license server knows, beside its books (common-001-books.sql). Times are milliseconds UTC.

-- Agreement kits that were handed in; a kit becomes an authority when an activation code opens a slot.
create table kits (
  kit_id text primary key,
  agreement text not null,
  document text not null,
  trust_list text not null,
  added_at integer not null
);

-- The signed anchors this server acts under, one active authority for each agreement (protocol §3.4).
create table authorities (
  aid text primary key,
  agreement text not null,
  basis text not null check (basis in ('slot', 'key')),
  slot integer,
  document text not null,
  trust_list text not null,
  state text not null check (state in ('active', 'superseded', 'deactivated')),
  -- K of the last confirmation, sealed under the instance secret (protocol §3.6).
  confirmation_key blob not null,
  confirmation_seq integer not null,
  freezes integer not null,
  releases integer not null,
  returns integer not null,
  horizon_e integer not null,
  horizon_value text not null,
  activated_at integer not null
);
create unique index authorities_active on authorities (agreement) where state = 'active';

create table lines (
  id integer primary key,
  agreement text not null,
  line integer not null,
  aid text not null references authorities (aid),
  product text not null,
  product_name text not null,
  family text not null,
  version integer not null,
  type text not null check (type in ('device', 'user', 'concurrent')),
  open_units integer not null,
  free_k integer not null,
  free_value text not null,
  held_k integer not null,
  held_value text not null,
  -- Highest unit number ever given out to a pool: the next grant numbers its units from here on.
  last_unit integer not null,
  unique (agreement, line)
);
create index lines_family on lines (family, type);

-- Every reveal that was applied, so that a code typed again is answered with what it did then.
create table applied_reveals (
  aid text not null,
  chain integer not null,
  k integer not null,
  value text not null,
  added integer not null,
  installed integer not null,
  at integer not null,
  primary key (aid, chain, k)
);

-- Unit numbers nobody holds, as ranges. `pool` is empty for those that may be issued to anybody, else
-- the id of the freeze, move or reserve that they belong to. A range that is used up is deleted.
create table unit_ranges (
  position integer primary key autoincrement,
  line_id integer not null references lines (id),
  pool text not null,
  first_unit integer not null,
  last_unit integer not null,
  check (first_unit <= last_unit)
);
-- Without the changing numbers, so that taking one leaves the index alone.
create index unit_ranges_pool on unit_ranges (line_id, pool, position);

create table licenses (
  id integer primary key,
  line_id integer not null references lines (id),
  kind text not null check (kind in ('device', 'user', 'concurrent')),
  holder text not null,
  sub text not null,
  unit integer not null,
  -- License Server ID and unit of the first issue, kept through moves (protocol §4.4).
  origin text not null,
  state text not null check (state in ('issued', 'held', 'returned', 'expired', 'released')),
  -- The freeze that holds it, or that took it away.
  move text,
  -- The move it came with, until the source of that move is known to be closed.
  inherited_from text,
  -- The source whose token was shown when the unit came out of this server's own, before the reserve of
  -- that source arrived: the reserve then gives the unit back.
  early_source text,
  -- The authority that the token names; after a new certificate the token is signed again.
  aid text not null,
  jti text not null,
  -- What the token says beyond this row. It is not kept: signed again, it comes out the same.
  generation integer not null,
  late integer not null check (late in (0, 1)),
  log_size integer not null,
  log_root text not null,
  issued_at integer not null,
  renewed_at integer not null,
  expires_at integer not null,
  -- The latest end of all tokens known for this holder, on whatever server (protocol §2.4, rule 4).
  lease_end integer not null
);
create unique index licenses_holder on licenses (kind, holder, line_id) where state in ('issued', 'held');
create unique index licenses_unit on licenses (line_id, unit) where state in ('issued', 'held');
create index licenses_gone on licenses (kind, holder) where state in ('returned', 'expired', 'released');
create index licenses_lease on licenses (line_id, lease_end) where state = 'issued';
create index licenses_past on licenses (line_id, sub) where state in ('released', 'expired');
create index licenses_move on licenses (move) where move is not null;

-- Tokens ended before their time (returned): the bundle lists them until they would have expired.
create table revoked_tokens (
  jti text primary key,
  line_id integer not null,
  expires_at integer not null
);

create table temporaries (
  id integer primary key,
  product text not null,
  holder text not null,
  sub text not null,
  jti text not null,
  generation integer not null,
  log_size integer not null,
  log_root text not null,
  issued_at integer not null,
  expires_at integer not null,
  validated_at integer,
  -- When its holder got a permanent license; the row stays, because a device has one temporary for life.
  upgraded_at integer,
  unique (product, holder)
);
create index temporaries_alive on temporaries (product, expires_at) where upgraded_at is null;

-- Units that arrived for named holders who have not come yet (moves online and by file).
create table reservations (
  line_id integer not null references lines (id),
  sub text not null,
  kind text not null,
  origin text not null,
  move text not null,
  source text not null,
  lease_end integer not null,
  state text not null check (state in ('reserved', 'taken', 'opened', 'frozen', 'moved')),
  -- The move out of here that froze it.
  frozen_by text,
  primary key (line_id, sub, move)
);
create index reservations_sub on reservations (sub) where state = 'reserved';

-- Units that arrived by telephone, without names: for holders who show a token of `source`.
create table reserves (
  id text primary key,
  line_id integer not null references lines (id),
  source text not null,
  amount integer not null check (amount >= 0),
  opens_at integer not null
);

-- Parts of reserves that a move out of here has frozen.
create table frozen_reserves (
  move text not null,
  reserve text not null references reserves (id),
  amount integer not null,
  primary key (move, reserve)
);

-- A source token is honored once per server and move, and remembered (protocol §2.4, rule 5).
create table honored_tokens (
  source text not null,
  origin text not null,
  reserve text not null,
  sub text not null,
  at integer not null,
  primary key (source, origin, reserve)
);

create table moves (
  id text primary key,
  role text not null check (role in ('source', 'target')),
  carrier text not null check (carrier in ('online', 'telephone')),
  agreement text not null,
  line integer not null,
  product text not null,
  type text not null,
  -- -1 stands for all.
  quantity integer not null,
  source text not null,
  target text not null,
  state text not null,
  unissued integer not null,
  held integer not null,
  -- How much of "held" was reserved and quarantined; the rest was issued.
  reserved integer not null,
  quarantined integer not null,
  hold integer not null,
  started_at integer not null,
  updated_at integer not null
);
create unique index moves_open_freeze on moves (agreement, line) where role = 'source' and state = 'frozen';

-- What this server has asked the clearinghouse for and not yet heard of.
create table requests (
  id text primary key,
  kind text not null,
  -- What was asked, in canonical form: asking for the same again while waiting goes on with this one.
  ask text not null,
  state text not null check (state in ('waiting', 'done', 'refused')),
  answer text,
  at integer not null
);
create unique index requests_waiting on requests (kind, ask) where state = 'waiting';

-- Codes this server has made, to be printed again; and the seq each used.
create table confirmations (
  id integer primary key autoincrement,
  -- The ratchet that made it: each authority starts one of its own.
  aid text not null references authorities (aid),
  agreement text not null,
  seq integer not null,
  kind text not null,
  line integer not null,
  unissued integer not null,
  held integer not null,
  move text,
  code text not null,
  at integer not null,
  unique (aid, seq)
);

-- Messages of the clearinghouse that were applied, until a contact has told it so.
create table applied_messages (
  id text primary key,
  -- The contact that told it, once one was sent.
  contact text
);

create table peers (
  license_server_id text primary key,
  name text,
  url text
);

create table events (
  id integer primary key autoincrement,
  number integer not null,
  level text not null,
  at integer not null,
  data text not null
);
