//! The file behind a store: making it private, connecting to it, and reading it where no lock
//! file can be made.

use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::{Connection, OpenFlags};

use super::{Access, StoreError};

/// Connects to a file that exists, or with [`Access::Create`] to one that is made now.
pub(super) fn connect(
    path: &Path,
    access: Access,
    lock_wait: Duration,
) -> Result<(Connection, Option<Untouched>), StoreError> {
    let exists = path.try_exists().map_err(|source| failed(path, source))?;
    let flags = match access {
        Access::Create if !exists => {
            make_private(path)?;
            OpenFlags::SQLITE_OPEN_READ_WRITE
        }
        Access::Write | Access::Read if !exists => {
            return Err(StoreError::Missing { path: path.into() });
        }
        Access::Create | Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(lock_wait)?;
    match (without_locks(&conn), access) {
        (None, _) => Ok((conn, None)),
        (Some(_), Access::Read) => {
            let (conn, untouched) = Untouched::connect(path)?;
            Ok((conn, Some(untouched)))
        }
        (Some(why), Access::Create | Access::Write) => Err(why),
    }
}

/// Before SQLite sees it, so that the file is never readable by others; SQLite gives the log the
/// same mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map(drop)
        .map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io {
        path: path.into(),
        source,
    }
}

/// A store's journal is a write-ahead log, whose index SQLite wants to make beside the file: why
/// it cannot, because nothing may be written there or there is no room.
fn without_locks(conn: &Connection) -> Option<StoreError> {
    let read = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_row| Ok(()));
    let error = read.err()?;
    if matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
    ) {
        return Some(StoreError::ReadOnly);
    }
    match StoreError::from(error) {
        StoreError::Full => Some(StoreError::Full),
        // Whatever else is wrong shows again where it is told.
        StoreError::Missing { .. }
        | StoreError::NotSnapkey { .. }
        | StoreError::NewerVersion { .. }
        | StoreError::OlderVersion { .. }
        | StoreError::Locked
        | StoreError::ReadOnly
        | StoreError::ChangedWhileRead { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Io { .. }
        | StoreError::Sqlite(_) => None,
    }
}

/// A file that is read without locks, and how to tell that somebody wrote to it meanwhile.
pub(super) struct Untouched {
    path: PathBuf,
    len: u64,
    modified: Option<SystemTime>,
}

impl Untouched {
    /// Reads the file as it is now, and takes note of it first.
    pub(super) fn connect(path: &Path) -> Result<(Connection, Self), StoreError> {
        /// What has a meaning in a URI; the slashes between folders stay.
        const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/');
        if has_log(path)? {
            // What the log holds would be missing.
            return Err(StoreError::ReadOnly);
        }
        let (len, modified) = stamp(path)?;
        let untouched = Self {
            path: path.into(),
            len,
            modified,
        };
        let absolute = std::path::absolute(path).map_err(|source| failed(path, source))?;
        let Some(text) = absolute.to_str() else {
            return Err(StoreError::ReadOnly);
        };
        let uri = format!("file:{}?immutable=1", utf8_percent_encode(text, PATH));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok((Connection::open_with_flags(uri, flags)?, untouched))
    }

    /// Fails if the file is no longer as it was.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if has_log(&self.path)? || stamp(&self.path)? != (self.len, self.modified) {
            return Err(StoreError::ChangedWhileRead {
                path: self.path.clone(),
            });
        }
        Ok(())
    }
}

fn stamp(path: &Path) -> Result<(u64, Option<SystemTime>), StoreError> {
    let metadata = fs::metadata(path).map_err(|source| failed(path, source))?;
    Ok((metadata.len(), metadata.modified().ok()))
}

/// A log that holds anything; an empty one is what a reader leaves behind.
fn has_log(path: &Path) -> Result<bool, StoreError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    match fs::metadata(&log).map(|log: Metadata| log.len()) {
        Ok(len) => Ok(len > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(path, error)),
    }
}
