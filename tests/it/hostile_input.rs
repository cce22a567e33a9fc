//! Input that is broken, absurd or meant to harm: the error names file, record and reason, what
//! is good beside it is kept, and what the store held before is there afterwards.

use crate::support::evidence::{CHECK_AS_OF, HELD, SNAPSHOTS_OF_CHECK, base, unharmed};

/// Rows that are good whatever stands beside them.
const GOOD: &str = r#"{"id":"6ae54ba06a6323f345c60001","type":"replicaSet","status":"completed","createdAt":"2026-10-31T02:00:00Z","expiresAt":"2026-12-07T02:00:00Z","masterKeyUUID":"arn:aws:kms:us-east-1:111122223333:key/0b7d1c46-9e02-4f6a-8a35-cc14e7f0d921"}"#;
const ALSO_GOOD: &str = r#"{"id":"6ae54ba06a6323f345c60002","type":"replicaSet","status":"completed","createdAt":"2026-10-31T03:00:00Z","expiresAt":"2026-12-07T03:00:00Z","masterKeyUUID":"arn:aws:kms:us-east-1:111122223333:key/0b7d1c46-9e02-4f6a-8a35-cc14e7f0d921"}"#;

/// One input, beside a store that holds `fixtures/check`.
struct Case {
    name: &'static str,
    file: &'static str,
    bytes: Vec<u8>,
    code: i32,
    /// What the answer or the error must say.
    says: &'static [&'static str],
    /// How many snapshots of it must be in the store afterwards.
    kept: usize,
}

fn case(
    name: &'static str,
    file: &'static str,
    bytes: impl Into<Vec<u8>>,
    code: i32,
    says: &'static [&'static str],
    kept: usize,
) -> Case {
    Case {
        name,
        file,
        bytes: bytes.into(),
        code,
        says,
        kept,
    }
}

fn page(rows: &str) -> String {
    format!("{{\"results\":[{rows}],\"totalCount\":1}}")
}

fn good_with(member: &str) -> String {
    GOOD.replace("\"status\"", &format!("{member},\"status\""))
        .replace("60001", "60003")
}

