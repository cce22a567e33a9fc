//! Stores that cannot be used as they are: of another version, of another program, on a full or
//! a read-only disk, locked by somebody else. Nothing that was kept is lost.
//!
//! A full and a read-only disk are made by mounting one in a namespace of its own, which needs
//! root: those tests stand behind `real-servers`, and fail where it cannot be had.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::support::cmd::{Place, fixture};
use crate::support::evidence::{CHECK_AS_OF, HELD, base as checked};

fn open(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
}

#[test]
fn a_store_that_is_none_of_ours_is_4_and_untouched() {
    type Spoil = fn(&Path);
    let table: &[(&str, Spoil, &str)] = &[
        (
            "a later version",
            |path| open(path).pragma_update(None, "user_version", 999).unwrap(),
            "999",
        ),
        (
            "a text",
            |path| std::fs::write(path, "not a database, but long enough to be one").unwrap(),
            "not a snapkey store",
        ),
        (
            "another program's database",
            |path| {
                std::fs::remove_file(path).unwrap();
                let other = Connection::open(path).unwrap();
                other
                    .execute_batch("CREATE TABLE track (title TEXT)")
                    .unwrap();
            },
            "not a snapkey store",
        ),
        (
            "a database cut in half",
            |path| {
                let whole = std::fs::read(path).unwrap();
                std::fs::write(path, &whole[..whole.len() / 2]).unwrap();
            },
            "",
        ),
        (
            "pages of noise",
            |path| {
                let mut bytes = std::fs::read(path).unwrap();
                bytes[4096..].iter_mut().for_each(|byte| *byte ^= 0x5a);
                std::fs::write(path, bytes).unwrap();
            },
            "",
        ),
        (
            "a folder",
            |path| {
                std::fs::remove_file(path).unwrap();
                std::fs::create_dir(path).unwrap();
            },
            "",
        ),
    ];
    let fixture = fixture("check");
    for (name, spoil, says) in table {
        let place = checked();
        let path = place.path().join("snapkey.db");
        spoil(&path);
        let before = std::fs::read(&path).ok();
        for words in [
            &["check", HELD][..],
            &["audit"],
            &["snapshots"],
            &["keys"],
            &["projects"],
            &["download", "list"],
            &["ingest", fixture.to_str().unwrap()],
        ] {
            let ran = place.run(&[&["--offline"][..], words].concat());
            assert_eq!(
                ran.code, 4,
                "{name}, {words:?}: {}{}",
                ran.stdout, ran.stderr
            );
            assert!(ran.stderr.starts_with("error: "), "{name}: {}", ran.stderr);
            assert!(ran.stderr.contains(says), "{name}: {}", ran.stderr);
            assert_eq!(std::fs::read(&path).ok(), before, "{name}, {words:?}");
        }
    }
}

