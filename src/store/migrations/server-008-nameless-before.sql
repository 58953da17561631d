-- Telephone moves that took a part of a line before `nameless_until` was kept: for 89 days after such a release
-- (7,689,600,000 ms) nothing of the line is anybody else's, as after one of today (store/nameless-rows.ts). What
-- had lapsed before it cannot be told apart any more, and is kept as well.
create table released_parts as
  select l.id as line_id, max(c.at) + 7689600000 as until
    from confirmations c join lines l on l.agreement = c.agreement and l.line = c.line
    where c.kind = 'released' and c.held > 0
    group by l.id
    having max(c.at) + 7689600000 > coalesce(l.nameless_until, 0);

update lines as l set nameless_until = p.until from released_parts p where p.line_id = l.id;
update licenses as n set lease_end = p.until from released_parts p
  where p.line_id = n.line_id and n.ended = 0 and n.lease_end < p.until;
update reservations as r set lease_end = p.until from released_parts p
  where p.line_id = r.line_id and r.state in ('reserved', 'frozen') and r.lease_end < p.until;

drop table released_parts;
