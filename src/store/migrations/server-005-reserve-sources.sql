-- Servers beside `reserves.source` whose holders a reserve serves: their CALs had come to that source, and
-- had gone on from there before they came for them.
create table reserve_sources (
  reserve text not null references reserves (id),
  source text not null,
  primary key (reserve, source)
);
