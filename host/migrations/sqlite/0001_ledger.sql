-- What tells rows apart best stands first in a key. Times are milliseconds since 1970. Ids of records, intake rows and events come from `counter`.

create table counter (
    one integer primary key check (one = 1),
    event integer not null,
    record integer not null,
    intake integer not null
) strict;
insert into counter values (1, 0, 0, 0);

create table intake (
    id integer primary key,
    tenant text not null,
    source text not null,
    received_at integer not null,
    verdict text not null,
    kind text,
    field text,
    why text,
    method text not null,
    path text not null,
    headers text not null,
    body blob not null,
    digest blob,
    replayed_at integer
) strict;
create index intake_tenant on intake (tenant);
create index intake_verdict on intake (tenant, verdict) where verdict <> 'accepted';

create table record (
    id integer primary key,
    tenant text not null,
    source text not null,
    kind text not null,
    subject text not null,
    also text,
    revision integer not null,
    created_at integer not null,
    updated_at integer not null,
    at integer not null,
    numbers text not null,
    agents text not null,
    words text not null,
    joined_into integer,
    merged text not null,
    unique (subject, source, kind, tenant)
) strict;
-- Partial, so that no look-up by subject is ever planned over it.
create index record_at on record (tenant, kind, at) where joined_into is null;
create index record_joined on record (joined_into) where joined_into is not null;

create table alias (
    tenant text not null,
    source text not null,
    kind text not null,
    subject text not null,
    record integer not null,
    primary key (subject, source, kind, tenant)
) strict, without rowid;
create index alias_record on alias (record);

create table event (
    seq integer primary key,
    tenant text not null,
    at integer not null,
    record integer not null,
    intake integer not null,
    body text not null
) strict;
create index event_tenant on event (tenant);

create table delivery (
    id integer primary key autoincrement,
    tenant text not null,
    sink text not null,
    record integer not null,
    state text not null,
    wanted integer not null,
    done integer not null default 0,
    external_id text,
    url text,
    shortened text,
    memo blob,
    attempts integer not null default 0,
    next_at integer not null,
    since integer not null,
    reason text,
    holds text,
    expires_at integer,
    claim integer,
    joins integer not null default 0,
    joined_into integer,
    unique (record, sink)
) strict;
create index delivery_lane on delivery (tenant, state, sink, next_at);
create index delivery_joined on delivery (joined_into) where joined_into is not null;

create table attempt (
    id integer primary key,
    tenant text not null,
    delivery integer not null,
    at integer not null,
    took integer not null,
    number integer not null,
    revision integer not null,
    outcome text not null,
    why text not null,
    exchanges text not null
) strict;
create index attempt_delivery on attempt (delivery);
create index attempt_tenant on attempt (tenant, at);

create table pull (
    tenant text not null,
    source text not null,
    id text not null,
    kind text not null,
    parameters text not null,
    state text not null,
    cursor blob,
    progress text not null,
    attempts integer not null,
    next_at integer not null,
    why text,
    claim integer,
    started_at integer not null,
    updated_at integer not null,
    primary key (tenant, source, id)
) strict;

create table grant_ (
    tenant text not null,
    use_ text not null,
    sealed blob not null,
    expires_at integer,
    updated_at integer not null,
    primary key (tenant, use_)
) strict;

create table lease (
    name text primary key,
    owner integer not null,
    until integer not null
) strict;

create table command (
    tenant text not null,
    key text not null,
    source text not null,
    name text not null,
    request text not null,
    state text not null,
    answer text,
    asked_at integer not null,
    updated_at integer not null,
    primary key (tenant, key)
) strict;
create index command_asked on command (tenant, asked_at);
