-- Whom a call or a message was with: the digits of the number, see `Phone::key`. What has no E.164 gets it when it next
-- changes.
alter table record add column person text;

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

create index record_person on record (tenant, person, at) where person is not null and joined_into is null;
-- What people wrote themselves: few, and asked for names at every ringing.
create index record_by_hand on record (tenant, person, at) where source = 'manual' and joined_into is null;

-- The numbers of contacts. Those of a joined record lead to the one that it was joined into.
create table contact_number (
    tenant text not null,
    number text not null,
    record integer not null,
    primary key (tenant, number, record)
) strict, without rowid;
create index contact_number_record on contact_number (record);

insert or ignore into contact_number (tenant, number, record)
select r.tenant, ltrim(n.value -> 1 -> 'v' ->> 'e164', '+'), r.id
from record r, json_each(r.merged, '$.contact.numbers') n
where r.kind = 'contact' and n.value -> 1 -> 'v' ->> 'e164' is not null;
