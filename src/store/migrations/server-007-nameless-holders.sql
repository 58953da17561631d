-- Until when no license of a line lapses, after a telephone move took a part of it: holders whose CALs stayed
-- may have drawn those that went. Null where no such move was.
alter table lines add column nameless_until integer;
