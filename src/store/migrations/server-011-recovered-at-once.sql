-- CALs of a server before that came without waiting for its horizon (protocol §5.5): they may have a second holder
-- should that one live. Times are milliseconds UTC.
create table recovered_at_once (
  move text primary key,
  line_id integer not null references lines (id),
  source text not null,
  -- How many of them came for nobody by name.
  units integer not null check (units >= 0),
  came_at integer not null,
  -- The horizon of the server before: until then that of this one ends soon after its last contact. Null: by telephone
  -- nobody has told it.
  risk_until integer,
  -- When no lease of the server before can run any more, by which what was set aside is for everybody again.
  opens_at integer not null,
  -- When they were set aside, as that one was heard of again; and when a supervisor has taken that back.
  suspended_at integer,
  lifted_at integer
);
