//! What key services answered, and what people said (forgotten downloads, holds that stood), in
//! and out. Nothing here decides which observation counts.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params};

use super::error::StoreError;
use super::lowered::{
    Cells, Fingerprint, find, find_or_add, opt_text, opt_time, opt_word, position, text, time,
};
use crate::model::evidence::{Condition, UnknownReason};
use crate::model::policy::Hold;
use crate::model::{Forgotten, HoldSeen, KeyId, Observation, Timestamp};

/// Keeps an observation; false when the store already has it. `import` is asked for the number of
/// the import only if it is new.
pub(super) fn keep(
    conn: &Connection,
    observation: &Observation,
    import: impl FnOnce() -> Result<i64, StoreError>,
) -> Result<bool, StoreError> {
    let key = observation.key.to_string();
    let related: Vec<String> = observation.related.iter().map(KeyId::to_string).collect();
    let [condition, date, reason, detail] = lower_condition(&observation.condition);
    let values = [
        time(observation.at),
        condition,
        date,
        reason,
        detail,
        opt_text(observation.native.as_ref()),
        text(&observation.endpoint),
        opt_text(observation.identity.as_ref()),
        opt_time(observation.stale_at),
    ];
    let digest = {
        let mut digest = Fingerprint::default();
        digest.row("key", &[text(&key)]).row("observation", &values);
        let related: Vec<Value> = related.iter().map(|key| text(key)).collect();
        digest.row("observation_related", &related);
        digest.finish()
    };
    let known = find(
        conn,
        "SELECT no FROM observation WHERE digest = ?1",
        params![digest],
    )?;
    if known.is_some() {
        return Ok(false);
    }
    let [
        at,
        condition,
        date,
        reason,
        detail,
        native,
        endpoint,
        identity,
        stale_at,
    ] = values;
    let no = conn
        .prepare_cached(
            "INSERT INTO observation (digest, import, key, at, condition, date, reason, detail,
             native, endpoint, identity, stale_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .insert(params![
            digest,
            import()?,
            key_no(conn, &key)?,
            at,
            condition,
            date,
            reason,
            detail,
            native,
            endpoint,
            identity,
            stale_at
        ])?;
    for (index, related) in related.iter().enumerate() {
        let related = key_no(conn, related)?;
        conn.prepare_cached(
            "INSERT INTO observation_related (observation, position, key) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![no, position(index), related])?;
    }
    Ok(true)
}

fn key_no(conn: &Connection, id: &str) -> Result<i64, StoreError> {
    find_or_add(
        conn,
        "SELECT no FROM key WHERE id = ?1",
        "INSERT INTO key (id) VALUES (?1)",
        &[id],
    )
}

/// `condition`, `date`, `reason`, `detail`.
fn lower_condition(condition: &Condition) -> [Value; 4] {
    let (reason, detail) = match condition {
        Condition::UnwrapOnly { why } => (None, Some(why)),
        Condition::Unavailable { what } => (None, what.as_ref()),
        Condition::Destroyed { proof } => (None, Some(proof)),
        Condition::Unknown { reason, detail } => (Some(reason.word()), detail.as_ref()),
        Condition::Enabled { expires: _ }
        | Condition::Disabled
        | Condition::PendingDeletion { deadline: _ }
        | Condition::SoftDeleted { purge: _ }
        | Condition::MaterialMissing
        | Condition::Transient => (None, None),
    };
    [
        text(condition.word()),
        opt_time(condition.date()),
        opt_word(reason),
        opt_text(detail),
    ]
}

/// Every observation about these keys made at or before `as_of`, by key and time.
pub(super) fn load(
    conn: &Connection,
    as_of: Timestamp,
    about: &dyn Fn(&str) -> bool,
) -> Result<Vec<Observation>, StoreError> {
    let Keys { keys, few } = keys(conn, about)?;
    let mut related = related(conn, &keys)?;
    let mut found: Vec<([u8; 32], Observation)> = Vec::new();
    let mut keep = |row: &Row<'_>| {
        let cells = Cells {
            table: "observation",
            row,
        };
        let observation = Observation {
            key: key(&cells, &keys, 1)?.clone(),
            at: cells.time(2)?,
            condition: condition(&cells)?,
            native: cells.get(7)?,
            endpoint: cells.get(8)?,
            identity: cells.get(9)?,
            related: related.remove(&cells.get(0)?).unwrap_or_default(),
            stale_at: cells.opt_time(10)?,
        };
        found.push((cells.get(11)?, observation));
        Ok::<_, StoreError>(())
    };
    if let Some(few) = few {
        let mut select = conn.prepare_cached(
            "SELECT no, key, at, condition, date, reason, detail, native, endpoint, identity,
             stale_at, digest FROM observation WHERE key = ?1 AND at <= ?2",
        )?;
        for no in few {
            let mut rows = select.query(params![no, as_of.unix()])?;
            while let Some(row) = rows.next()? {
                keep(row)?;
            }
        }
    } else {
        // From one end to the other is cheaper than key by key.
        let mut select = conn.prepare_cached(
            "SELECT no, key, at, condition, date, reason, detail, native, endpoint, identity,
             stale_at, digest FROM observation WHERE at <= ?1",
        )?;
        let mut rows = select.query(params![as_of.unix()])?;
        while let Some(row) = rows.next()? {
            keep(row)?;
        }
    }
    found.sort_unstable_by(|(one_digest, one), (other_digest, other)| {
        (&one.key, one.at, one_digest).cmp(&(&other.key, other.at, other_digest))
    });
    let mut observations: Vec<Observation> = found
        .into_iter()
        .map(|(_digest, observation)| observation)
        .collect();
    observations.shrink_to_fit();
    Ok(observations)
}

fn condition(cells: &Cells<'_>) -> Result<Condition, StoreError> {
    let date = cells.opt_time(4)?;
    Ok(match cells.str(3)? {
        "enabled" => Condition::Enabled { expires: date },
        "unwrap-only" => Condition::UnwrapOnly { why: cells.get(6)? },
        "disabled" => Condition::Disabled,
        "pending-deletion" => Condition::PendingDeletion { deadline: date },
        "soft-deleted" => Condition::SoftDeleted { purge: date },
        "material-missing" => Condition::MaterialMissing,
        "unavailable" => Condition::Unavailable {
            what: cells.get(6)?,
        },
        "transient" => Condition::Transient,
        "destroyed" => Condition::Destroyed {
            proof: cells.get(6)?,
        },
        "unknown" => Condition::Unknown {
            reason: cells.word(5, &UnknownReason::ALL, UnknownReason::word)?,
            detail: cells.get(6)?,
        },
        unknown => return Err(cells.unknown_word(unknown)),
    })
}

struct Keys {
    /// By their numbers; of those that nobody wants some may be missing.
    keys: HashMap<i64, KeyId>,
    /// Those that are wanted, if not all.
    few: Option<Vec<i64>>,
}

fn keys(conn: &Connection, about: &dyn Fn(&str) -> bool) -> Result<Keys, StoreError> {
    let mut select = conn.prepare_cached("SELECT no, id FROM key")?;
    let mut rows = select.query([])?;
    let mut keys = HashMap::new();
    let mut few = Vec::new();
    let mut all = true;
    while let Some(row) = rows.next()? {
        let cells = Cells { table: "key", row };
        let text = cells.str(1)?;
        if !about(text) {
            all = false;
            continue;
        }
        let no = cells.get(0)?;
        keys.insert(no, read_key(&cells, text)?);
        few.push(no);
    }
    let few = (!all).then_some(few);
    if few.is_some() {
        // Keys that an answer calls related need not be wanted themselves.
        let mut select = conn.prepare_cached(
            "SELECT no, id FROM key WHERE no IN (SELECT key FROM observation_related)",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let cells = Cells { table: "key", row };
            keys.insert(cells.get(0)?, read_key(&cells, cells.str(1)?)?);
        }
    }
    Ok(Keys { keys, few })
}

fn read_key(cells: &Cells<'_>, text: &str) -> Result<KeyId, StoreError> {
    text.parse()
        .map_err(|error: crate::model::key_id::KeyIdError| cells.corrupt(error.to_string()))
}

fn related(
    conn: &Connection,
    keys: &HashMap<i64, KeyId>,
) -> Result<HashMap<i64, Vec<KeyId>>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT observation, key FROM observation_related ORDER BY observation, position",
    )?;
    let mut rows = select.query([])?;
    let mut related: HashMap<i64, Vec<KeyId>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "observation_related",
            row,
        };
        related
            .entry(cells.get(0)?)
            .or_default()
            .push(key(&cells, keys, 1)?.clone());
    }
    Ok(related)
}

