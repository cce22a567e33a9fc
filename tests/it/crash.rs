//! A second import killed with `kill -9` wherever a seed says: the store holds the first import
//! or both, and the next run goes on from there.
//!
//! For Linux: the process is stopped before it is killed, and `/proc` tells that it stands. Only
//! so can be shown what it was doing when it died.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::support::cmd::{Place, fixture};
use crate::support::evidence::{CHECK_AS_OF, HELD, write_bundle};
use crate::support::stored::{self, Stored};

const KILLS: usize = 200;
const SEED: u64 = 0x736b_6579_0000_0001;
/// As many snapshots as make an import long against the time it takes to start a process.
const SNAPSHOTS: usize = 2_400;

struct World {
    scratch: Place,
    bundle: PathBuf,
    /// Of the store with the first import.
    first: Stored,
    both: Stored,
    /// What an undisturbed second import takes.
    whole: Duration,
}

impl World {
    fn new() -> Self {
        let scratch = Place::new();
        let bundle = scratch.path().join("bundle");
        write_bundle(
            &bundle,
            "65f0b1c2d3e4a5968778b001",
            SNAPSHOTS,
            "2026-11-01T02:36:00Z",
        );
        let base = scratch.path().join("base.db");
        let made = scratch.run(&[
            "--store",
            base.to_str().unwrap(),
            "ingest",
            fixture("check").to_str().unwrap(),
        ]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let first = stored::read(&base);
        let mut times = Vec::new();
        let mut both = None;
        for n in 0..3 {
            let store = copy_of(&base, &scratch.path().join(format!("whole-{n}")));
            let started = Instant::now();
            let code = ingest(&scratch, &store, &bundle).wait().unwrap();
            times.push(started.elapsed());
            assert!(code.success());
            both = Some(stored::read(&store));
        }
        times.sort();
        let both = both.unwrap();
        assert_ne!(both, first);
        assert_eq!(both.rows("snapshot"), first.rows("snapshot") + SNAPSHOTS);
        Self {
            scratch,
            bundle,
            first,
            both,
            whole: times[0],
        }
    }

    fn base(&self) -> PathBuf {
        self.scratch.path().join("base.db")
    }
}

fn copy_of(base: &Path, folder: &Path) -> PathBuf {
    std::fs::create_dir(folder).unwrap();
    let store = folder.join("snapkey.db");
    std::fs::copy(base, &store).unwrap();
    store
}

fn ingest(place: &Place, store: &Path, bundle: &Path) -> Child {
    place
        .command()
        .arg("--store")
        .arg(store)
        .arg("ingest")
        .arg(bundle)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Where a process was when it was killed.
#[derive(Debug, Default)]
struct Killed {
    /// It had ended by itself.
    over: AtomicUsize,
    /// It held the write lock, and what it was writing was not kept: a transaction was open.
    open: AtomicUsize,
    /// The log held pages of a transaction that never came to its end.
    torn: AtomicUsize,
    /// Afterwards the store held the first import alone.
    first: AtomicUsize,
    both: AtomicUsize,
}

#[test]
fn a_kill_at_any_point_leaves_the_first_import_or_both() {
    let world = World::new();
    let killed = Killed::default();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= KILLS {
                        break;
                    }
                    kill_one(&world, n, &killed);
                }
            });
        }
    });
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let Killed {
        over,
        open,
        torn,
        first,
        both,
    } = &killed;
    let told = format!(
        "{KILLS} kills over {:?}: {} in an open transaction, {} of them amid its commit, {} after \
         the end; then {} stores with the first import, {} with both",
        world.whole,
        count(open),
        count(torn),
        count(over),
        count(first),
        count(both),
    );
    tell(&told);
    assert_eq!(count(first) + count(both), KILLS, "{told}");
    assert!(count(open) * 2 >= KILLS, "{told}");
    assert!(count(torn) > 0, "{told}");
}

#[expect(
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "shown with --nocapture: how many kills came where is what the test is about"
)]
fn tell(text: &str) {
    println!("{text}");
}

/// What a kill is aimed at. The speed of the machine changes while the test runs, so not all can be
/// aimed by the clock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    Anywhere,
    /// From the moment that the log is there.
    Import,
    /// From the moment that the log grows.
    Commit,
}

