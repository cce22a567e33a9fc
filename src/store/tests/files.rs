//! The file: what is opened, what is refused, and what is left after a failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{at, dump, evidence, import, snapshots};
use crate::model::evidence::{KeyColumn, SnapshotShape, SnapshotStatus};
use crate::model::intake::{Intake, Shown};
use crate::model::{ProjectRef, Timestamp};
use crate::store::{Access, Import, Location, Store, StoreError};

fn store_in(folder: &TempDir) -> (PathBuf, Location) {
    let path = folder.path().join("estate.db");
    (path.clone(), Location::File(path))
}

/// A store with nothing in it but an import of nothing.
fn made(at: &Location) -> Store {
    let mut store = Store::create(at).unwrap();
    import(&mut store, |_import| Ok(())).unwrap();
    store
}

fn show_some(import: &mut Import<'_>, n_snapshots: usize) -> Result<(), StoreError> {
    let project = ProjectRef {
        id: "p".to_owned(),
        base_url: "https://atlas.example".to_owned(),
    };
    for n in 0..n_snapshots {
        import.snapshot(&Shown {
            project: &project,
            cluster: "c",
            id: &format!("{n:024x}"),
            at: at(1),
            shape: SnapshotShape::ReplicaSet,
            status: SnapshotStatus::Completed,
            created_at: None,
            expires_at: None,
            keep: false,
            frequency: None,
            copied: false,
            version: None,
            keys: KeyColumn::Absent,
        })?;
    }
    Ok(())
}

fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

#[test]
fn a_missing_store_is_made_only_by_create() {
    let folder = TempDir::new().unwrap();
    let (path, at) = store_in(&folder);
    for open in [Store::open, Store::open_read_only] {
        assert!(matches!(open(&at), Err(StoreError::Missing { .. })));
        assert!(matches!(
            open(&Location::Memory),
            Err(StoreError::Missing { .. })
        ));
    }
    assert!(!path.exists());
    made(&at).close().unwrap();
    for open in [Store::open, Store::open_read_only, Store::create] {
        open(&at).unwrap().close().unwrap();
    }
    let nowhere = Location::File(folder.path().join("no/folder/estate.db"));
    assert!(matches!(
        Store::create(&nowhere),
        Err(StoreError::Io { .. })
    ));
}

#[test]
fn a_file_that_was_only_begun_counts_as_missing() {
    let folder = TempDir::new().unwrap();
    let (path, at) = store_in(&folder);
    fs::write(&path, "").unwrap();
    assert!(matches!(Store::open(&at), Err(StoreError::Missing { .. })));
    assert!(matches!(
        Store::open_read_only(&at),
        Err(StoreError::Missing { .. })
    ));
    made(&at).close().unwrap();
    Store::open(&at).unwrap();
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let (path, at) = store_in(&folder);
    let mut store = Store::create(&at).unwrap();
    import(&mut store, |import| show_some(import, 1)).unwrap();
    for suffix in ["db", "db-wal", "db-shm"] {
        let file = path.with_extension(suffix);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn what_is_no_store_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let (path, at) = store_in(&folder);
    let other = |make: &str| {
        fs::remove_file(&path).ok();
        Connection::open(&path)
            .unwrap()
            .execute_batch(make)
            .unwrap();
    };
    let text = "a diary, long enough to be mistaken for the header of a database. ".repeat(20);
    let not_one: [&dyn Fn(); 5] = [
        &|| fs::write(&path, &text).unwrap(),
        &|| other("CREATE TABLE diary (line)"),
        &|| other("PRAGMA application_id = 7"),
        &|| other("PRAGMA user_version = 1"),
        &|| other("PRAGMA application_id = 1936418169"),
    ];
    for (n, make) in not_one.iter().enumerate() {
        make();
        let before = fs::read(&path).unwrap();
        for open in [Store::create, Store::open, Store::open_read_only] {
            let opened = open(&at);
            assert!(
                matches!(opened, Err(StoreError::NotSnapkey { .. })),
                "{n}: {:?}",
                opened.err()
            );
        }
        assert_eq!(before, fs::read(&path).unwrap(), "{n}");
    }
}

#[test]
fn a_newer_store_is_refused_with_both_versions() {
    let folder = TempDir::new().unwrap();
    let (path, at) = store_in(&folder);
    made(&at).close().unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA user_version = 2")
        .unwrap();
    for open in [Store::create, Store::open, Store::open_read_only] {
        let error = open(&at).err().unwrap();
        assert!(
            matches!(error, StoreError::NewerVersion { found: 2, known: 1 }),
            "{error}"
        );
    }
}

#[test]
fn a_closed_store_is_one_file() {
    let folder = TempDir::new().unwrap();
    let (path, location) = store_in(&folder);
    let mut store = Store::create(&location).unwrap();
    import(&mut store, |import| show_some(import, 50)).unwrap();
    store.close().unwrap();
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["estate.db"]);

    // A reader leaves nothing either, and a copy is whole.
    Store::open_read_only(&location).unwrap().close().unwrap();
    let copy = folder.path().join("odd name ?#%41.db");
    fs::copy(&path, &copy).unwrap();
    let copied = Store::open_read_only(&Location::File(copy)).unwrap();
    assert_eq!(snapshots(&copied, at(1)).len(), 50);
}

