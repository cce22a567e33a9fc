//! Values on their way into the store, digests over them, and cells on their way back. Owns the
//! one place where an impossible cell becomes [`StoreError::Corrupt`]; names no table itself.

use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, OptionalExtension, Params, Row};
use sha2::{Digest, Sha256};

use super::error::StoreError;
use crate::model::Timestamp;

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn opt_text(value: Option<impl AsRef<str>>) -> Value {
    value.map_or(Value::Null, |value| text(value.as_ref()))
}

pub(super) fn opt_word(value: Option<&'static str>) -> Value {
    value.map_or(Value::Null, text)
}

pub(super) fn time(at: Timestamp) -> Value {
    Value::Integer(at.unix())
}

pub(super) fn opt_time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, time)
}

pub(super) fn flag(value: bool) -> Value {
    Value::Integer(i64::from(value))
}

pub(super) fn opt_flag(value: Option<bool>) -> Value {
    value.map_or(Value::Null, flag)
}

pub(super) fn count(value: u32) -> Value {
    Value::Integer(i64::from(value))
}

pub(super) fn opt_count(value: Option<u32>) -> Value {
    value.map_or(Value::Null, count)
}

/// A place in a list. Lists never come near the bound: answers are capped long before.
pub(super) fn position(index: usize) -> Value {
    Value::Integer(i64::try_from(index).unwrap_or(i64::MAX))
}

/// SHA-256 over values, each with its type and length, so that no two sequences of values are
/// the same bytes.
#[derive(Default)]
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    pub(super) fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Null => self.0.update([0]),
            Value::Integer(number) => {
                self.0.update([1]);
                self.0.update(number.to_be_bytes());
            }
            Value::Text(text) => self.bytes(2, text.as_bytes()),
            Value::Blob(bytes) => self.bytes(3, bytes),
            Value::Real(number) => {
                self.0.update([4]);
                self.0.update(number.to_bits().to_be_bytes());
            }
        }
        self
    }

    /// The values of one row, told apart from those of the next by the table's name.
    pub(super) fn row(&mut self, table: &str, values: &[Value]) -> &mut Self {
        self.bytes(5, table.as_bytes());
        for value in values {
            self.value(value);
        }
        self
    }

    pub(super) fn finish(self) -> Value {
        Value::Blob(self.0.finalize().to_vec())
    }

    fn bytes(&mut self, tag: u8, bytes: &[u8]) {
        self.0.update([tag]);
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }
}

/// The number of the row that `find` selects.
pub(super) fn find(
    conn: &Connection,
    find: &str,
    by: impl Params,
) -> Result<Option<i64>, StoreError> {
    let mut find = conn.prepare_cached(find)?;
    Ok(find.query_row(by, |row| row.get(0)).optional()?)
}

/// The number of the row that `find` selects, else of the one that `add` makes of the same
/// values.
pub(super) fn find_or_add(
    conn: &Connection,
    find: &str,
    add: &str,
    by: &[&str],
) -> Result<i64, StoreError> {
    let by = rusqlite::params_from_iter(by);
    match self::find(conn, find, by.clone())? {
        Some(no) => Ok(no),
        None => Ok(conn.prepare_cached(add)?.insert(by)?),
    }
}

/// A row of `table` being read.
pub(super) struct Cells<'r> {
    pub(super) table: &'static str,
    pub(super) row: &'r Row<'r>,
}

impl Cells<'_> {
    pub(super) fn get<T: FromSql>(&self, column: usize) -> Result<T, StoreError> {
        self.row
            .get(column)
            .map_err(|error| self.corrupt(error.to_string()))
    }

    pub(super) fn str(&self, column: usize) -> Result<&str, StoreError> {
        let cell = self.row.get_ref(column)?;
        cell.as_str()
            .map_err(|error| self.corrupt(error.to_string()))
    }

    pub(super) fn opt_str(&self, column: usize) -> Result<Option<&str>, StoreError> {
        let cell = self.row.get_ref(column)?;
        cell.as_str_or_null()
            .map_err(|error| self.corrupt(error.to_string()))
    }

    /// A text that may be absent, in the memory of an earlier one.
    pub(super) fn opt_text_into(
        &self,
        column: usize,
        memory: Option<String>,
    ) -> Result<Option<String>, StoreError> {
        Ok(self.opt_str(column)?.map(|text| {
            let mut memory = memory.unwrap_or_default();
            memory.clear();
            memory.push_str(text);
            memory
        }))
    }

    pub(super) fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.instant(self.get(column)?)
    }

    pub(super) fn opt_time(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        self.get::<Option<i64>>(column)?
            .map(|seconds| self.instant(seconds))
            .transpose()
    }

    /// The one of `all` whose word stands in the column.
    pub(super) fn word<T: Copy>(
        &self,
        column: usize,
        all: &[T],
        word: fn(T) -> &'static str,
    ) -> Result<T, StoreError> {
        let found = self.str(column)?;
        all.iter()
            .copied()
            .find(|value| word(*value) == found)
            .ok_or_else(|| self.unknown_word(found))
    }

    pub(super) fn unknown_word(&self, word: &str) -> StoreError {
        self.corrupt(format!("unknown word `{word}`"))
    }

    pub(super) fn corrupt(&self, why: impl Into<String>) -> StoreError {
        let key = match self.row.get::<_, Value>(0) {
            Ok(Value::Integer(number)) => number.to_string(),
            Ok(Value::Text(text)) => format!("`{text}`"),
            Ok(Value::Null | Value::Real(_) | Value::Blob(_)) | Err(_) => "?".to_owned(),
        };
        StoreError::Corrupt {
            table: self.table,
            key,
            why: why.into(),
        }
    }

    fn instant(&self, seconds: i64) -> Result<Timestamp, StoreError> {
        Timestamp::from_unix(seconds)
            .ok_or_else(|| self.corrupt(format!("{seconds} is outside the years 1970 to 9999")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_sequences_of_rows_have_one_digest() {
        let null = || Value::Null;
        let sequences: [&[(&str, &[Value])]; 11] = [
            &[],
            &[("t", &[])],
            &[("t", &[]), ("t", &[])],
            &[("t", &[null()])],
            &[("t", &[null(), null()])],
            &[("t", &[null()]), ("t", &[null()])],
            &[("t", &[text("")])],
            &[("t", &[text("ab"), text("c")])],
            &[("t", &[text("a"), text("bc")])],
            &[("t", &[Value::Integer(0)])],
            &[("u", &[Value::Integer(0)])],
        ];
        let digests: Vec<Value> = sequences
            .iter()
            .map(|rows| {
                let mut digest = Fingerprint::default();
                for (table, values) in *rows {
                    digest.row(table, values);
                }
                digest.finish()
            })
            .collect();
        for (n, digest) in digests.iter().enumerate() {
            assert!(!digests[..n].contains(digest), "{:?}", sequences[n]);
        }
    }
}
