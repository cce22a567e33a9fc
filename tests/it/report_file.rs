//! `report -o FILE`: the file is whole or as it was before, under the caller's umask.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::cmd::{Place, fixture, ran};

const AS_OF: &str = "2026-11-01T06:00:00Z";

/// A place with the demo estate in its store.
fn demo() -> Place {
    let place = Place::new();
    let told = place.run(&["--offline", "ingest", fixture("demo").to_str().unwrap()]);
    assert!(told.code == 0 || told.code == 3, "{told:?}");
    place
}

fn report<'a>(format: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["--as-of", AS_OF, "--format", format, "report", "-o"];
    [&words, more].concat()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("snapkey.db"))
        .collect();
    names.sort();
    names
}

#[test]
fn the_file_is_what_standard_output_would_be() {
    let place = demo();
    for format in ["prometheus", "cbom", "json"] {
        let out = place.run(&report(format, &["-"]));
        assert_eq!(out.code, 0, "{out:?}");
        let file = place.run(&report(format, &["out"]));
        assert_eq!((file.code, file.stdout.as_str()), (0, ""), "{file:?}");
        let text = std::fs::read_to_string(place.path().join("out")).unwrap();
        assert_eq!(text, out.stdout);
    }
    assert_eq!(names(place.path()), ["out"]);
}

/// A collector of metrics is another user: the caller's umask says who may read.
#[test]
fn the_mode_follows_the_umask() {
    let place = demo();
    for (umask, mode) in [("022", 0o644), ("027", 0o640), ("077", 0o600)] {
        let mut command = Command::new("sh");
        command
            .current_dir(place.path())
            .args(["-c", "umask $1; shift; exec \"$@\"", "sh", umask])
            .arg(env!("CARGO_BIN_EXE_snapkey"))
            .args(report("prometheus", &["out.prom"]));
        let told = ran(command.output().unwrap());
        assert_eq!(told.code, 0, "{told:?}");
        let file = place.path().join("out.prom").metadata().unwrap();
        assert_eq!(file.permissions().mode() & 0o777, mode, "umask {umask}");
    }
}

#[test]
fn a_run_that_fails_leaves_the_old_file() {
    let place = demo();
    let old = place.write("out.prom", "old\n");
    let full = Path::new("/dev/full");
    for (words, code) in [
        (vec!["--store", "missing.db"], 4),
        (vec!["--as-of", "yesterday"], 2),
    ] {
        let words = [
            words,
            vec!["--format", "prometheus", "report", "-o", "out.prom"],
        ]
        .concat();
        let told = place.run(&words);
        assert_eq!(told.code, code, "{told:?}");
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "old\n");
    }
    if full.exists() {
        let told = place.run(&report("prometheus", &["/dev/full"]));
        assert_eq!(told.code, 4, "{told:?}");
    }
    let told = place.run(&report("prometheus", &["missing/out.prom"]));
    assert_eq!(told.code, 4, "{told:?}");
    assert!(told.stderr.contains("missing/out.prom"), "{told:?}");
    assert_eq!(names(place.path()), ["out.prom"]);
}
