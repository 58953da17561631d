-- The newest checkpoint of each journal that two sides know of (protocol §6): of the other side's journals
-- what this program has cosigned, of its own what the other side has. Times stand in the notes.
create table checkpoints (
  origin text not null,
  -- The name under which the witness cosigns; of the other side's journals this program itself.
  witness text not null,
  size integer not null check (size >= 0),
  root blob not null,
  -- The right edge of one of our own trees at that size: what a proof goes on from. Null of others, and
  -- where the witness has seen a tree that is none of ours.
  frontier blob,
  -- The signed note with all its signatures.
  note text not null,
  -- A note that does not extend this one, kept as evidence; null where there is none.
  conflict text,
  primary key (origin, witness)
) without rowid;