#[test]
fn a_lock_that_is_not_given_up_is_4_and_readers_do_not_wait() {
    let place = checked();
    let holder = open(&place.path().join("snapkey.db"));
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (code, check) = place.json(&["--as-of", CHECK_AS_OF, "check", HELD]);
    assert_eq!((code, &check["verdict"]), (1, &"held".into()));
    let started = Instant::now();
    let ran = place.run(&["ingest", fixture("demo").to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("locked by another process"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("try again"), "{}", ran.stderr);
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(29), "{waited:?}");
    assert!(waited < Duration::from_secs(60), "{waited:?}");
    holder.execute_batch("ROLLBACK").unwrap();
    let ran = place.run(&["ingest", fixture("demo").to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_first_ingest_that_fails_leaves_no_store() {
    let place = Place::new();
    let empty = place.write("nothing.json", "{}");
    let ran = place.run(&["ingest", empty.to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    for words in [
        &["projects"][..],
        &["audit", "--no-probe"],
        &["check", HELD],
    ] {
        let ran = place.run(words);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{words:?}");
        assert!(ran.stderr.contains("snapkey ingest"), "{}", ran.stderr);
    }
    let ran = place.run(&["ingest", fixture("check").to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(place.run(&["projects"]).code, 0);
}

/// Runs a shell script as root of a mount namespace of its own, with `$DISK` an empty folder to
/// mount on, `$SNAPKEY` the binary and `$OUT` a folder for what is to be looked at.
#[cfg(all(target_os = "linux", feature = "real-servers"))]
fn in_namespace(place: &Place, script: &str) -> String {
    let disk = place.path().join("disk");
    let out = place.path().join("out");
    std::fs::create_dir(&disk).unwrap();
    std::fs::create_dir(&out).unwrap();
    let script = format!("set -u\nmount --make-rprivate / || exit 97\n{script}");
    let output = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .current_dir(place.path())
        .env("SNAPKEY", env!("CARGO_BIN_EXE_snapkey"))
        .env("DISK", &disk)
        .env("OUT", &out)
        .output()
        .unwrap_or_else(|error| panic!("no `unshare` to make a mount namespace with: {error}"));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success(),
        "a mount namespace could not be had (it needs root and CAP_SYS_ADMIN), or the script in it \
         failed: {}\n{said}",
        output.status
    );
    said
}

#[cfg(all(target_os = "linux", feature = "real-servers"))]
#[test]
fn a_full_disk_is_4_and_costs_nothing_that_was_kept() {
    let place = Place::new();
    crate::support::evidence::write_bundle(
        &place.path().join("big"),
        "65f0b1c2d3e4a5968778c001",
        20_000,
        "2026-11-01T02:36:00Z",
    );
    let small = fixture("check");
    let said = in_namespace(
        &place,
        &format!(
            r#"
            mount -t tmpfs -o size=1m tmpfs "$DISK" || exit 98
            export SNAPKEY_STORE="$DISK/snapkey.db"
            "$SNAPKEY" ingest {small} || exit 1
            ask() {{ "$SNAPKEY" --as-of {CHECK_AS_OF} --format json "$1"; }}
            for list in audit snapshots keys projects; do ask $list > "$OUT/before-$list"; done
            "$SNAPKEY" ingest big > "$OUT/full-out" 2> "$OUT/full-err"
            echo $? > "$OUT/full-code"
            for list in audit snapshots keys projects; do ask $list > "$OUT/after-$list"; done
            "$SNAPKEY" ingest {small} || exit 2
            dd if=/dev/zero of="$DISK/filler" bs=4k 2> "$OUT/dd"
            "$SNAPKEY" --store "$DISK/new.db" ingest {small} > "$OUT/new-out" 2> "$OUT/new-err"
            echo $? > "$OUT/new-code"
            "$SNAPKEY" --as-of {CHECK_AS_OF} check {HELD} > "$OUT/check"
            [ $? = 1 ] || exit 3
            "#,
            small = small.display(),
        ),
    );
    let file = |name: &str| std::fs::read_to_string(place.path().join("out").join(name)).unwrap();
    for run in ["full", "new"] {
        let err = file(&format!("{run}-err"));
        assert_eq!(file(&format!("{run}-code")), "4\n", "{run}: {err}{said}");
        assert_eq!(file(&format!("{run}-out")), "", "{run}");
        assert!(err.contains("the disk is full"), "{run}: {err}");
    }
    for list in ["audit", "snapshots", "keys", "projects"] {
        let before = file(&format!("before-{list}"));
        assert!(
            before.contains("65f0b1c2d3e4a596") || list == "keys",
            "{list}"
        );
        assert_eq!(before, file(&format!("after-{list}")), "{list}");
    }
}

#[cfg(all(target_os = "linux", feature = "real-servers"))]
#[test]
fn a_read_only_disk_is_read_and_not_written() {
    let place = checked();
    let small = fixture("check");
    let said = in_namespace(
        &place,
        &format!(
            r#"
            mount -t tmpfs -o size=4m tmpfs "$DISK" || exit 98
            cp snapkey.db "$DISK/snapkey.db" || exit 1
            mount -o remount,ro "$DISK" || exit 98
            export SNAPKEY_STORE="$DISK/snapkey.db"
            run() {{ name=$1; shift; "$SNAPKEY" "$@" > "$OUT/$name" 2> "$OUT/$name-err"; echo $? > "$OUT/$name-code"; }}
            run check --as-of {CHECK_AS_OF} --format json check {HELD}
            run no-probe check --no-probe {HELD}
            run audit audit --no-probe
            run snapshots snapshots
            run keys keys
            run projects projects
            run downloads download list
            run ingest ingest {small}
            run audit-path audit {small}
            run forget download forget x --reason y
            run probe probe
            run elsewhere --store "$DISK/new.db" ingest {small}
            "#,
            small = small.display(),
        ),
    );
    let file = |name: &str| std::fs::read_to_string(place.path().join("out").join(name)).unwrap();
    let code = |name: &str| file(&format!("{name}-code"));
    let err = |name: &str| file(&format!("{name}-err"));
    assert_eq!(code("check"), "1\n", "{}{said}", err("check"));
    let whole = place.run(&["--as-of", CHECK_AS_OF, "--format", "json", "check", HELD]);
    assert_eq!(file("check"), whole.stdout);
    assert_eq!(code("no-probe"), "1\n", "{}", err("no-probe"));
    for list in ["snapshots", "keys", "projects", "downloads"] {
        assert_eq!(code(list), "0\n", "{list}: {}", err(list));
    }
    assert_ne!(code("audit"), "4\n", "{}", err("audit"));
    for write in ["ingest", "audit-path", "forget", "probe", "elsewhere"] {
        assert_eq!(code(write), "4\n", "{write}: {}", err(write));
        assert_eq!(file(write), "", "{write}");
        assert!(
            err(write).contains("read-only") || err(write).contains("Read-only"),
            "{write}: {}",
            err(write)
        );
    }
}

#[cfg(all(target_os = "linux", feature = "real-servers"))]
#[test]
fn a_full_disk_stops_a_collection_that_goes_on_when_there_is_room() {
    use crate::emulator::atlas::estate::{Cluster, Estate, Form, Project, snapshot};
    use crate::emulator::atlas::{API_KEY, Atlas};

    let projects = (1..=6).map(|no| {
        let mut main = Cluster::new(no, "main", Form::ReplicaSet);
        let of = |n| {
            snapshot(
                100 * no + n,
                "2026-01-01T02:00:00Z",
                "2036-01-01T02:00:00Z",
                None,
            )
        };
        main.snapshots = (1..=90).map(of).collect();
        Project::new(no, &format!("team-{no}")).with(main)
    });
    let atlas = Atlas::start(Estate {
        projects: projects.collect(),
    });
    let (public, private) = API_KEY;
    let place = Place::new();
    let said = in_namespace(
        &place,
        &format!(
            r#"
            mount -t tmpfs -o size=256k tmpfs "$DISK" || exit 98
            export MONGODB_ATLAS_BASE_URL={url} MONGODB_ATLAS_PUBLIC_API_KEY={public} MONGODB_ATLAS_PRIVATE_API_KEY={private}
            run() {{ name=$1; shift; "$SNAPKEY" "$@" > "$OUT/$name" 2> "$OUT/$name-err"; echo $? > "$OUT/$name-code"; }}
            run full collect atlas --out "$DISK/bundle"
            run still collect atlas --resume --out "$DISK/bundle"
            mount -o remount,size=8m "$DISK" || exit 98
            run resumed --format json collect atlas --resume --out "$DISK/bundle"
            run ingest --store :memory: ingest "$DISK/bundle"
            "#,
            url = atlas.url(),
        ),
    );
    let file = |name: &str| std::fs::read_to_string(place.path().join("out").join(name)).unwrap();
    let code = |name: &str| file(&format!("{name}-code"));
    for name in ["full", "still"] {
        let err = file(&format!("{name}-err"));
        assert_eq!(code(name), "4\n", "{name}: {err}{said}");
        assert_eq!(file(name), "", "{name}");
        assert!(
            err.starts_with("error: the bundle is not finished: cannot write `"),
            "{name}: {err}"
        );
        let hint = "hint:  the disk is full: make room; the same command with `--resume` goes on";
        assert!(err.contains(hint), "{name}: {err}");
    }
    let resumed: serde_json::Value = serde_json::from_str(&file("resumed")).unwrap();
    assert_eq!(code("resumed"), "0\n", "{resumed}");
    let count = |name: &str| resumed[name].as_u64().unwrap();
    assert!(count("asked") < count("requests"), "{resumed}");
    assert_eq!(code("ingest"), "0\n", "{}", file("ingest-err"));
}
