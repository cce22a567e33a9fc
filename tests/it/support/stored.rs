//! Everything that a store holds, to be compared with what another holds.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// Per table, a hash of each row, sorted. The time at which an import was made is left out: it
/// is the clock's, not the evidence's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored(BTreeMap<String, Vec<u64>>);

impl Stored {
    pub(crate) fn rows(&self, table: &str) -> usize {
        self.0[table].len()
    }

    /// The tables that differ, with their numbers of rows.
    pub(crate) fn differences(&self, other: &Self) -> Vec<(String, usize, usize)> {
        let tables = self.0.keys().chain(other.0.keys());
        let rows = |of: &Self, table: &str| of.0.get(table).map_or(0, Vec::len);
        tables
            .filter(|table| self.0.get(*table) != other.0.get(*table))
            .map(|table| (table.clone(), rows(self, table), rows(other, table)))
            .collect()
    }
}

/// Reads a store, and has SQLite check it first.
pub(crate) fn read(path: &Path) -> Stored {
    let store = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let sound: String = store
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
    let mut dangling = store.prepare("PRAGMA foreign_key_check").unwrap();
    assert!(dangling.query([]).unwrap().next().unwrap().is_none());
    let mut names = store
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .unwrap();
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let tables = names.into_iter().map(|name| {
        let columns = if name == "import" { "no, newest" } else { "*" };
        let mut select = store
            .prepare(&format!("SELECT {columns} FROM {name}"))
            .unwrap();
        let width = select.column_count();
        let mut rows = select.query([]).unwrap();
        let mut hashes = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let mut hash = DefaultHasher::new();
            for column in 0..width {
                match row.get_ref(column).unwrap() {
                    ValueRef::Null => 0_u8.hash(&mut hash),
                    ValueRef::Integer(number) => (1_u8, number).hash(&mut hash),
                    ValueRef::Real(number) => (2_u8, number.to_bits()).hash(&mut hash),
                    ValueRef::Text(text) => (3_u8, text).hash(&mut hash),
                    ValueRef::Blob(bytes) => (4_u8, bytes).hash(&mut hash),
                }
            }
            hashes.push(hash.finish());
        }
        hashes.sort_unstable();
        (name, hashes)
    });
    Stored(tables.collect())
}
