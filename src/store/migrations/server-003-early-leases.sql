-- Until when the token runs that was shown when the unit came out of this server's own (early_source): a
-- holder whose place at the source has ended may have had a successor there, and is not counted against
-- what comes from it. Null where none was shown, or before this was kept: then nobody is counted.
alter table licenses add column early_lease_end integer;
