-- The books of both programs: accounts, journals, stored answers and outgoing messages. Only
-- `WriteTx.post` changes these tables (store/port.ts). Times are milliseconds UTC. Small rows under a
-- text key are kept in the key's own tree (without rowid): one page fewer to write for each change.

-- Single values by name; the one table here that any command may change.
create table meta (
  key text primary key,
  value text not null
) without rowid;

create table accounts (
  id text primary key,
  balance integer not null check (balance >= 0)
) without rowid;

create table pendings (
  id text primary key,
  debit text not null,
  hold text not null,
  credit text not null,
  amount integer not null check (amount > 0),
  state text not null check (state in ('open', 'posted', 'voided'))
) without rowid;

-- The size and the right edge of each journal's Merkle tree (core/merkle.ts).
create table logs (
  log text primary key,
  size integer not null check (size > 0),
  frontier blob not null
) without rowid;

-- `text` is the canonical JSON of an entry, `leaf` the RFC 6962 leaf hash over its UTF-8 bytes.
create table journal (
  log text not null,
  position integer not null check (position >= 0),
  id text not null,
  kind text not null,
  at integer not null,
  text text not null,
  leaf blob not null,
  primary key (log, position),
  unique (log, id)
);

create trigger journal_keeps_rows before delete on journal
begin
  select raise(abort, 'the journal is append-only');
end;

create trigger journal_keeps_words before update on journal
begin
  select raise(abort, 'the journal is append-only');
end;

-- The first answer given under an idempotency key.
create table answers (
  id text primary key,
  request_digest text not null,
  body text not null,
  at integer not null
) without rowid;

-- Messages wait here until their recipient confirms that it holds them. Positions are never reused.
create table outbox (
  position integer primary key autoincrement,
  id text not null unique,
  recipient text not null,
  type text not null,
  body text not null,
  at integer not null,
  acknowledged integer not null default 0 check (acknowledged in (0, 1))
);
create index outbox_waiting on outbox (recipient, position) where acknowledged = 0;