#[test]
fn a_log_is_not_emptied_under_a_reader() {
    let folder = TempDir::new().unwrap();
    let (path, location) = store_in(&folder);
    let mut store = made(&location);
    let reader = Store::open_read_only(&location).unwrap();
    let seen = reader.view(|view| {
        let before = view.evidence(Timestamp::MAX)?.projects.len();
        import(&mut store, |import| show_some(import, 50))?;
        let after = view.evidence(Timestamp::MAX)?.projects.len();
        let asked = Instant::now();
        store.close()?;
        assert!(asked.elapsed() < Duration::from_secs(10), "it waited");
        Ok::<_, StoreError>((before, after))
    });
    assert_eq!(seen.unwrap(), (0, 0));
    assert!(fs::metadata(log_of(&path)).is_ok());
    assert_eq!(snapshots(&reader, at(1)).len(), 50);
}

#[test]
fn a_reader_cannot_write() {
    let folder = TempDir::new().unwrap();
    let (_path, location) = store_in(&folder);
    made(&location).close().unwrap();
    let mut store = Store::open_read_only(&location).unwrap();
    let refused = import(&mut store, |import| show_some(import, 1));
    assert!(matches!(refused, Err(StoreError::ReadOnly)), "{refused:?}");
}

/// SQLite follows no link to a lock file: like a read-only medium, but also for root.
#[cfg(unix)]
#[test]
fn a_closed_store_is_read_where_no_lock_can_be_made() {
    let folder = TempDir::new().unwrap();
    let (path, location) = store_in(&folder);
    let mut store = Store::create(&location).unwrap();
    import(&mut store, |import| show_some(import, 20)).unwrap();
    // What is still in the log would be missing.
    let unclosed = folder.path().join("unclosed ?#%41.db");
    fs::copy(&path, &unclosed).unwrap();
    fs::copy(log_of(&path), log_of(&unclosed)).unwrap();
    store.close().unwrap();
    let closed = folder.path().join("closed ?#%41.db");
    fs::copy(&path, &closed).unwrap();
    for file in [&unclosed, &closed] {
        std::os::unix::fs::symlink("nowhere", file.with_extension("db-shm")).unwrap();
    }
    let unclosed = Store::open_read_only(&Location::File(unclosed)).err();
    assert!(
        matches!(unclosed, Some(StoreError::ReadOnly)),
        "{unclosed:?}"
    );
    let reader = Store::open_read_only(&Location::File(closed.clone())).unwrap();
    assert_eq!(snapshots(&reader, at(1)).len(), 20);
    assert_eq!(evidence(&reader, at(1)).projects.len(), 1);

    // Nobody may have written meanwhile: neither to the file nor to a log.
    let view = || reader.view(|view| view.evidence(at(1)));
    fs::write(log_of(&closed), "x").unwrap();
    assert!(matches!(view(), Err(StoreError::ChangedWhileRead { .. })));
    fs::write(log_of(&closed), "").unwrap();
    view().unwrap();
    let file = fs::File::options().append(true).open(&closed).unwrap();
    file.set_modified(file.metadata().unwrap().modified().unwrap() + Duration::from_secs(1))
        .unwrap();
    assert!(matches!(view(), Err(StoreError::ChangedWhileRead { .. })));
}