impl Aim {
    const fn of(n: usize) -> Self {
        match n % 4 {
            0 => Self::Commit,
            1 => Self::Anywhere,
            _ => Self::Import,
        }
    }
}

/// Waits until something holds or the process has ended.
fn wait(child: &mut Child, holds: impl Fn() -> bool) {
    while !holds() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_micros(20));
    }
}

fn kill_one(world: &World, n: usize, killed: &Killed) {
    let store = copy_of(
        &world.base(),
        &world.scratch.path().join(format!("kill-{n}")),
    );
    let mut child = ingest(&world.scratch, &store, &world.bundle);
    match Aim::of(n) {
        Aim::Anywhere => std::thread::sleep(world.whole.mul_f64(1.3 * point(n))),
        Aim::Import => {
            wait(&mut child, || log_of(&store).is_some());
            std::thread::sleep(world.whole.mul_f64(0.4 * point(n)));
        }
        Aim::Commit => {
            wait(&mut child, || log_of(&store).is_some_and(|bytes| bytes > 0));
            std::thread::sleep(Duration::from_millis(6).mul_f64(point(n)));
        }
    }
    let mut open = false;
    // To stop it first takes longer than a commit does.
    if Aim::of(n) != Aim::Commit {
        if stop(&child) {
            open = is_locked(&store);
        } else {
            killed.over.fetch_add(1, Ordering::Relaxed);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let logged = log_of(&store).is_some_and(|bytes| bytes > 0);

    // The program reads what is left before anything else has mended it.
    let (code, check) = world.scratch.json(&[
        "--store",
        store.to_str().unwrap(),
        "--as-of",
        CHECK_AS_OF,
        "check",
        HELD,
    ]);
    assert_eq!((code, &check["verdict"]), (1, &"held".into()), "kill {n}");
    let left = stored::read(&store);
    if left == world.first {
        killed.first.fetch_add(1, Ordering::Relaxed);
        // Pages in the log and not in the store: the lock was held, whether or not it was seen.
        killed
            .torn
            .fetch_add(usize::from(logged), Ordering::Relaxed);
        open |= logged;
    } else {
        assert_eq!(
            left,
            world.both,
            "kill {n}: {:?}",
            world.both.differences(&left)
        );
        // The lock is held a little longer: until the log is emptied into the file.
        open = false;
        killed.both.fetch_add(1, Ordering::Relaxed);
    }
    killed.open.fetch_add(usize::from(open), Ordering::Relaxed);
    if n.is_multiple_of(10) {
        let again = ingest(&world.scratch, &store, &world.bundle)
            .wait()
            .unwrap();
        assert!(again.success(), "kill {n}: the next import failed");
        let left = stored::read(&store);
        assert_eq!(
            left,
            world.both,
            "kill {n}: {:?}",
            world.both.differences(&left)
        );
    }
    std::fs::remove_dir_all(store.parent().unwrap()).unwrap();
}

/// A number in 0..1 for each kill: where in the import it comes.
fn point(n: usize) -> f64 {
    // SplitMix64.
    let mut z = SEED.wrapping_add((n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    f64::from((z >> 32) as u32) / f64::from(u32::MAX)
}

/// Stops a process where it is; false if it has ended.
fn stop(child: &Child) -> bool {
    let pid = child.id().to_string();
    Command::new("kill").args(["-STOP", &pid]).output().unwrap();
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // The state comes behind the name, which is in brackets.
        match stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next())
        {
            Some('T') => return true,
            Some('Z' | 'X') | None => return false,
            Some(_) => std::thread::sleep(Duration::from_micros(100)),
        }
    }
}

/// Whether somebody is in the middle of a write transaction.
fn is_locked(store: &Path) -> bool {
    let conn = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    conn.busy_timeout(Duration::ZERO).unwrap();
    match conn.execute_batch("BEGIN IMMEDIATE; ROLLBACK") {
        Ok(()) => false,
        Err(error) => {
            assert_eq!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseBusy),
                "{error}"
            );
            true
        }
    }
}

/// Bytes of the write-ahead log, if there is one.
fn log_of(store: &Path) -> Option<u64> {
    let log = store.with_file_name("snapkey.db-wal");
    std::fs::metadata(log).ok().map(|log| log.len())
}
