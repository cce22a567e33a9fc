//! What readings say, on its way in: one lowering to rows serves the digest and the INSERTs
//! alike. Owns writing to the tables `content` and its children; `contents` reads them back, and
//! who said it when is in `readings`.

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::error::StoreError;
use super::lowered::{
    Fingerprint, count, find, flag, opt_count, opt_flag, opt_text, opt_time, opt_word, position,
    text, time,
};
use crate::model::reading::{
    ClusterEncryption, ClusterState, Content, Declared, Delivery, RestoreJob, Schedule,
};

/// A child table of `content`; the values of a row follow the content's number.
#[derive(Clone, Copy)]
struct Table {
    name: &'static str,
    insert: &'static str,
}

const LISTED_PROJECT: Table = Table {
    name: "listed_project",
    insert: "INSERT INTO listed_project (content, position, id, name) VALUES (?1, ?2, ?3, ?4)",
};
const CLUSTER_STATE: Table = Table {
    name: "cluster_state",
    insert: "INSERT INTO cluster_state (content, position, id, name, sharded, state, encryption,
             encryption_text, backup_enabled, pit_enabled, paused, dedicated, version, instance_size)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
};
const KEY_SETTINGS: Table = Table {
    name: "key_settings",
    insert: "INSERT INTO key_settings (content, position, provider, enabled, key, region, valid)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
};
const EXTRA_RETENTION: Table = Table {
    name: "extra_retention",
    insert: "INSERT INTO extra_retention (content, position, frequency, days)
             VALUES (?1, ?2, ?3, ?4)",
};
const COPY_SETTING: Table = Table {
    name: "copy_setting",
    insert: "INSERT INTO copy_setting (content, position, by_number) VALUES (?1, ?2, ?3)",
};
const COPY_ITEM: Table = Table {
    name: "copy_item",
    insert: "INSERT INTO copy_item (content, setting, position, frequency, unit, value)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
};
const EVENT: Table = Table {
    name: "event",
    insert: "INSERT INTO event (content, position, at, kind) VALUES (?1, ?2, ?3, ?4)",
};
const RESTORE_JOB: Table = Table {
    name: "restore_job",
    insert: "INSERT INTO restore_job (content, position, id, snapshot, delivery, delivery_text,
             finished_at, failed, cancelled, expired)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
};
const DECLARED: Table = Table {
    name: "declared",
    insert: "INSERT INTO declared (content, position, kind, cluster, id, until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
};
const DECLARED_KEY: Table = Table {
    name: "declared_key",
    insert: "INSERT INTO declared_key (content, line, position, spelling) VALUES (?1, ?2, ?3, ?4)",
};

/// A content as the rows that it becomes.
struct Lowered {
    /// `kind`, `restore_window_days`, `since` of `content`.
    head: [Value; 3],
    rows: Vec<(Table, Vec<Value>)>,
}

/// The number and digest of a content, which is kept if it is new.
pub(super) fn keep(conn: &Connection, content: &Content) -> Result<(i64, Value), StoreError> {
    let Lowered { head, rows } = lower(content);
    let mut digest = Fingerprint::default();
    digest.row("content", &head);
    for (table, values) in &rows {
        digest.row(table.name, values);
    }
    let digest = digest.finish();
    if let Some(no) = find(
        conn,
        "SELECT no FROM content WHERE digest = ?1",
        params![digest],
    )? {
        return Ok((no, digest));
    }
    let [kind, restore_window_days, since] = head;
    let no = conn
        .prepare_cached(
            "INSERT INTO content (digest, kind, restore_window_days, since)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .insert(params![digest, kind, restore_window_days, since])?;
    for (table, values) in rows {
        conn.prepare_cached(table.insert)?
            .execute(params_from_iter(
                std::iter::once(Value::Integer(no)).chain(values),
            ))?;
    }
    Ok((no, digest))
}

fn lower(content: &Content) -> Lowered {
    let mut window = None;
    let mut since = None;
    let rows = match content {
        Content::Projects(projects) => listed(projects, LISTED_PROJECT, |project| {
            vec![text(&project.id), opt_text(project.name.as_ref())]
        }),
        Content::Clusters {
            clusters,
            deleted_included: _,
        }
        | Content::SharedClusters(clusters) => listed(clusters, CLUSTER_STATE, cluster_state),
        Content::Project
        | Content::Snapshots
        | Content::ShardedSnapshots
        | Content::SharedSnapshots => Vec::new(),
        Content::Schedule(schedule) => {
            window = schedule.restore_window_days;
            schedule_rows(schedule)
        }
        Content::Settings(settings) => listed(settings, KEY_SETTINGS, |block| {
            vec![
                text(block.provider.word()),
                flag(block.enabled),
                opt_text(block.key.as_ref()),
                opt_text(block.region.as_ref()),
                opt_flag(block.valid),
            ]
        }),
        Content::Events {
            since: back_to,
            events,
        } => {
            since = *back_to;
            listed(events, EVENT, |event| {
                vec![time(event.at), text(&event.kind)]
            })
        }
        Content::RestoreJobs(jobs) => listed(jobs, RESTORE_JOB, restore_job),
        Content::CompliancePolicy(policy) => {
            window = policy.restore_window_days;
            Vec::new()
        }
        Content::Inventory(lines) => inventory_rows(lines),
    };
    Lowered {
        head: [text(content.word()), opt_count(window), opt_time(since)],
        rows,
    }
}

fn listed<T>(
    items: &[T],
    table: Table,
    values: impl Fn(&T) -> Vec<Value>,
) -> Vec<(Table, Vec<Value>)> {
    items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let mut row = vec![position(index)];
            row.append(&mut values(item));
            (table, row)
        })
        .collect()
}

