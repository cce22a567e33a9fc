//! The one SQLite file and the only SQL. Owns the file (creation, mode, locks, schema versions)
//! and its transactions; tables are handled beside their rows in the modules below. Evidence goes
//! in dated and comes out in a fixed order; no rule is written here.
//!
//! # Locking
//!
//! The journal is a write-ahead log: readers never wait, a second writer waits [`LOCK_WAIT`].
//! [`Store::close`] empties the log into the file, so that a closed store can be copied, and read
//! where nothing may be written.
//!
//! # Versions
//!
//! `schema.sql` is the whole current schema, and `user_version` its number. A later schema gets
//! one more entry in `UPGRADES`; past entries are never edited.

mod content;
mod contents;
mod error;
mod file;
mod import;
mod lowered;
mod numbered;
mod observations;
mod outline;
mod reach;
mod readings;
mod rows;
mod sightings;
mod snapshots;
mod totals;
mod view;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use error::StoreError;
pub use import::Import;
pub use outline::Shelved;
pub use reach::Reach;
pub use rows::Rows;
pub use view::View;

use crate::model::policy::Hold;
use crate::model::{Forgotten, RootId, Timestamp};
use file::Untouched;

/// How long a writer waits for another.
pub const LOCK_WAIT: Duration = Duration::from_secs(30);

const SCHEMA: &str = include_str!("../../schema.sql");
/// "skey" in the file's header says that it is a store of snapkey.
const APPLICATION_ID: i64 = 1_936_418_169;
/// The version of `schema.sql`.
pub const SCHEMA_VERSION: i64 = 1;
/// What turns schema 1 into 2, 2 into 3, and so on; each sets `user_version`.
const UPGRADES: [&str; 0] = [];

/// Pages held in memory during the first import of a process, in KiB (negative as SQLite wants
/// it). Snapshots arrive cluster by cluster, which is how table and index are ordered: more gains
/// nothing, and would not leave the program below 64 MiB. A quarter of it costs a tenth of the
/// time.
const WRITE_CACHE: i64 = -16_384;
/// Reading goes from one end to the other: a larger cache gains nothing.
const READ_CACHE: i64 = -1_024;

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    File(PathBuf),
    /// Kept for the length of the process.
    Memory,
}

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Writing; a missing store is made by the first import that is kept.
    Create,
    /// Writing; a missing store is an error.
    Write,
    /// Reading; a missing store is an error.
    Read,
}

/// An open store.
pub struct Store {
    conn: Connection,
    /// Set when the file is read without locks.
    untouched: Option<Untouched>,
    /// The file, as long as nothing was ever kept in it: the first import makes the tables too.
    unmade: Option<PathBuf>,
}

impl Store {
    /// Opens a store for writing; if there is none, the first import that is kept makes it (mode
    /// 0600). A file without one counts as no store, so that an import that fails leaves none:
    /// removing the file instead could take it from under another process that just opened it.
    pub fn create(at: &Location) -> Result<Self, StoreError> {
        Self::open_waiting(at, Access::Create, LOCK_WAIT)
    }

    /// Opens an existing store for writing.
    pub fn open(at: &Location) -> Result<Self, StoreError> {
        Self::open_waiting(at, Access::Write, LOCK_WAIT)
    }

    /// Opens an existing store for reading. Where not even the lock files can be made (a
    /// read-only folder or medium) and the store was closed properly, it is read without locks;
    /// a [`Self::view`] then fails if the file changed meanwhile.
    pub fn open_read_only(at: &Location) -> Result<Self, StoreError> {
        Self::open_waiting(at, Access::Read, LOCK_WAIT)
    }

