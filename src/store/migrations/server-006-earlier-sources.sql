-- Servers whose CALs had gone on to one that was declared dead: their holders are given gap licenses, too.
create table earlier_sources (
  move text not null references dead_sources (move),
  source text not null,
  primary key (move, source)
);
