-- The release of a move by telephone said that no license which still runs was returned to its source: 1. Where it was not
-- said, by message, or not heard yet, that is taken for possible (docs/protocol.md 2.4).
alter table moves add column none_returned integer not null default 0;