    /// Opens a store, waiting `lock_wait` for other writers now and later.
    pub fn open_waiting(
        at: &Location,
        access: Access,
        lock_wait: Duration,
    ) -> Result<Self, StoreError> {
        let mut store = match at {
            Location::Memory if access == Access::Create => Self {
                conn: Connection::open_in_memory()?,
                untouched: None,
                unmade: None,
            },
            Location::Memory => {
                return Err(StoreError::Missing {
                    path: PathBuf::from(":memory:"),
                });
            }
            Location::File(path) => {
                let (conn, untouched) = file::connect(path, access, lock_wait)?;
                Self {
                    conn,
                    untouched,
                    unmade: None,
                }
            }
        };
        store.set_up(at, access, lock_wait)?;
        Ok(store)
    }

    fn set_up(
        &mut self,
        at: &Location,
        access: Access,
        lock_wait: Duration,
    ) -> Result<(), StoreError> {
        let conn = &self.conn;
        let path = match at {
            Location::File(path) => path,
            Location::Memory => Path::new(":memory:"),
        };
        conn.busy_timeout(lock_wait)?;
        conn.set_prepared_statement_cache_capacity(128);
        conn.pragma_update(None, "foreign_keys", true)?;
        // What a statement is asked for does not change how it is answered: else some are prepared
        // anew with every new value, which takes longer than to answer them.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let state = {
            let unchanging = conn.unchecked_transaction()?;
            state(&unchanging, path)?
        };
        match access {
            Access::Read => {
                conn.pragma_update(None, "cache_size", READ_CACHE)?;
                return match state {
                    State::Blank => Err(StoreError::Missing { path: path.into() }),
                    State::Version(SCHEMA_VERSION) => Ok(()),
                    State::Version(found) => Err(StoreError::OlderVersion {
                        found,
                        known: SCHEMA_VERSION,
                    }),
                };
            }
            Access::Write if state == State::Blank => {
                return Err(StoreError::Missing { path: path.into() });
            }
            Access::Write | Access::Create => {}
        }
        conn.pragma_update(None, "cache_size", WRITE_CACHE)?;
        // In this mode a power cut can lose the last commits, never part of one; `close` syncs.
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        if conn.is_readonly("main")? {
            return Err(StoreError::ReadOnly);
        }
        write_ahead(conn, lock_wait)?;
        match (state, at) {
            (State::Version(SCHEMA_VERSION), _) => {}
            (State::Version(_), _) | (State::Blank, Location::Memory) => upgrade(conn, path)?,
            (State::Blank, Location::File(path)) => self.unmade = Some(path.clone()),
        }
        Ok(())
    }

    /// The file, if nothing was ever kept in it, not even by another process meanwhile.
    fn unmade(&self) -> Result<Option<&Path>, StoreError> {
        match &self.unmade {
            Some(path) if state(&self.conn, path)? == State::Blank => Ok(Some(path)),
            Some(_) | None => Ok(None),
        }
    }

    /// Runs `work` as one import, made at `at`: all that it hands over is kept, or, if it or the
    /// store fails or the process dies, nothing. What the store already has is not kept again.
    pub fn import<T, E: From<StoreError>>(
        &mut self,
        at: Timestamp,
        work: impl FnOnce(&mut Import<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // Dropped without a commit it rolls back.
        let transaction = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        if let Some(path) = &self.unmade {
            migrate(&transaction, path)?;
        }
        let mut import = Import::begin(&transaction, at);
        let done = work(&mut import)?;
        import.finish()?;
        transaction.commit().map_err(StoreError::from)?;
        self.unmade = None;
        // What follows an import reads or writes little, and needs the memory for itself. The
        // import is kept, so that this fails is no reason to say otherwise.
        let _still_large = self
            .conn
            .pragma_update(None, "cache_size", READ_CACHE)
            .and_then(|()| self.conn.execute_batch("PRAGMA shrink_memory"));
        Ok(done)
    }

    /// Keeps that a person said that a download is gone, as an import of its own.
    pub fn forget_download(&mut self, forgotten: &Forgotten) -> Result<(), StoreError> {
        self.import(forgotten.at, |import| import.forget_download(forgotten))
    }

    /// Keeps that these holds stand at `at`, as an import of its own.
    pub fn note_holds(&mut self, holds: &[Hold], at: Timestamp) -> Result<(), StoreError> {
        self.import(at, |import| import.note_holds(holds))
    }

    /// Runs `work` on one unchanging sight of the store, whatever others write meanwhile.
    pub fn view<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&View<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self
            .conn
            .unchecked_transaction()
            .map_err(StoreError::from)?;
        if let Some(path) = self.unmade()? {
            return Err(E::from(StoreError::Missing { path: path.into() }));
        }
        let done = work(&View::new(&transaction));
        if let Some(untouched) = &self.untouched {
            untouched.check()?;
        }
        done
    }

    /// Every base URL that anything in the store came from, sorted.
    pub fn base_urls(&self) -> Result<Vec<String>, StoreError> {
        if self.unmade()?.is_some() {
            return Ok(Vec::new());
        }
        let mut select = self.conn.prepare_cached(
            "SELECT base_url FROM project UNION SELECT base_url FROM root ORDER BY base_url",
        )?;
        let urls = select.query_map([], |row| row.get(0))?;
        Ok(urls.collect::<Result<_, _>>()?)
    }

    /// Every root that anything was read from, sorted.
    pub fn roots(&self) -> Result<Vec<RootId>, StoreError> {
        let mut roots: Vec<RootId> = readings::roots(&self.conn)?
            .values()
            .map(|root| RootId::clone(&root))
            .collect();
        roots.sort();
        Ok(roots)
    }

    /// Empties the write-ahead log into the file and closes it. Where a reader is still at work
    /// the log stays, and whoever closes last empties it.
    pub fn close(self) -> Result<(), StoreError> {
        if !self.conn.is_readonly("main")? {
            self.conn.busy_timeout(Duration::ZERO)?;
            self.conn
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_busy| Ok(()))?;
        }
        self.conn
            .close()
            .map_err(|(_conn, error)| StoreError::from(error))
    }
}

