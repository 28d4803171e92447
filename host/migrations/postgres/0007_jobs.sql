-- The session that a job reads through: it waits while that one is away.
alter table pull add column session text collate "C";
-- How far a job is says of each stage what its rows are: what was written before does not.
update pull set progress = '[]';

-- Codes for pairing are told and not kept.
update record set merged = merged #- '{session,pairing}'
where kind = 'session' and merged -> 'session' -> 'pairing' is not null;
