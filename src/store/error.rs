//! How working with the store fails. Every message says what was not done.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why the store gave no answer, or kept nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No file, an empty one, or a store in memory that nobody has filled.
    #[error("there is no store at `{}`: nothing was read", path.display())]
    Missing { path: PathBuf },
    /// Not SQLite, or the database of another program.
    #[error("`{}` is not a snapkey store: it was not opened", path.display())]
    NotSnapkey { path: PathBuf },
    /// Written by a later snapkey.
    #[error(
        "the store has schema {found} and this snapkey knows schemas up to {known}: it was not \
         opened"
    )]
    NewerVersion { found: i64, known: i64 },
    /// Written by an earlier snapkey, and opened for reading only.
    #[error(
        "the store has schema {found}, not {known}, and was opened for reading only: it was not \
         upgraded"
    )]
    OlderVersion { found: i64, known: i64 },
    /// Another process held the lock for the whole waiting time.
    #[error("the store stayed locked by another process: nothing was written")]
    Locked,
    /// The file, its folder or the way it was opened allows no writing.
    #[error("the store is read-only: nothing was written")]
    ReadOnly,
    /// The disk is full.
    #[error("the disk is full: nothing of this import was kept")]
    Full,
    /// Read without locks (see [`super::Store::open_read_only`]) while somebody wrote to it.
    #[error("`{}` was written to while it was read without locks: nothing was decided", path.display())]
    ChangedWhileRead { path: PathBuf },
    /// A row that the types cannot express. `key` is the row's first column.
    #[error("row {key} of the store's table `{table}` cannot be read ({why}): nothing was decided")]
    Corrupt {
        table: &'static str,
        key: String,
        why: String,
    },
    /// The file could not be created or looked at.
    #[error("the store at `{}` could not be opened: nothing was done", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// Anything else that SQLite reports.
    #[error("SQLite failed: nothing was written")]
    Sqlite(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let is = |code| error.sqlite_error_code() == Some(code);
        if is(ErrorCode::DatabaseBusy) || is(ErrorCode::DatabaseLocked) {
            Self::Locked
        } else if is(ErrorCode::ReadOnly) {
            Self::ReadOnly
        } else if is(ErrorCode::DiskFull) || has_no_room_for_its_index(&error) {
            Self::Full
        } else {
            Self::Sqlite(error)
        }
    }
}

/// SQLite calls it an I/O error when the index of the write-ahead log finds no room on the disk.
fn has_no_room_for_its_index(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}