fn key<'k>(
    cells: &Cells<'_>,
    keys: &'k HashMap<i64, KeyId>,
    column: usize,
) -> Result<&'k KeyId, StoreError> {
    keys.get(&cells.get(column)?)
        .ok_or_else(|| cells.corrupt("it refers to a missing key"))
}

/// Keeps that a download is gone; false when the store already has it.
pub(super) fn forget(conn: &Connection, forgotten: &Forgotten) -> Result<bool, StoreError> {
    let added = conn
        .prepare_cached(
            "INSERT INTO forgotten (id, reason, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![forgotten.id, forgotten.reason, forgotten.at.unix()])?;
    Ok(added > 0)
}

/// Keeps that a hold stands at an instant.
pub(super) fn note_hold(conn: &Connection, hold: &Hold, at: Timestamp) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO hold_seen (key, until, first_seen, last_seen) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (key, ifnull(until, -1)) DO UPDATE SET
             first_seen = min(first_seen, excluded.first_seen),
             last_seen = max(last_seen, excluded.last_seen)
         WHERE excluded.first_seen < first_seen OR excluded.last_seen > last_seen",
    )?
    .execute(params![
        hold.key,
        hold.until.map(Timestamp::unix),
        at.unix()
    ])?;
    Ok(())
}

pub(super) fn forgotten(conn: &Connection, as_of: Timestamp) -> Result<Vec<Forgotten>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT id, reason, at FROM forgotten WHERE at <= ?1 ORDER BY at, id, reason",
    )?;
    let mut rows = select.query(params![as_of.unix()])?;
    let mut forgotten = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "forgotten",
            row,
        };
        forgotten.push(Forgotten {
            id: cells.get(0)?,
            reason: cells.get(1)?,
            at: cells.time(2)?,
        });
    }
    Ok(forgotten)
}

/// Holds that stood at or before `as_of`; one that was noted before and after it stood then.
pub(super) fn holds_seen(conn: &Connection, as_of: Timestamp) -> Result<Vec<HoldSeen>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT key, until, min(last_seen, ?1) FROM hold_seen WHERE first_seen <= ?1
         ORDER BY key, until",
    )?;
    let mut rows = select.query(params![as_of.unix()])?;
    let mut holds = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "hold_seen",
            row,
        };
        holds.push(HoldSeen {
            key: cells.get(0)?,
            until: cells.opt_time(1)?,
            last_seen: cells.time(2)?,
        });
    }
    Ok(holds)
}
