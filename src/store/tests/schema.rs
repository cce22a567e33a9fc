//! `schema.sql` says what the types say.

use super::{Store, memory};
use crate::model::evidence::{Condition, SnapshotShape, UnknownReason};
use crate::model::reading::{DeclaredKind, Gap, RetentionUnit};
use crate::model::{Provider, Source};
use crate::store::{APPLICATION_ID, SCHEMA, SCHEMA_VERSION};

/// The words that a CHECK allows a table's column, be it `IN (...)` or a chain of `OR`s.
fn checked(table: &str, column: &str) -> Vec<String> {
    let schema = SCHEMA.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, table_text) = schema
        .split_once(&format!("CREATE TABLE {table} ("))
        .unwrap_or_else(|| panic!("no table {table}"));
    let (table_text, _) = table_text.split_once("STRICT").unwrap();
    let check = ["IN (", "= "]
        .iter()
        .flat_map(|how| [" ", ""].map(|space| format!("CHECK ({space}{column} {how}")))
        .find_map(|check| table_text.split_once(&check))
        .unwrap_or_else(|| panic!("no list for {table}.{column}"));
    let (list, _) = check.1.split_once(')').unwrap();
    list.split('\'')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|value| word(*value)).collect()
}

#[test]
fn check_lists_are_the_words_of_the_enums() {
    let providers = words(&Provider::ALL, Provider::word);
    let mut cluster_encryption = vec!["none"];
    cluster_encryption.extend(&providers);
    cluster_encryption.push("unrecognised");
    let table = [
        ("root", "source", words(&Source::ALL, Source::word)),
        ("reading", "gap", words(&Gap::ALL, Gap::word)),
        ("cluster_state", "encryption", cluster_encryption),
        ("key_settings", "provider", providers),
        (
            "copy_item",
            "unit",
            words(&RetentionUnit::ALL, RetentionUnit::word),
        ),
        (
            "declared",
            "kind",
            words(&DeclaredKind::ALL, DeclaredKind::word),
        ),
        (
            "snapshot",
            "shape",
            words(&SnapshotShape::ALL, SnapshotShape::word),
        ),
        ("observation", "condition", Condition::WORDS.to_vec()),
        (
            "observation",
            "reason",
            words(&UnknownReason::ALL, UnknownReason::word),
        ),
    ];
    for (table, column, words) in table {
        assert_eq!(checked(table, column), words, "{table}.{column}");
    }
    // `outcome`, `scope`, `kind`, `status`, `delivery` belong to enums with data, which have no
    // list of words: the round trips of every variant cover them.
}

#[test]
fn the_file_header_is_the_schemas() {
    let store = memory();
    let header = |pragma: &str| -> i64 {
        store
            .conn
            .pragma_query_value(None, pragma, |row| row.get(0))
            .unwrap()
    };
    assert_eq!(header("application_id"), APPLICATION_ID);
    assert_eq!(header("user_version"), SCHEMA_VERSION);
    assert_eq!(header("foreign_keys"), 1);
}

#[test]
fn every_table_is_strict() {
    let store = memory();
    let lax: Vec<String> = store
        .conn
        .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite_%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(lax, [""; 0]);
}

/// A statement that the schema must refuse, and a word of the reason.
fn refused(store: &Store, statement: &str, why: &str) {
    let error = store.conn.execute_batch(statement).unwrap_err().to_string();
    assert!(error.contains(why), "{statement}: {error}");
}

#[test]
fn the_schema_refuses_what_the_types_cannot_say() {
    let store = memory();
    store
        .conn
        .execute_batch(
            "INSERT INTO import VALUES (1, 0, 0);
             INSERT INTO key VALUES (1, 'k');
             INSERT INTO root VALUES (1, zeroblob(32), 'atlas', 'u', 'all-visible', NULL);
             INSERT INTO run VALUES (1, 'r');
             INSERT INTO content VALUES (1, zeroblob(32), 'snapshots', NULL, NULL);
             INSERT INTO project VALUES (1, 'p', 'u');
             INSERT INTO cluster (no, project, name) VALUES (1, 1, 'c');
             INSERT INTO key_column VALUES (1, zeroblob(32), 'absent');
             INSERT INTO cluster_key_column (cluster, key_column) VALUES (1, 1);",
        )
        .unwrap();
    let observation = |values: &str| {
        format!(
            "INSERT INTO observation (digest, import, key, at, condition, date, reason, detail,
             endpoint) VALUES (randomblob(32), 1, 1, {values}, 'e')"
        )
    };
    let reading = |values: &str| {
        format!(
            "INSERT INTO reading (digest, import, root, at, run, content, outcome, gap, status,
             code, confirmed) VALUES (randomblob(32), 1, 1, 0, 1, 1, {values})"
        )
    };
    let snapshot = |values: &str| {
        format!(
            "INSERT INTO snapshot (cluster, id, ordinal, shape, status, status_text, keep, copied,
             key_column, first_at, last_at) VALUES (1, 's', 0, {values})"
        )
    };
    let check = "CHECK constraint failed";
    let table = [
        (
            observation("'soon', 'enabled', NULL, NULL, NULL"),
            "TEXT value in INTEGER column",
        ),
        (observation("-1, 'enabled', NULL, NULL, NULL"), check),
        (
            observation("253402300800, 'enabled', NULL, NULL, NULL"),
            check,
        ),
        (observation("0, 'ENABLED', NULL, NULL, NULL"), check),
        (observation("0, 'disabled', 5, NULL, NULL"), check),
        (observation("0, 'unknown', NULL, NULL, NULL"), check),
        (observation("0, 'enabled', NULL, 'throttled', NULL"), check),
        (observation("0, 'destroyed', NULL, NULL, NULL"), check),
        (observation("0, 'enabled', NULL, NULL, 'why'"), check),
        (reading("'partial', NULL, NULL, NULL, NULL"), check),
        (reading("'whole', 'filtered', NULL, NULL, NULL"), check),
        (reading("'refused', NULL, 404, NULL, NULL"), check),
        (reading("'whole', NULL, NULL, 'CODE', NULL"), check),
        (snapshot("'own', 'completed', NULL, 2, 0, 1, 0, 0"), check),
        (snapshot("'own', 'completed', 'odd', 0, 0, 1, 0, 0"), check),
        (
            snapshot("'own', 'unrecognised', NULL, 0, 0, 1, 0, 0"),
            check,
        ),
        (snapshot("'own', 'completed', NULL, 0, 0, 1, 5, 4"), check),
        (
            snapshot("'own', 'completed', NULL, 0, 0, 9, 0, 0"),
            "FOREIGN KEY",
        ),
        (
            "INSERT INTO content VALUES (2, randomblob(32), 'settings', 7, NULL)".to_owned(),
            check,
        ),
        (
            "INSERT INTO content VALUES (2, randomblob(31), 'settings', NULL, NULL)".to_owned(),
            check,
        ),
    ];
    for (statement, why) in table {
        refused(&store, &statement, why);
    }
    // The same statements pass with nothing wrong in them.
    for statement in [
        observation("0, 'destroyed', NULL, NULL, 'proof'"),
        reading("'refused', NULL, 404, NULL, 1"),
        snapshot("'own', 'completed', NULL, 0, 0, 1, 0, 0"),
    ] {
        store.conn.execute_batch(&statement).unwrap();
    }
}
