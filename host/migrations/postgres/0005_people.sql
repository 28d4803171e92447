-- Whom a call or a message was with: the digits of the number, see `Phone::key`. What has no E.164 gets it when it next
-- changes.
alter table record add column person text collate "C";

update record set person = ltrim(
    case coalesce(
        merged -> 'call' -> 'direction' ->> 'v',
        case when merged -> 'call' -> 'caller' -> 'agent' is not null and merged -> 'call' -> 'callee' -> 'agent' is null
            then 'outbound' else 'inbound' end)
    when 'outbound' then merged -> 'call' -> 'callee' -> 'number' -> 'v' ->> 'e164'
    when 'inbound' then merged -> 'call' -> 'caller' -> 'number' -> 'v' ->> 'e164'
    end, '+')
where kind = 'call';

update record set person = ltrim(
    case coalesce(merged -> 'message' -> 'direction' ->> 'v', 'inbound')
    when 'outbound' then merged -> 'message' -> 'recipient' -> 'number' -> 'v' ->> 'e164'
    when 'inbound' then merged -> 'message' -> 'sender' -> 'number' -> 'v' ->> 'e164'
    end, '+')
where kind = 'message';

create index record_person on record (tenant, person, at, id) where person is not null and joined_into is null;
-- What people wrote themselves: few, and asked for names at every ringing.
create index record_by_hand on record (tenant, person, at, id) where source = 'manual' and joined_into is null;

-- The numbers of contacts. Those of a joined record lead to the one that it was joined into.
create table contact_number (
    tenant text collate "C" not null,
    number text collate "C" not null,
    record bigint not null,
    primary key (tenant, number, record)
);
create index contact_number_record on contact_number (record);

insert into contact_number (tenant, number, record)
select r.tenant, ltrim(n.value -> 1 -> 'v' ->> 'e164', '+'), r.id
from record r cross join lateral jsonb_array_elements(r.merged -> 'contact' -> 'numbers') n
where r.kind = 'contact' and n.value -> 1 -> 'v' ->> 'e164' is not null
on conflict do nothing;
