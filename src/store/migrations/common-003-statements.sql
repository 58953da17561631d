-- What each side of a move has stated of its line, signed (protocol §2.7): the newest of each.
create table statements (
  move text not null,
  side text not null check (side in ('clearinghouse', 'source', 'target')),
  token text not null,
  -- At the clearinghouse: what its books said of that server when it took its statement in (JSON).
  heard text,
  -- At the clearinghouse: 1 until it has stated what it says to this one.
  due integer not null check (due in (0, 1)),
  primary key (move, side)
) without rowid;
create index statements_due on statements (move) where due = 1;
