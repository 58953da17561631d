-- Units of a grant that its target has applied and given up again, when it was deactivated, before the move had brought
-- them: they go to hand when it does (docs/protocol.md §1.4).
alter table grants add column given_up integer not null default 0 check (given_up between 0 and k_after - k_before);