#[test]
fn a_second_writer_waits_and_then_says_so() {
    let folder = TempDir::new().unwrap();
    let (_path, location) = store_in(&folder);
    let mut first = made(&location);
    let wait = Duration::from_millis(50);
    let mut second = Store::open_waiting(&location, Access::Write, wait).unwrap();
    import(&mut first, |_import| {
        let refused = import(&mut second, |import| show_some(import, 1));
        assert!(matches!(refused, Err(StoreError::Locked)), "{refused:?}");
        Ok(())
    })
    .unwrap();
    import(&mut second, |import| show_some(import, 1)).unwrap();
}

#[test]
fn stores_made_at_the_same_time_are_one() {
    let folder = TempDir::new().unwrap();
    let (_path, location) = store_in(&folder);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut store = Store::create(&location).unwrap();
                import(&mut store, |import| show_some(import, 3)).unwrap();
                store.close().unwrap();
            });
        }
    });
    let store = Store::open_read_only(&location).unwrap();
    assert_eq!(snapshots(&store, at(1)).len(), 3);
}

#[test]
fn a_first_import_that_fails_leaves_no_store() {
    let folder = TempDir::new().unwrap();
    let (_path, location) = store_in(&folder);
    let mut store = Store::create(&location).unwrap();
    let failed: Result<(), _> = import(&mut store, |import| {
        show_some(import, 9)?;
        Err(StoreError::Full)
    });
    assert!(matches!(failed, Err(StoreError::Full)), "{failed:?}");
    let missing = |error: Option<StoreError>| {
        assert!(
            matches!(error, Some(StoreError::Missing { .. })),
            "{error:?}"
        );
    };
    missing(store.view(|view| view.evidence(at(1))).err());
    assert!(store.base_urls().unwrap().is_empty());
    store.close().unwrap();
    for open in [Store::open, Store::open_read_only] {
        missing(open(&location).err());
    }
    // Whoever had it open all the time makes it, and whoever finds it made uses it.
    let mut first = Store::create(&location).unwrap();
    let mut second = Store::create(&location).unwrap();
    import(&mut first, |import| show_some(import, 2)).unwrap();
    assert_eq!(snapshots(&second, at(1)).len(), 2);
    assert_eq!(second.base_urls().unwrap().len(), 1);
    import(&mut second, |import| show_some(import, 3)).unwrap();
    assert_eq!(snapshots(&first, at(1)).len(), 3);
}

#[test]
fn a_failed_import_leaves_no_row() {
    let mut store = super::memory();
    import(&mut store, |import| show_some(import, 2)).unwrap();
    let before = dump(&store);
    let failed: Result<(), _> = import(&mut store, |import| {
        show_some(import, 9)?;
        Err(StoreError::Full)
    });
    assert!(matches!(failed, Err(StoreError::Full)));
    assert_eq!(before, dump(&store));
    import(&mut store, |import| show_some(import, 9)).unwrap();
    assert_eq!(snapshots(&store, at(1)).len(), 9);
}

/// What another process would find if this one died in the middle: nothing, even when rows have
/// already gone to the log.
#[test]
fn a_crash_leaves_no_row() {
    let folder = TempDir::new().unwrap();
    let (path, location) = store_in(&folder);
    let after_crash = folder.path().join("copy.db");
    let mut store = made(&location);
    store.conn.pragma_update(None, "cache_size", 10).unwrap();
    import(&mut store, |import| {
        show_some(import, 5_000)?;
        assert!(fs::metadata(log_of(&path)).unwrap().len() > 100_000);
        fs::copy(&path, &after_crash).unwrap();
        fs::copy(log_of(&path), log_of(&after_crash)).unwrap();
        Ok(())
    })
    .unwrap();
    assert_eq!(snapshots(&store, at(1)).len(), 5_000);
    let mut found = Store::open(&Location::File(after_crash)).unwrap();
    assert_eq!(snapshots(&found, at(1)), []);
    import(&mut found, |import| show_some(import, 5)).unwrap();
    assert_eq!(snapshots(&found, at(1)).len(), 5);
}

#[test]
fn a_full_disk_is_named_and_leaves_no_row() {
    let folder = TempDir::new().unwrap();
    let (_path, location) = store_in(&folder);
    let mut store = made(&location);
    store
        .conn
        .pragma_update_and_check(None, "max_page_count", 60, |_pages| Ok(()))
        .unwrap();
    let full = import(&mut store, |import| show_some(import, 5_000));
    assert!(matches!(full, Err(StoreError::Full)), "{full:?}");
    assert_eq!(snapshots(&store, at(1)), []);
    import(&mut store, |import| show_some(import, 5)).unwrap();
}