fn cluster_state(cluster: &ClusterState) -> Vec<Value> {
    let (encryption, encryption_text) = match &cluster.encryption {
        None => (None, None),
        Some(ClusterEncryption::None) => (Some("none"), None),
        Some(ClusterEncryption::Provider(provider)) => (Some(provider.word()), None),
        Some(ClusterEncryption::Unrecognised(word)) => (Some("unrecognised"), Some(word)),
    };
    vec![
        opt_text(cluster.id.as_ref()),
        text(&cluster.name),
        opt_flag(cluster.sharded),
        opt_text(cluster.state.as_ref()),
        opt_word(encryption),
        opt_text(encryption_text),
        opt_flag(cluster.backup_enabled),
        opt_flag(cluster.pit_enabled),
        opt_flag(cluster.paused),
        flag(cluster.dedicated),
        opt_text(cluster.version.as_ref()),
        opt_text(cluster.instance_size.as_ref()),
    ]
}

fn restore_job(job: &RestoreJob) -> Vec<Value> {
    let (delivery, delivery_text) = match &job.delivery {
        Delivery::Automated => ("automated", None),
        Delivery::Download => ("download", None),
        Delivery::PointInTime => ("point-in-time", None),
        Delivery::Unrecognised(word) => ("unrecognised", Some(word)),
    };
    vec![
        text(&job.id),
        opt_text(job.snapshot.as_ref()),
        text(delivery),
        opt_text(delivery_text),
        opt_time(job.finished_at),
        flag(job.failed),
        flag(job.cancelled),
        flag(job.expired),
    ]
}

fn schedule_rows(schedule: &Schedule) -> Vec<(Table, Vec<Value>)> {
    let mut rows = listed(&schedule.extra_retention, EXTRA_RETENTION, |extra| {
        vec![text(&extra.frequency), count(extra.days)]
    });
    rows.extend(listed(&schedule.copies, COPY_SETTING, |copy| {
        vec![flag(copy.by_number)]
    }));
    for (setting, copy) in schedule.copies.iter().enumerate() {
        for (index, item) in copy.items.iter().enumerate() {
            rows.push((
                COPY_ITEM,
                vec![
                    position(setting),
                    position(index),
                    text(&item.frequency),
                    opt_word(item.retention.map(|retention| retention.unit.word())),
                    opt_count(item.retention.map(|retention| retention.value)),
                ],
            ));
        }
    }
    rows
}

fn inventory_rows(lines: &[Declared]) -> Vec<(Table, Vec<Value>)> {
    let mut rows = listed(lines, DECLARED, |line| {
        vec![
            text(line.kind.word()),
            opt_text(line.cluster.as_ref()),
            opt_text(line.id.as_ref()),
            opt_time(line.until),
        ]
    });
    for (line_index, line) in lines.iter().enumerate() {
        for (index, spelling) in line.keys.iter().enumerate() {
            rows.push((
                DECLARED_KEY,
                vec![position(line_index), position(index), text(spelling)],
            ));
        }
    }
    rows
}
