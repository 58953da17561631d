-- Units whose holders an older database does not know (protocol §5.2): usable by nobody until no license of them
-- can run any more. Their numbers are in the pool of this id. Times are milliseconds UTC.
create table quarantines (
  id text primary key,
  line_id integer not null references lines (id),
  amount integer not null check (amount >= 0),
  opens_at integer not null
);

-- Parts of them that a move out of here has frozen.
create table frozen_quarantines (
  move text not null,
  quarantine text not null references quarantines (id),
  amount integer not null,
  primary key (move, quarantine)
);
