//! The ledger's statements in PostgreSQL's words: a batch goes as columns, one array for each.

use super::RawRow;
use super::batch::{Counter, EventRow, Key, Plan, RecordRow, WantRow};
use super::repeats::Body;
use crate::store::db::{POSTGRES_CLOCK, Row, Script, Tx, Value};
use crate::store::error::StoreError;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Reads the counter and so takes the lock under which the ledger is written, over all nodes.
pub(super) const COUNTER: &str = "select event, record, intake from counter for update";

fn ints<T>(rows: &[T], value: impl Fn(&T) -> i64) -> Value {
    Value::Ints(rows.iter().map(|row| Some(value(row))).collect())
}

fn texts<'a, T>(rows: &'a [T], value: impl Fn(&'a T) -> &'a str) -> Value {
    Value::Texts(rows.iter().map(|row| Some(value(row).to_owned())).collect())
}

fn opt_texts<'a, T>(rows: &'a [T], value: impl Fn(&'a T) -> Option<&'a str>) -> Value {
    Value::Texts(rows.iter().map(|row| value(row).map(str::to_owned)).collect())
}

/// The records of these keys.
pub(super) async fn load(tx: &mut Tx, keys: &[Key<'_>]) -> Result<Vec<Row>> {
    let values = [
        texts(keys, |key| key.tenant),
        texts(keys, |key| key.source),
        texts(keys, |key| key.kind.word()),
        texts(keys, |key| key.id),
    ];
    let sql = "
        with k as materialized (
            select * from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality
                as k (tenant, source, kind, subject, n))
        select k.n - 1, w.id, w.revision, w.subject, w.also, w.created_at, w.updated_at, w.merged
        from k
        join record r on r.tenant = k.tenant and r.source = k.source and r.kind = k.kind and r.subject = k.subject
        join record w on w.id = coalesce(r.joined_into, r.id)
        union all
        select k.n - 1, w.id, w.revision, w.subject, w.also, w.created_at, w.updated_at, w.merged
        from k
        join alias a on a.tenant = k.tenant and a.source = k.source and a.kind = k.kind and a.subject = k.subject
        join record w on w.id = a.record";
    tx.fetch(sql, values).await
}

/// When requests with these bodies were accepted last.
pub(super) async fn accepted(tx: &mut Tx, bodies: &[Body<'_>]) -> Result<Vec<Row>> {
    let values = [
        texts(bodies, |body| body.tenant),
        texts(bodies, |body| body.source),
        Value::Blobs(bodies.iter().map(|body| Some(body.digest.to_vec())).collect()),
    ];
    let sql = "
        select b.n - 1, max(i.received_at)
        from unnest($1::text[], $2::text[], $3::bytea[]) with ordinality as b (tenant, source, digest, n)
        join intake i on i.digest = b.digest and i.tenant = b.tenant and i.source = b.source
        group by b.n";
    tx.fetch(sql, values).await
}

/// Writes records that are new or changed.
pub(super) fn records(script: &mut Script, records: &[RecordRow<'_>]) {
    let values = [
        ints(records, |row| row.entry.id),
        texts(records, |row| row.entry.tenant),
        texts(records, |row| &row.entry.subject.source),
        texts(records, |row| row.entry.subject.kind.word()),
        texts(records, |row| &row.entry.subject.id),
        Value::Jsons(records.iter().map(|row| row.also.clone()).collect()),
        ints(records, |row| row.entry.revision),
        ints(records, |row| super::millis(row.entry.created_at)),
        ints(records, |row| super::millis(row.entry.updated_at)),
        ints(records, |row| super::millis(row.kept.facets.at.unwrap_or(row.entry.created_at))),
        texts(records, |row| &row.kept.facets.numbers),
        texts(records, |row| &row.kept.facets.agents),
        texts(records, |row| &row.kept.facets.words),
        Value::Ints(records.iter().map(|row| row.joined_into).collect()),
        opt_texts(records, |row| row.kept.facets.person.as_deref()),
        Value::Jsons(records.iter().map(|row| Some(row.kept.merged.clone())).collect()),
    ];
    let sql = format!(
        "insert into record (id, tenant, source, kind, subject, also, revision, created_at, updated_at, at, numbers,
             agents, words, joined_into, person, merged)
         select id, tenant, source, kind, subject, also::jsonb, revision, created_at, updated_at, at, numbers,
             agents, words, joined_into, person, merged::jsonb
         from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
             $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::bigint[],
             $15::text[], $16::text[])
             as r (id, tenant, source, kind, subject, also, revision, created_at, updated_at, at, numbers,
                 agents, words, joined_into, person, merged) {}",
        super::ON_RECORD
    );
    script.add(sql, values);
}

/// Writes further ids of subjects.
pub(super) fn aliases(script: &mut Script, aliases: &[(&Key<'_>, i64)]) {
    let values = [
        texts(aliases, |(key, _)| key.tenant),
        texts(aliases, |(key, _)| key.source),
        texts(aliases, |(key, _)| key.kind.word()),
        texts(aliases, |(key, _)| key.id),
        ints(aliases, |(_, record)| *record),
    ];
    let sql = "insert into alias (tenant, source, kind, subject, record)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
         on conflict (subject, source, kind, tenant) do update set record = excluded.record";
    script.add(sql, values);
}

/// Writes by which numbers contacts are known.
pub(super) fn contact_numbers(script: &mut Script, numbers: &[(&str, &str, i64)]) {
    let values = [
        texts(numbers, |(tenant, ..)| tenant),
        texts(numbers, |(_, number, _)| number),
        ints(numbers, |(.., record)| *record),
    ];
    let sql = "insert into contact_number (tenant, number, record)
         select * from unnest($1::text[], $2::text[], $3::bigint[]) on conflict do nothing";
    script.add(sql, values);
}

/// Writes raw requests.
pub(super) fn intake(script: &mut Script, rows: &[RawRow<'_>]) {
    let values = [
        ints(rows, |row| row.id),
        texts(rows, |row| &row.prepared.intake.tenant),
        texts(rows, |row| &row.prepared.intake.source),
        ints(rows, |row| super::millis(row.prepared.intake.received_at)),
        texts(rows, |row| row.verdict.word()),
        opt_texts(rows, |row| super::verdict(&row.verdict).0),
        opt_texts(rows, |row| super::verdict(&row.verdict).1),
        opt_texts(rows, |row| super::verdict(&row.verdict).2),
        texts(rows, |row| &row.raw.method),
        texts(rows, |row| &row.raw.path),
        Value::Jsons(rows.iter().map(|row| Some(row.prepared.headers.clone())).collect()),
        Value::Blobs(rows.iter().map(|row| Some(row.raw.body.clone())).collect()),
        opt_texts(rows, |row| jsonb(&row.raw.body).filter(|_| !row.prepared.bytes_only)),
        Value::Blobs(rows.iter().map(|row| row.digest.map(|digest| digest.to_vec())).collect()),
    ];
    let sql = "insert into intake (id, tenant, source, received_at, verdict, kind, field, why, method, path, headers,
             body, json, digest)
         select id, tenant, source, received_at, verdict, kind, field, why, method, path, headers::json, body,
             json::jsonb, digest
         from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[],
             $8::text[], $9::text[], $10::text[], $11::text[], $12::bytea[], $13::text[], $14::bytea[])
             as r (id, tenant, source, received_at, verdict, kind, field, why, method, path, headers, body, json,
                 digest)";
    script.add(sql, values);
}

/// As many brackets may nest in any way.
const PLAIN: usize = 64;

/// The body as a text that JSONB can hold: JSON without U+0000, lone surrogates, deep nesting or endless numbers.
fn jsonb(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    if !matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[')) || text.contains("\\u0000") {
        return None;
    }
    // Where nothing is escaped and hardly anything nested, it need only be JSON.
    let brackets = text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    let is_json = match brackets <= PLAIN && !text.contains('\\') {
        true => serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(),
        false => serde_json::from_str::<serde_json::Value>(text).is_ok(),
    };
    is_json.then_some(text)
}

/// Writes events.
pub(super) fn events(script: &mut Script, rows: &[EventRow]) {
    let values = [
        ints(rows, |row| row.event.seq.cast_signed()),
        texts(rows, |row| &row.event.tenant),
        ints(rows, |row| super::millis(row.event.at)),
        ints(rows, |row| row.event.about.record),
        ints(rows, |row| row.intake),
        Value::Jsons(rows.iter().map(|row| Some(row.body.clone())).collect()),
    ];
    let sql = "insert into event (seq, tenant, at, record, intake, body)
         select seq, tenant, at, record, intake, body
         from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
             as r (seq, tenant, at, record, intake, body)";
    script.add(sql, values);
}

/// Notes what is wanted of sinks.
pub(super) fn wants(script: &mut Script, plan: &Plan<'_>) {
    let rows = &plan.wants;
    let entry = |want: &WantRow| &plan.entries[want.entry];
    let values = [
        texts(rows, |want| plan.entries[want.entry].tenant),
        texts(rows, |want| &want.sink),
        ints(rows, |want| entry(want).id),
        ints(rows, |want| want.wanted),
        opt_texts(rows, |want| want.holds.as_deref()),
        Value::Ints(rows.iter().map(|want| want.expires_at.map(super::millis)).collect()),
    ];
    let sql = format!(
        "insert into delivery as d (tenant, sink, record, wanted, holds, expires_at, state, next_at, since)
         select tenant, sink, record, wanted, holds, expires_at, 'due', {0}, {0}
         from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[])
             as r (tenant, sink, record, wanted, holds, expires_at) {1}",
        POSTGRES_CLOCK,
        super::on_want("greatest")
    );
    script.add(sql, values);
}

/// Keeps the last numbers given.
pub(super) fn count(script: &mut Script, counter: Counter) {
    let sql = "update counter set event = $1, record = $2, intake = $3";
    script.add(sql, [counter.event.into(), counter.record.into(), counter.intake.into()]);
}
