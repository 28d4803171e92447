-- Names and ids are compared byte for byte: collation C. What tells rows apart best stands first in a key.
-- Times are milliseconds since 1970. Ids of records, intake rows and events come from `counter`, whose one row is also
-- the lock under which the ledger is written: numbers are committed in their order.

create table counter (
    one smallint primary key check (one = 1),
    event bigint not null,
    record bigint not null,
    intake bigint not null
) with (fillfactor = 10);
insert into counter values (1, 0, 0, 0);

-- `json` is the body once more, for queries, where it is JSON that JSONB can hold; `body` are the exact bytes.
create table intake (
    id bigint not null,
    tenant text collate "C" not null,
    source text collate "C" not null,
    received_at bigint not null,
    verdict text collate "C" not null,
    kind text,
    field text,
    why text,
    method text not null,
    path text not null,
    headers json not null,
    body bytea not null,
    json jsonb,
    digest bytea,
    replayed_at bigint,
    primary key (tenant, id)
);
create index intake_verdict on intake (tenant, verdict, id) where verdict <> 'accepted';

create table record (
    id bigint primary key,
    tenant text collate "C" not null,
    source text collate "C" not null,
    kind text collate "C" not null,
    subject text collate "C" not null,
    also jsonb,
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    at bigint not null,
    numbers text not null,
    agents text not null,
    words text not null,
    joined_into bigint,
    merged jsonb not null,
    unique (subject, source, kind, tenant)
) with (fillfactor = 85);
-- Partial, so that no look-up by subject is ever planned over it.
create index record_at on record (tenant, kind, at, id) where joined_into is null;
create index record_joined on record (joined_into) where joined_into is not null;

create table alias (
    tenant text collate "C" not null,
    source text collate "C" not null,
    kind text collate "C" not null,
    subject text collate "C" not null,
    record bigint not null,
    primary key (subject, source, kind, tenant)
);
create index alias_record on alias (record);

-- The body is JSON, written once and only ever read whole.
create table event (
    seq bigint not null,
    tenant text collate "C" not null,
    at bigint not null,
    record bigint not null,
    intake bigint not null,
    body text not null,
    primary key (tenant, seq)
);

create table delivery (
    id bigint generated always as identity primary key,
    tenant text collate "C" not null,
    sink text collate "C" not null,
    record bigint not null,
    state text collate "C" not null,
    wanted bigint not null,
    done bigint not null default 0,
    external_id text,
    url text,
    shortened jsonb,
    memo bytea,
    attempts bigint not null default 0,
    next_at bigint not null,
    since bigint not null,
    reason text,
    holds text,
    expires_at bigint,
    claim bigint,
    joins bigint not null default 0,
    joined_into bigint,
    unique (record, sink)
) with (fillfactor = 80);
create index delivery_lane on delivery (tenant, state, sink, next_at);
create index delivery_joined on delivery (joined_into) where joined_into is not null;

create table attempt (
    id bigint generated always as identity primary key,
    tenant text collate "C" not null,
    delivery bigint not null,
    at bigint not null,
    took bigint not null,
    number bigint not null,
    revision bigint not null,
    outcome text not null,
    why text not null,
    exchanges json not null
);
create index attempt_delivery on attempt (delivery, id);
create index attempt_tenant on attempt (tenant, at);

create table pull (
    tenant text collate "C" not null,
    source text collate "C" not null,
    id text collate "C" not null,
    kind text collate "C" not null,
    parameters text not null,
    state text collate "C" not null,
    cursor bytea,
    progress jsonb not null,
    attempts bigint not null,
    next_at bigint not null,
    why text,
    claim bigint,
    started_at bigint not null,
    updated_at bigint not null,
    primary key (tenant, source, id)
);

create table grant_ (
    tenant text collate "C" not null,
    use_ text collate "C" not null,
    sealed bytea not null,
    expires_at bigint,
    updated_at bigint not null,
    primary key (tenant, use_)
);

create table lease (
    name text collate "C" primary key,
    owner bigint not null,
    until bigint not null
);

create table command (
    tenant text collate "C" not null,
    key text collate "C" not null,
    source text collate "C" not null,
    name text collate "C" not null,
    request text not null,
    state text collate "C" not null,
    answer text,
    asked_at bigint not null,
    updated_at bigint not null,
    primary key (tenant, key)
);
create index command_asked on command (tenant, asked_at);