fn loose() -> Vec<Case> {
    let mut cases = vec![
        case(
            "a page cut within its second row",
            "cut.json",
            format!("{{\"results\":[{GOOD},{{\"id\":\"6ae54ba0"),
            3,
            &["cut.json", "cut off"],
            1,
        ),
        case(
            "a file cut behind its first row",
            "cut.ndjson",
            format!("{GOOD}\n{}", &ALSO_GOOD[..60]),
            3,
            &["cut.ndjson", "record 2", "cut off"],
            1,
        ),
        case(
            "a damaged line between good ones",
            "lines.ndjson",
            format!("{GOOD}\n{{\"id\": nonsense}}\n{ALSO_GOOD}\n"),
            3,
            &["lines.ndjson", "record 2"],
            2,
        ),
        case(
            "an id that is a number",
            "types.json",
            page(&format!(
                "{GOOD},{}",
                ALSO_GOOD.replace("\"6ae54ba06a6323f345c60002\"", "7")
            )),
            3,
            &["types.json", "record 2", "id"],
            // Its id is unreadable, its key is not.
            2,
        ),
        case(
            "a status that is a number",
            "types.json",
            page(&GOOD.replace("\"completed\"", "7")),
            3,
            &["types.json", "record 1", "status"],
            1,
        ),
        case(
            "a key that is an object",
            "types.json",
            page(&GOOD.replace("\"masterKeyUUID\":\"", "\"masterKeyUUID\":{},\"x\":\"")),
            3,
            &["types.json", "record 1", "masterKeyUUID"],
            1,
        ),
        case(
            "rows that are no objects",
            "types.json",
            page(&format!("7,null,\"x\",[],{GOOD}")),
            3,
            &["record 1", "record 2", "record 3", "record 4"],
            1,
        ),
        case(
            "empty objects in a list",
            "empty.json",
            page(&format!("{{}},{{}},{GOOD}")),
            3,
            &["empty.json", "record 1", "record 2"],
            1,
        ),
        case(
            "dates that do not exist",
            "dates.json",
            page(&format!(
                "{},{}",
                GOOD.replace("2026-12-07", "2026-02-30"),
                ALSO_GOOD.replace("2026-10-31", "2026-13-01")
            )),
            3,
            &["record 1", "expiresAt", "record 2", "createdAt"],
            2,
        ),
        case(
            "dates beyond the calendar",
            "dates.json",
            page(&format!(
                "{},{}",
                GOOD.replace("2026-12-07", "275760-09-13"),
                ALSO_GOOD.replace("2026-12-07", "-0044-03-15")
            )),
            3,
            &["record 1", "expiresAt", "record 2"],
            2,
        ),
        case(
            "a date before 1970",
            "dates.json",
            page(&GOOD.replace("2026-10-31", "0001-01-01")),
            3,
            &["record 1", "createdAt"],
            1,
        ),
        case(
            "an id with control characters",
            "control.json",
            page(&format!(
                "{},{GOOD}",
                ALSO_GOOD.replace("6ae54ba06a6323f345c60002", "\\u001b[2J\\u0007\\u202e\\n")
            )),
            3,
            &["control.json", "record 1", "id"],
            1,
        ),
        case(
            "an id of 1 MB",
            "long.json",
            page(&format!(
                "{},{GOOD}",
                ALSO_GOOD.replace("6ae54ba06a6323f345c60002", &"x".repeat(1 << 20))
            )),
            3,
            &["long.json", "record 1", "id"],
            1,
        ),
        case(
            "a row of 9 MB",
            "long.json",
            page(&format!("{{\"id\":\"{}\"}},{GOOD}", "x".repeat(9 << 20))),
            3,
            &["long.json", "record 1", "8 MiB"],
            1,
        ),
        case(
            "a depth bomb beside a row",
            "deep.json",
            page(&format!("{GOOD},{}", deep(100_000))),
            3,
            &["deep.json", "nested deeper"],
            1,
        ),
        case(
            "a depth bomb within a row",
            "deep.json",
            page(&format!(
                "{GOOD},{}",
                good_with(&format!("\"x\":{}", deep(500)))
            )),
            3,
            &["deep.json", "nested deeper"],
            1,
        ),
        case(
            "a number beyond all numbers",
            "number.json",
            page(&format!("{GOOD},{}", good_with("\"doNotDelete\":1e999999"))),
            3,
            &["number.json", "record 2"],
            1,
        ),
        case(
            "a member given twice",
            "twice.json",
            page(&good_with("\"masterKeyUUID\":\"alias\"")),
            3,
            &["twice.json", "record 1", "twice"],
            1,
        ),
        case(
            "two lists of rows in one page",
            "twice.json",
            format!("{{\"results\":[{GOOD}],\"results\":[{ALSO_GOOD}]}}"),
            3,
            &["twice.json"],
            1,
        ),
        case(
            "a byte order mark",
            "mark.json",
            format!("\u{feff}{}", page(GOOD)),
            0,
            &[],
            1,
        ),
        case(
            "text that is no UTF-8",
            "latin.json",
            page(&format!("{GOOD},{}", good_with("\"masterKeyUUID\":\"?\"")))
                .into_bytes()
                .iter()
                .map(|&byte| if byte == b'?' { 0xe9 } else { byte })
                .collect::<Vec<u8>>(),
            3,
            &["latin.json", "record 2"],
            2,
        ),
        case(
            "answers from tomorrow",
            "tomorrow.ndjson",
            own("\"at\": \"2126-11-01T02:00:00Z\""),
            3,
            &["tomorrow.ndjson", "record 1", "at"],
            0,
        ),
        case(
            "a time that is none",
            "time.ndjson",
            own("\"at\": \"last night\""),
            3,
            &["time.ndjson", "record 1", "at"],
            0,
        ),
        case(
            "a kind that nobody knows",
            "kind.ndjson",
            own("\"at\": \"2026-11-01T02:00:00Z\"").replace("snapshot\"", "backup\""),
            2,
            &["kind.ndjson", "record 1", "unknown kind `backup`"],
            0,
        ),
        case(
            "a row of a table with too many cells",
            "cells.csv",
            "kind,system,project,cluster,id,status,created_at,keys,at\n\
             snapshot,s,p,c,one,completed,2026-10-31T02:00:00Z,none,2026-11-01T02:00:00Z\n\
             snapshot,s,p,c,two,completed,2026-10-31T02:00:00Z,none,2026-11-01T02:00:00Z,more\n",
            3,
            &["cells.csv", "record 2", "10 columns"],
            1,
        ),
    ];
    // What is no inventory at all.
    for (name, file, bytes, says) in [
        ("nothing", "empty.json", "", "empty"),
        ("blanks", "blank.json", " \n\n ", "empty"),
        (
            "an error body",
            "error.json",
            r#"{"error":401,"errorCode":"NOT_ATLAS_GROUP","detail":"no","reason":"Unauthorized"}"#,
            "401",
        ),
        (
            "a table",
            "table.json",
            "ID                        TYPE         STATUS\n6ae54ba06a6323f345c656c6  replicaSet   completed\n",
            "table",
        ),
        (
            "a web page",
            "page.json",
            "<!DOCTYPE html><html><body>Sign in</body></html>",
            "page.json",
        ),
        (
            "an archive",
            "archive.json",
            "\u{1f}\u{8b}\u{8}\0\0\0\0\0",
            "archive.json",
        ),
        ("a scalar", "scalar.json", "42", "scalar.json"),
        (
            "another program's JSON",
            "package.json",
            r#"{"name":"left-pad","version":"1.3.0"}"#,
            "package.json",
        ),
        ("a single truncated brace", "brace.json", "{", "brace.json"),
    ] {
        let says: &'static [&'static str] = Box::leak(Box::new([file, says]));
        cases.push(case(name, file, bytes, 2, says, 0));
    }
    let bomb: &'static [&'static str] = &["bomb.json", "nested deeper"];
    cases.push(case(
        "a depth bomb alone",
        "bomb.json",
        deep(1_000_000),
        2,
        bomb,
        0,
    ));
    cases
}

