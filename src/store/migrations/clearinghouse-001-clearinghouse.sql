-- What the clearinghouse knows, beside its books (common-001-books.sql). Times are milliseconds UTC.

create table products (
  id text primary key,
  name text not null,
  family text not null,
  version integer not null,
  added_at integer not null
);

create table agreements (
  number text primary key,
  program text not null,
  customer text not null,
  authorization_number text,
  license_number text,
  salt text not null,
  added_at integer not null
);

-- Lines are numbered 0…14 within an agreement, in the order they were added, for ever.
create table lines (
  agreement text not null references agreements (number),
  line integer not null check (line between 0 and 14),
  product text not null references products (id),
  type text not null check (type in ('device', 'user', 'concurrent')),
  primary key (agreement, line),
  unique (agreement, product, type)
);

create table kits (
  kit_id text primary key,
  agreement text not null references agreements (number),
  first_slot integer not null,
  slots integer not null,
  base_month integer not null,
  sunset_months integer not null,
  lines integer not null,
  document text not null,
  made_at integer not null
);

-- A slot is used for one License Server ID only, for ever.
create table slots (
  agreement text not null,
  slot integer not null,
  kit_id text not null references kits (kit_id),
  license_server_id text not null,
  primary key (agreement, slot),
  unique (agreement, license_server_id)
);

create table servers (
  license_server_id text primary key,
  name text not null,
  public_key text,
  generation integer not null,
  state text not null check (state in ('ok', 'suspect', 'closed')),
  seq integer not null,
  log_size integer not null,
  log_root text not null,
  method text,
  last_contact_at integer,
  added_at integer not null
);

-- Every message taken in, by its place in the sender's sequence: the same place twice with other
-- content is a fork (protocol §2.1).
create table received_messages (
  license_server_id text not null,
  generation integer not null,
  seq integer not null,
  id text not null,
  digest text not null,
  at integer not null,
  primary key (license_server_id, generation, seq)
);

create table authorities (
  aid text primary key,
  agreement text not null references agreements (number),
  license_server_id text not null references servers (license_server_id),
  generation integer not null,
  basis text not null check (basis in ('slot', 'key')),
  slot integer,
  base_month integer not null,
  sunset_months integer not null,
  state text not null check (state in ('active', 'superseded', 'closed')),
  -- The certificate of a key-bound authority.
  document text,
  -- K of the last confirmation taken in, sealed (protocol §3.6).
  confirmation_key blob not null,
  confirmation_seq integer not null,
  freezes integer not null,
  releases integer not null,
  returns integer not null,
  horizon_e integer not null,
  activated_at integer not null
);
create unique index authorities_current on authorities (license_server_id, agreement) where state <> 'superseded';

-- How far each chain was revealed, and how far the server is known to have come.
create table chains (
  aid text not null references authorities (aid),
  line integer not null,
  kind text not null check (kind in ('free', 'held')),
  open_units integer not null,
  k integer not null,
  confirmed_k integer not null,
  primary key (aid, line, kind)
);

-- Every grant: which units, under which chain position, for what. Codes can be read out again.
create table grants (
  id text primary key,
  aid text not null references authorities (aid),
  agreement text not null,
  license_server_id text not null,
  line integer not null,
  kind text not null check (kind in ('free', 'held')),
  k_before integer not null,
  k_after integer not null,
  carrier text not null,
  source text,
  move text,
  at integer not null
);
create index grants_chain on grants (aid, line, kind, k_after);

create table moves (
  id text primary key,
  agreement text not null,
  line integer not null,
  product text not null,
  type text not null,
  -- -1 stands for all.
  quantity integer not null,
  source text not null,
  source_generation integer not null,
  target text not null,
  target_generation integer not null,
  reason text not null,
  carrier text not null check (carrier in ('online', 'telephone')),
  state text not null,
  unissued integer not null,
  held integer not null,
  hold integer not null,
  verified integer not null,
  -- Who holds the held units (JSON, from the source's receipt); empty for a move by telephone.
  holders text not null,
  started_at integer not null,
  updated_at integer not null
);
create index moves_source on moves (source, state);
create index moves_target on moves (target, state);

-- Telephone confirmations taken in, with the answer given: the same code gets the same answer.
create table confirmations (
  code text primary key,
  agreement text not null,
  license_server_id text not null,
  seq integer not null,
  kind text not null,
  answer text not null,
  at integer not null
);

-- Failed confirmations, for the limits of protocol §3.6.
create table confirmation_failures (
  id integer primary key autoincrement,
  license_server_id text,
  at integer not null
);
create index confirmation_failures_at on confirmation_failures (at);
