//! The ledger's statements in SQLite's words: a batch goes as one JSON text of small arrays and one blob.

use super::RawRow;
use super::batch::{Counter, EventRow, Key, Plan, RecordRow};
use super::repeats::Body;
use crate::store::db::{Row, Rows, SQLITE_CLOCK, Script, Tx, args};
use crate::store::error::StoreError;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Reads the counter; the transaction has the only writing connection already.
pub(super) const COUNTER: &str = "select event, record, intake from counter";

/// The records of these keys.
pub(super) async fn load(tx: &mut Tx, keys: &[Key<'_>]) -> Result<Vec<Row>> {
    let mut rows = Rows::new();
    for key in keys {
        rows.row().text(key.tenant).text(key.source).text(key.kind.word()).text(key.id);
    }
    let [keys, _] = rows.values();
    let sql = "
        select k.key, w.id, w.revision, w.subject, w.also, w.created_at, w.updated_at, w.merged
        from jsonb_each($1) k
        cross join record r on r.tenant = k.value ->> 0 and r.source = k.value ->> 1
            and r.kind = k.value ->> 2 and r.subject = k.value ->> 3
        cross join record w on w.id = coalesce(r.joined_into, r.id)
        union all
        select k.key, w.id, w.revision, w.subject, w.also, w.created_at, w.updated_at, w.merged
        from jsonb_each($1) k
        cross join alias a on a.tenant = k.value ->> 0 and a.source = k.value ->> 1
            and a.kind = k.value ->> 2 and a.subject = k.value ->> 3
        cross join record w on w.id = a.record";
    tx.fetch(sql, [keys]).await
}

/// When requests with these bodies were accepted last.
pub(super) async fn accepted(tx: &mut Tx, bodies: &[Body<'_>]) -> Result<Vec<Row>> {
    let mut rows = Rows::new();
    for body in bodies {
        rows.row().text(body.tenant).text(body.source).bytes(body.digest);
    }
    let sql = "
        select b.key, max(i.received_at) from jsonb_each($1) b
        cross join intake i on i.digest = substr($2, b.value ->> 2, b.value ->> 3)
            and i.tenant = b.value ->> 0 and i.source = b.value ->> 1
        group by b.key";
    tx.fetch(sql, rows.values()).await
}

/// Writes records that are new or changed.
pub(super) fn records(script: &mut Script, records: &[RecordRow<'_>]) {
    let mut rows = Rows::new();
    for row in records {
        let entry = row.entry;
        rows.row()
            .int(entry.id)
            .text(entry.tenant)
            .text(&entry.subject.source)
            .text(entry.subject.kind.word())
            .text(&entry.subject.id)
            .opt_text(row.also.as_deref())
            .int(entry.revision)
            .int(super::millis(entry.created_at))
            .int(super::millis(entry.updated_at))
            .int(super::millis(row.kept.facets.at.unwrap_or(entry.created_at)))
            .text(&row.kept.facets.numbers)
            .text(&row.kept.facets.agents)
            .text(&row.kept.facets.words)
            .opt_int(row.joined_into)
            .opt_text(row.kept.facets.person.as_deref())
            .json(&row.kept.merged);
    }
    let sql = format!(
        "insert into record (id, tenant, source, kind, subject, also, revision, created_at, updated_at, at, numbers,
             agents, words, joined_into, person, merged)
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
             value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14,
             cast(substr($2, value ->> 15, value ->> 16) as text)
         from jsonb_each($1) where true {}",
        super::ON_RECORD
    );
    script.add(sql, rows.values());
}

/// Writes further ids of subjects.
pub(super) fn aliases(script: &mut Script, aliases: &[(&Key<'_>, i64)]) {
    let mut rows = Rows::new();
    for (key, record) in aliases {
        rows.row().text(key.tenant).text(key.source).text(key.kind.word()).text(key.id).int(*record);
    }
    let [json, _] = rows.values();
    let sql = "insert into alias (tenant, source, kind, subject, record)
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 from jsonb_each($1) where true
         on conflict (subject, source, kind, tenant) do update set record = excluded.record";
    script.add(sql, [json]);
}

/// Writes by which numbers contacts are known.
pub(super) fn contact_numbers(script: &mut Script, numbers: &[(&str, &str, i64)]) {
    let mut rows = Rows::new();
    for (tenant, number, record) in numbers {
        rows.row().text(tenant).text(number).int(*record);
    }
    let [json, _] = rows.values();
    let sql = "insert into contact_number (tenant, number, record)
         select value ->> 0, value ->> 1, value ->> 2 from jsonb_each($1) where true on conflict do nothing";
    script.add(sql, [json]);
}

/// Writes raw requests.
pub(super) fn intake(script: &mut Script, intakes: &[RawRow<'_>]) {
    let mut rows = Rows::new();
    for RawRow { id, prepared, raw, verdict, digest } in intakes {
        let intake = &prepared.intake;
        let (kind, field, why) = super::verdict(verdict);
        rows.row()
            .int(*id)
            .text(&intake.tenant)
            .text(&intake.source)
            .int(super::millis(intake.received_at))
            .text(verdict.word())
            .opt_text(kind)
            .opt_text(field)
            .opt_text(why)
            .text(&raw.method)
            .text(&raw.path)
            .json(&prepared.headers)
            .bytes(&raw.body)
            .bytes(digest.map_or(&[], |digest| digest));
    }
    let sql = "insert into intake (id, tenant, source, received_at, verdict, kind, field, why, method, path, headers,
             body, digest)
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
             value ->> 8, value ->> 9, cast(substr($2, value ->> 10, value ->> 11) as text),
             substr($2, value ->> 12, value ->> 13),
             case when value ->> 15 > 0 then substr($2, value ->> 14, value ->> 15) end
         from jsonb_each($1)";
    script.add(sql, rows.values());
}

/// Writes events.
pub(super) fn events(script: &mut Script, events: &[EventRow]) {
    let mut rows = Rows::new();
    for row in events {
        let event = &row.event;
        rows.row()
            .int(event.seq.cast_signed())
            .text(&event.tenant)
            .int(super::millis(event.at))
            .int(event.about.record)
            .int(row.intake)
            .json(&row.body);
    }
    let sql = "insert into event (seq, tenant, at, record, intake, body)
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
             cast(substr($2, value ->> 5, value ->> 6) as text)
         from jsonb_each($1)";
    script.add(sql, rows.values());
}

/// Notes what is wanted of sinks.
pub(super) fn wants(script: &mut Script, plan: &Plan<'_>) {
    let mut rows = Rows::new();
    for want in &plan.wants {
        let entry = &plan.entries[want.entry];
        rows.row()
            .text(entry.tenant)
            .text(&want.sink)
            .int(entry.id)
            .int(want.wanted)
            .opt_text(want.holds.as_deref())
            .opt_int(want.expires_at.map(super::millis));
    }
    let [json, _] = rows.values();
    let sql = format!(
        "insert into delivery as d (tenant, sink, record, wanted, holds, expires_at, state, next_at, since)
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, 'due', {0}, {0}
         from jsonb_each($1) where true {1}",
        SQLITE_CLOCK,
        super::on_want("max")
    );
    script.add(sql, [json]);
}

/// Keeps the last numbers given.
pub(super) fn count(script: &mut Script, counter: Counter) {
    let sql = "update counter set event = $1, record = $2, intake = $3";
    script.add(sql, args![counter.event, counter.record, counter.intake]);
}