fn deep(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// A line of snapkey's own form.
fn own(time: &str) -> String {
    format!(
        "{{\"kind\": \"snapshot\", \"system\": \"s\", \"project\": \"p\", \"id\": \"one\", \
         \"status\": \"completed\", \"keys\": [\"{HELD}\"], {time}}}\n"
    )
}

#[test]
fn loose_files_are_told_about_record_by_record() {
    let failed: Vec<String> = loose().iter().filter_map(|case| read(case).err()).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn read(case: &Case) -> Result<(), String> {
    let place = base();
    std::fs::write(place.path().join(case.file), &case.bytes).unwrap();
    let ran = place.run(&[
        "--format",
        "json",
        "ingest",
        case.file,
        "--project",
        "p",
        "--cluster",
        "c",
        "--observed-at",
        "2026-11-01T02:30:00Z",
    ]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert_harmless(case.name, &said);
    let kept = unharmed(&place, case.name) - SNAPSHOTS_OF_CHECK;
    let unsaid = case.says.iter().find(|word| !said.contains(**word));
    if (ran.code, kept, unsaid) == (case.code, case.kept, None)
        && ran.stdout.is_empty() == (case.code == 2)
        && said.len() < 4_000
    {
        return Ok(());
    }
    let brief: String = said.chars().take(1_000).collect();
    Err(format!(
        "{}: exit {} where {} is due, {kept} snapshots where {}, unsaid {unsaid:?}, {} bytes: {brief}",
        case.name,
        ran.code,
        case.code,
        case.kept,
        said.len()
    ))
}

fn assert_harmless(name: &str, said: &str) {
    let raw = said
        .chars()
        .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
    assert_eq!(raw, None, "{name}");
}

#[test]
fn a_hostile_name_is_shown_and_not_obeyed() {
    let place = base();
    let names = "\\u001b[31mred\\u001b[0m \\u202egnp.exe \\u0007";
    let line = own("\"at\": \"2026-11-01T02:00:00Z\"");
    let formula = line.replace("\"one\"", "\"=HYPERLINK(\\\"http://x\\\")\"");
    let hostile = line.replace("\"p\"", &format!("\"{names}\""));
    let fed = place.feed(&["ingest", "-"], format!("{formula}{hostile}").as_bytes());
    assert_harmless("ingest", &format!("{}{}", fed.stdout, fed.stderr));
    assert_eq!(fed.code, 3, "{}", fed.stderr);
    for format in ["table", "json", "csv"] {
        for words in [
            &["audit"][..],
            &["snapshots"],
            &["projects"],
            &["check", HELD],
        ] {
            let ran =
                place.run(&[&["--as-of", CHECK_AS_OF, "--format", format][..], words].concat());
            assert_harmless(format, &ran.stdout.replace("\r\n", "\n"));
            if format == "csv" {
                let cells = ran.stdout.lines().flat_map(|line| line.split(','));
                let mut cells = cells.map(|cell| cell.trim_start_matches('"'));
                assert!(!cells.any(|cell| cell.starts_with('=')), "{}", ran.stdout);
            }
        }
    }
    for hostile in ["\u{1b}[2J", "a\nerror: forged", "alias/\u{7}"] {
        for words in [
            &["check", hostile][..],
            &["ingest", hostile],
            &["--store", hostile, "keys"],
        ] {
            let ran = place.run(&[&["--as-of", CHECK_AS_OF][..], words].concat());
            assert_harmless("an argument", &format!("{}{}", ran.stdout, ran.stderr));
            assert!(!ran.stderr.contains("\nerror: forged"), "{}", ran.stderr);
        }
    }
}

#[test]
fn of_several_inputs_the_useless_are_named_and_the_rest_is_kept() {
    let place = base();
    place.write("a.json", "42");
    place.write("b.json", &page(GOOD));
    place.write("c.json", "");
    place.write("nested/d.ndjson", ALSO_GOOD);
    place.write("nested/ignored.txt", "not asked for");
    place.write("nested/snapkey.toml", "[policy]\nfrobnicate = 1\n");
    let words = [
        "ingest",
        "a.json",
        "b.json",
        "c.json",
        "nested",
        "--project",
        "p",
        "--cluster",
        "c",
        "--observed-at",
        "2026-11-01T02:30:00Z",
    ];
    let (code, read) = place.json(&words);
    assert_eq!(code, 3, "{read:#}");
    let rejected = read["rejected"].as_array().unwrap();
    let files: Vec<&str> = rejected
        .iter()
        .map(|row| row["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["a.json", "c.json"], "{read:#}");
    assert_eq!(unharmed(&place, "several"), SNAPSHOTS_OF_CHECK + 2);
}

#[cfg(unix)]
#[test]
fn a_folder_of_traps_is_walked_to_its_end() {
    let place = base();
    let folder = place.path().join("traps");
    std::fs::create_dir_all(folder.join("loop")).unwrap();
    std::os::unix::fs::symlink(&folder, folder.join("loop/again")).unwrap();
    std::os::unix::fs::symlink("nowhere.json", folder.join("dangling.json")).unwrap();
    std::fs::create_dir(folder.join("folder.json")).unwrap();
    std::fs::write(folder.join("a\u{1b}[2J\n.json"), page(GOOD)).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(folder.join("pipe.json"))
        .status();
    assert!(made.unwrap().success());
    let ran = place.run(&[
        "ingest",
        "traps",
        "--project",
        "p",
        "--cluster",
        "c",
        "--observed-at",
        "2026-11-01T02:30:00Z",
    ]);
    assert!([0, 3].contains(&ran.code), "{}{}", ran.stdout, ran.stderr);
    assert_harmless("traps", &format!("{}{}", ran.stdout, ran.stderr));
    assert_eq!(unharmed(&place, "traps"), SNAPSHOTS_OF_CHECK + 1);
}