/// Makes the journal a write-ahead log, if it is not one. SQLite does that at once or not at all,
/// so the waiting for another process that is just making the same store is done here.
fn write_ahead(conn: &Connection, lock_wait: Duration) -> Result<(), StoreError> {
    const PAUSE: Duration = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    loop {
        let set = conn.pragma_update_and_check(None, "journal_mode", "WAL", |_mode| Ok(()));
        match set.map_err(StoreError::from) {
            Err(StoreError::Locked) if waited < lock_wait => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            done => return done,
        }
    }
}

/// What a database turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing in it, not even another program's mark.
    Blank,
    /// A store of this or an earlier schema.
    Version(i64),
}

/// To be asked in a transaction: another process may be making the store right now.
fn state(conn: &Connection, path: &Path) -> Result<State, StoreError> {
    let not_snapkey = || StoreError::NotSnapkey { path: path.into() };
    let header = |pragma| conn.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let application_id = header("application_id").map_err(|error| {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
            not_snapkey()
        } else {
            StoreError::from(error)
        }
    })?;
    let version = header("user_version")?;
    if application_id == APPLICATION_ID {
        return if version > SCHEMA_VERSION {
            Err(StoreError::NewerVersion {
                found: version,
                known: SCHEMA_VERSION,
            })
        } else if version < 1 {
            Err(not_snapkey())
        } else {
            Ok(State::Version(version))
        };
    }
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application_id == 0 && version == 0 && tables == 0 {
        Ok(State::Blank)
    } else {
        Err(not_snapkey())
    }
}

/// Makes the schema, or brings an older one up to date, in one transaction.
fn upgrade(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let transaction = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
    migrate(&transaction, path)?;
    Ok(transaction.commit()?)
}

/// The same in a transaction that may write.
fn migrate(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    // Another process may have been faster.
    match state(conn, path)? {
        State::Blank => conn.execute_batch(SCHEMA)?,
        State::Version(found) => {
            for (version, upgrade) in (1..).zip(UPGRADES) {
                if version >= found {
                    conn.execute_batch(upgrade)?;
                }
            }
        }
    }
    Ok(())
}
