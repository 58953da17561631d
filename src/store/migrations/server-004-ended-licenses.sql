-- 0 while a license is issued or held, then its own id. An index that tells live licenses from ended ones by
-- their `state` is written anew whenever the state changes in any way, and a move changes it of all of them:
-- freezing and giving up took three times as long, most of it for pages of these indexes.
alter table licenses add column ended integer not null default 0;
update licenses set ended = id where state not in ('issued', 'held');

drop index licenses_holder;
drop index licenses_unit;
drop index licenses_gone;
drop index licenses_past;
-- One live license of a holder on a line, and whatever it had there before.
create unique index licenses_holder on licenses (kind, holder, line_id, ended);
create unique index licenses_unit on licenses (line_id, unit) where ended = 0;

create trigger licenses_end before update of state, ended on licenses
when (new.ended = 0) <> (new.state in ('issued', 'held'))
begin
  select raise(abort, 'a license has ended where its state says so, and not otherwise');
end;
