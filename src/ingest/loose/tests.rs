//! Loose files as stories: what users really have, and what comes of it.

use std::fmt::Write as _;
use std::fs;

use crate::ingest::recorder::{Ran, now, options, piped, run};
use crate::ingest::{ImportOutcome, IngestError, Input, Options};
use crate::model::Timestamp;
use crate::model::evidence::{Condition, Observation};

const LINKS: &str = r#""links":[{"rel":"self","href":"http://localhost:8080/api/atlas/v2/groups/g/clusters/c/backup/snapshots/x"}]"#;

fn located() -> Options {
    Options {
        project: Some("g".into()),
        cluster: Some("c".into()),
        ..options()
    }
}

fn complete() -> Options {
    Options {
        observed_at: Some(Timestamp::floor("2026-11-01T04:00:00Z").unwrap()),
        complete: true,
        ..located()
    }
}

fn page_of(path: &str, rows: &str) -> String {
    format!(
        r#"{{"links":[{{"rel":"self","href":"http://localhost:8080/api/atlas/v2{path}"}}],"results":[{rows}],"totalCount":1}}"#
    )
}

/// What stands behind the rows is read as well as what stands before them.
#[test]
fn a_page_that_contradicts_itself_behind_its_rows_is_no_whole_list() {
    let list = "/groups/g/clusters/c/backup/snapshots?pageNum=1&itemsPerPage=100";
    let row = r#"{"id":"s","type":"replicaSet","status":"completed"}"#;
    let sound = page_of(list, row);
    let told = |text: &str| {
        let ran = piped(text, &complete());
        (ran.recorder.told(), ran.report.rejected)
    };
    let (whole, rejected) = told(&sound);
    assert_eq!(rejected, 0);
    for behind in [
        r#""error":503"#,
        r#""status":404"#,
        r#""errorCode":"X""#,
        r#""results":[]"#,
        r#""links":7"#,
    ] {
        let text = sound.replace(r#""totalCount":1"#, behind);
        let (cut, rejected) = told(&text);
        assert_eq!(rejected, 1, "{behind}");
        assert_ne!(cut, whole, "{behind}");
    }
}

#[test]
fn every_way_to_print_a_snapshot_reads_the_same() {
    let row = format!(r#"{{"id":"s","type":"replicaSet","status":"completed",{LINKS}}}"#);
    let bare = r#"{"id":"s","type":"replicaSet","status":"completed"}"#;
    let list = "/groups/g/clusters/c/backup/snapshots?pageNum=1&itemsPerPage=100";
    let pretty = row.replace(',', ",\n  ");
    let table = [
        row.clone(),
        format!("[{row}]"),
        format!("[\n{row}\n]\n"),
        format!(r#"{{"results":[{row}]}}"#),
        page_of(list, bare),
        format!("[{}]", page_of(list, bare)),
        format!(r#"{{"status":200,"content":{row}}}"#),
        page_of(list, bare).replace(r#""totalCount""#, r#""status":200,"totalCount""#),
        // Who owns the rows stands behind them.
        format!(r#"{{"results":[{bare}],{LINKS}}}"#),
        pretty,
        format!("\u{feff}{row}\r\n"),
        format!("HTTP/2.0 200 OK\r\nDate: Mon, 10 Aug 2026 03:29:31 GMT\r\n\r\n{row}"),
    ];
    for text in table {
        let ran = piped(&text, &options());
        assert_eq!(
            ran.recorder.snapshots,
            ["g/c/s replica-set completed absent"],
            "{text}"
        );
        assert_eq!(
            ran.recorder.told(),
            ["g/c snapshots loose-file 0"],
            "{text}"
        );
        assert_eq!(
            ran.outcome,
            ImportOutcome::Complete,
            "{text} {:?}",
            ran.report
        );
    }
    // Flags stand in for links, and links win.
    let ran = piped(bare, &located());
    assert_eq!(ran.recorder.told(), ["g/c snapshots loose-file 0"]);
    let ran = piped(row.replace("groups/g/", "groups/h/"), &located());
    assert_eq!(ran.recorder.told(), ["h/c snapshots loose-file 0"]);
    let ran = piped(bare, &options());
    assert_eq!(ran.outcome, ImportOutcome::Incomplete);
    assert!(ran.report.rejects[0].reason.contains("--project"));
}

#[test]
fn mixed_records_go_where_they_belong() {
    let lines = [
        format!(r#"{{"id":"s1","type":"replicaSet",{LINKS}}}"#),
        format!(r#"{{"id":"s2","members":[{{"id":"m"}}],"type":"shardedCluster",{LINKS}}}"#),
        r#"{"id":"i","name":"c","clusterType":"REPLICASET","groupId":"g"}"#.to_owned(),
        r#"{"name":"f","groupId":"g","clusterType":"REPLICASET","providerSettings":{"providerName":"FLEX"}}"#.to_owned(),
        r#"{"id":"g","name":"n","orgId":"o"}"#.to_owned(),
        r#"{"clusterName":"c","policies":[],"links":[{"href":"/api/atlas/v1.0/groups/g/clusters/c/backup/schedule"}]}"#.to_owned(),
        r#"{"awsKms":{"enabled":true,"customerMasterKeyID":"k","secretAccessKey":"x"}}"#.to_owned(),
        r#"{"projectId":"g","scheduledPolicyItems":[],"restoreWindowDays":1}"#.to_owned(),
        r#"{"id":"e","groupId":"g","created":"2026-10-01T00:00:00Z","eventTypeName":"GCP_ENCRYPTION_KEY_ROTATED"}"#.to_owned(),
        r#"{"id":"j","deliveryType":"download","snapshotId":"s1","links":[{"href":"/groups/g/clusters/c/backup/restoreJobs/j"}]}"#.to_owned(),
        r#"{"id":"fs","scheduledTime":"2026-10-01T00:00:00Z","expiration":"2026-10-09T00:00:00Z","status":"COMPLETED",
            "links":[{"href":"/groups/g/flexClusters/f/backup/snapshots/fs"}]}"#.replace('\n', " "),
        r#"{"id":"a","alertConfigId":"x","eventTypeName":"Y","created":"2026-10-01T00:00:00Z"}"#.to_owned(),
    ];
    let options = Options {
        project: Some("g".into()),
        ..options()
    };
    let ran = piped(lines.join("\n"), &options);
    assert_eq!(ran.report.rejects, []);
    assert_eq!(ran.outcome, ImportOutcome::Complete);
    assert_eq!(
        ran.recorder.told(),
        [
            "-/- projects loose-file 1",
            "g/- clusters loose-file 1",
            "g/- compliance-policy loose-file 0",
            "g/- events loose-file 1",
            "g/- settings loose-file 1",
            "g/- shared-clusters loose-file 1",
            "g/c restore-jobs loose-file 1",
            "g/c schedule loose-file 0",
            "g/c sharded-snapshots loose-file 0",
            "g/c snapshots loose-file 0",
            "g/f shared-snapshots loose-file 0",
        ]
    );
    assert_eq!(ran.recorder.snapshots[2], "g/f/fs shared completed absent");
    assert_eq!(ran.report.notes["alerts"], 1);
    assert_eq!(
        piped(format!("[{}]", lines.join(",")), &options)
            .recorder
            .told(),
        ran.recorder.told()
    );
}

#[test]
fn what_is_no_inventory_says_why() {
    let table = [
        ("", "is empty"),
        ("ID   TYPE\ns1   onDemand\n", "-o json"),
        ("{}", "nothing that snapkey knows"),
        ("[]", "an empty list"),
        (r#"{"kind":"Pod","apiVersion":"v1"}"#, "unknown kind `Pod`"),
        ("[7]", "is no object"),
        (
            r#"{"error":404,"errorCode":"CLUSTER_NOT_FOUND"}"#,
            "the error answer 404 `CLUSTER_NOT_FOUND`",
        ),
        (
            "HTTP/2.0 401 Unauthorized\n\n{\"error\":401,\"reason\":\"Unauthorized\"}",
            "error answer 401",
        ),
        (
            r#"{"results":[{"id":"s","parts":[],"complete":true}]}"#,
            "Ops Manager",
        ),
        (
            r#"{"format":"snapkey-bundle/1","base_url":"https://x","requests":[]}"#,
            "the folder",
        ),
        ("\u{1}\u{2}", "neither JSON"),
        ("{\"results\": tru", "cut off"),
    ];
    for (text, why) in table {
        let ran = piped(text, &options());
        assert_eq!(ran.outcome, ImportOutcome::NotAnInventory, "{text}");
        let reason = &ran.report.useless_inputs[0].reason;
        assert!(reason.contains(why), "{text}: {reason}");
        assert!(ran.recorder.readings.is_empty());
    }
    let unneeded = piped(
        r#"{"results":[{"id":"o","name":"n","isDeleted":false}]}"#,
        &options(),
    );
    assert_eq!(unneeded.outcome, ImportOutcome::Complete);
    assert_eq!(unneeded.report.notes["organizations"], 1);
}

#[test]
fn damage_costs_its_record_and_is_named() {
    let good = |id: &str| format!(r#"{{"id":"{id}","type":"replicaSet"}}"#);
    // (input, ids shown, rejects)
    let table: Vec<(Vec<u8>, &str, u64)> = vec![
        (
            format!("{}\n{{\"id\":\n{}\n", good("a"), good("b")).into(),
            "a b",
            1,
        ),
        (
            format!("{}\n{{\"id\":tru}}\n{}\n", good("a"), good("b")).into(),
            "a b",
            1,
        ),
        (
            format!("{}\n\"x\n{}\n", good("a"), good("b")).into(),
            "a b",
            1,
        ),
        (
            format!("[{},{{}},{}]", good("a"), good("b")).into(),
            "a b",
            1,
        ),
        (format!("[{},{}", good("a"), good("b")).into(), "a b", 1),
        (
            format!("[{},{{\"id\":\"b\",\"type\"", good("a")).into(),
            "a",
            1,
        ),
        (
            format!(
                "[{},{{\"id\":\"{}\",\"type\":\"replicaSet\"}}]",
                good("a"),
                "x".repeat(1 << 20)
            )
            .into(),
            "a",
            1,
        ),
        (
            format!("[{},{}{}]", good("a"), "[".repeat(9999), "]".repeat(9999)).into(),
            "a",
            1,
        ),
        (
            [
                good("a").as_bytes(),
                b"\n{\"id\":\"b\",\"type\":\"replicaSet\",\"masterKeyUUID\":\"\xff\"}\n",
            ]
            .concat(),
            "a b",
            1,
        ),
        (
            format!(
                "{}\n{{\"id\":\"b\",\"type\":\"replicaSet\",\"createdAt\":\"x\"}}",
                good("a")
            )
            .into(),
            "a b",
            1,
        ),
        (
            format!("{}\r\n\r\n{}\r\n", good("a"), good("b")).into(),
            "a b",
            0,
        ),
        (format!("[{},{}]", good("a"), good("a")).into(), "a a", 0),
        (
            format!(
                "[{},{}]",
                good("a"),
                good("a").replace('}', ",\"status\":\"failed\"}")
            )
            .into(),
            "a a",
            1,
        ),
    ];
    for (input, ids, rejects) in table {
        let short = String::from_utf8_lossy(&input[..input.len().min(90)]).into_owned();
        let ran = piped(&input, &located());
        let shown: Vec<&str> = ran
            .recorder
            .snapshots
            .iter()
            .filter_map(|line| line.split([' ', '/']).nth(2))
            .collect();
        assert_eq!(shown.join(" "), ids, "{short}");
        assert_eq!(
            ran.report.rejected, rejects,
            "{short} {:?}",
            ran.report.rejects
        );
        if rejects > 0 {
            assert_eq!(ran.outcome, ImportOutcome::Incomplete);
            let reject = &ran.report.rejects[0];
            assert_eq!(reject.file, "standard input");
            assert!(reject.record.starts_with("record "), "{reject:?}");
            // What was said to be whole is not.
            let told = piped(&input, &complete()).recorder.told();
            assert!(!told[0].contains("whole"), "{short}: {told:?}");
        }
    }
}

#[test]
fn complete_is_believed_only_where_it_can_be() {
    let rows = |n: usize| {
        let rows: Vec<String> = (0..n)
            .map(|i| format!(r#"{{"id":"s{i}","type":"replicaSet"}}"#))
            .collect();
        rows.join(",")
    };
    let list = "/groups/g/clusters/c/backup/snapshots";
    let told = |text: &str| piped(text, &complete()).recorder.told();
    assert_eq!(told(&format!("[{}]", rows(3))), ["g/c snapshots whole 0"]);
    assert_eq!(told(&page_of(list, &rows(3))), ["g/c snapshots whole 0"]);
    assert_eq!(told(&page_of(list, "")), ["g/c snapshots whole 0"]);
    assert_eq!(told(&rows(1)), ["g/c snapshots single-object 0"]);
    assert_eq!(
        told(&rows(2).replace("},{", "}\n{")),
        ["g/c snapshots whole 0"]
    );
    assert_eq!(
        told(&page_of(
            &format!("{list}?pointInTimeUtcSeconds=1"),
            &rows(3)
        )),
        ["g/c snapshots filtered 0"]
    );
    assert_eq!(
        told(&page_of(
            "/groups/g/clusters?includeDeletedWithRetainedBackups=true",
            r#"{"name":"c","clusterType":"SHARDED"}"#
        )),
        ["g/- clusters-with-deleted whole 1"]
    );
    assert_eq!(
        told(r#"[{"name":"c","clusterType":"SHARDED"}]"#),
        ["g/- clusters whole 1"]
    );
    assert_eq!(
        told(r#"{"awsKms":{"enabled":false}}"#),
        ["g/- settings whole 1"]
    );

    let refused = |text: &str| match run(&[Input::Stdin], text.as_bytes(), &complete()) {
        Err(IngestError::Usage(why)) => why,
        other => panic!("{text}: {:?}", other.map(|ran| ran.recorder.told())),
    };
    assert!(refused(&format!("[{}]", rows(100))).contains("exactly 100"));
    assert!(refused(&page_of(list, &rows(500))).contains("exactly 500"));
    assert!(refused(&page_of(&format!("{list}?pageNum=2"), &rows(3))).contains("page 1"));
    assert!(refused(&page_of(&format!("{list}?itemsPerPage=3"), &rows(3))).contains("exactly 3"));

    // The same list in two files is in two halves.
    let dir = tempfile::tempdir().unwrap();
    for name in ["1.json", "2.json"] {
        fs::write(dir.path().join(name), format!("[{}]", rows(3))).unwrap();
    }
    let inputs = [Input::Path(dir.path().to_path_buf())];
    assert!(
        matches!(run(&inputs, b"", &complete()), Err(IngestError::Usage(why)) if why.contains("twice"))
    );
    assert!(run(&inputs, b"", &located()).is_ok());

    let undated = Options {
        observed_at: None,
        ..complete()
    };
    assert!(matches!(
        run(&[Input::Stdin], b"[]", &undated),
        Err(IngestError::Usage(_))
    ));
    let ahead = Options {
        observed_at: Some(now().saturating_add(301)),
        ..located()
    };
    assert!(matches!(
        run(&[Input::Stdin], b"[]", &ahead),
        Err(IngestError::Usage(_))
    ));
}

#[test]
fn loose_files_are_dated_and_belong_to_a_base_url() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("snapshots.txt");
    fs::write(
        &file,
        format!(r#"{{"id":"s","type":"replicaSet",{LINKS}}}"#),
    )
    .unwrap();
    let modified = Timestamp::floor("2026-10-30T10:00:00Z").unwrap();
    let set = |at: Timestamp| {
        let since = std::time::Duration::from_secs(at.unix().unsigned_abs());
        let file = fs::File::options().write(true).open(&file).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + since).unwrap();
    };
    let read = |options: &Options| {
        let ran = run(&[Input::Path(file.clone())], b"", options).unwrap();
        let reading = &ran.recorder.readings[0];
        (reading.at, reading.root.base_url.clone())
    };
    set(modified);
    assert_eq!(
        read(&options()),
        (modified, "https://cloud.mongodb.com".to_owned())
    );
    let known = Options {
        known_base_url: Some("https://cloud.mongodbgov.com/".into()),
        ..complete()
    };
    let observed = complete().observed_at.unwrap();
    assert_eq!(
        read(&known),
        (observed, "https://cloud.mongodbgov.com".to_owned())
    );
    let stated = Options {
        base_url: Some("https://atlas.example".into()),
        ..known
    };
    assert_eq!(read(&stated).1, "https://atlas.example");
    set(now().saturating_add(86_400));
    assert_eq!(read(&options()).0, now());
    let bad = Options {
        base_url: Some("atlas.example".into()),
        ..options()
    };
    assert!(matches!(run(&[], b"", &bad), Err(IngestError::Usage(_))));
}

const OWN: &str = r#"{"kind":"snapshot","project":"p1","cluster":"db","id":"s1","status":"completed","keys":["k1","k2"],"at":"2026-11-01T01:00:00Z"}
{"kind":"snapshot","project":"p1","id":"s2","keys":"none","at":"2026-11-01T02:00:00Z"}
{"kind":"current-key","project":"p1","keys":["k2"],"at":"2026-11-01T03:00:00Z"}
{"kind":"snapshot","project":"p2","id":"s1"}
"#;

#[test]
fn the_own_inventory_form_is_all_lists_in_one() {
    let ran = piped(OWN, &options());
    assert_eq!(ran.report.rejects, []);
    assert_eq!(
        ran.recorder.snapshots,
        [
            "p1/db/s1 own completed k1+k2",
            "p1//s2 own unrecorded not-encrypted",
            "p2//s1 own unrecorded absent",
        ]
    );
    assert_eq!(
        ran.recorder.told(),
        [
            "-/- projects loose-file 2",
            "p1/- inventory loose-file 1",
            "p2/- inventory loose-file 0",
        ]
    );
    let oldest = ran
        .recorder
        .readings
        .iter()
        .find(|r| r.project.as_deref() == Some("p1"));
    assert_eq!(oldest.unwrap().at.to_string(), "2026-11-01T01:00:00Z");
    let whole = piped(OWN, &complete()).recorder.told();
    assert!(whole.iter().all(|told| told.contains("whole")), "{whole:?}");

    let csv = "\u{feff}kind,project,cluster,id,status,keys,at\r\n\
        snapshot,p1,db,s1,completed,k1;k2,2026-11-01T01:00:00Z\r\n\
        snapshot,p1,,s2,,none,2026-11-01T02:00:00Z\r\n\
        current-key,p1,,,,k2,2026-11-01T03:00:00Z\r\n\
        snapshot,p2,,s1,,,\r\n";
    let from_csv = piped(csv, &options());
    assert_eq!(from_csv.recorder.snapshots, ran.recorder.snapshots);
    assert_eq!(from_csv.recorder.told(), ran.recorder.told());
}

#[test]
fn systems_with_equal_project_ids_stay_apart() {
    let line = |system: &str| {
        format!(r#"{{"kind":"snapshot","system":"{system}","project":"p","id":"s"}}"#)
    };
    let ran = piped(
        format!("{}\n{}", line("tape"), line("https://Veeam.example/")),
        &options(),
    );
    let urls: Vec<_> = ran
        .recorder
        .readings
        .iter()
        .map(|r| r.root.base_url.as_str())
        .collect();
    assert_eq!(
        urls,
        [
            "https://veeam.example",
            "system:tape",
            "https://veeam.example",
            "system:tape"
        ]
    );
}

#[test]
fn own_lines_that_cannot_be_read_are_named() {
    let mut full = String::new();
    for i in 0..100 {
        writeln!(full, r#"{{"kind":"snapshot","project":"p","id":"s{i}"}}"#).unwrap();
    }
    assert!(matches!(
        run(&[Input::Stdin], full.as_bytes(), &complete()),
        Err(IngestError::Usage(why)) if why.contains("exactly 100")
    ));
    for (text, shown, why) in [
        (r#"{"kind":"snapshot","id":"s"}"#, 0, "--project"),
        (r#"{"kind":"snapshot","project":"p"}"#, 0, "`id`"),
        (r#"{"kind":"backup","project":"p","id":"s"}"#, 0, "`backup`"),
        (
            r#"{"kind":"snapshot","project":"p","id":"s","at":"2026-11-01T06:05:01Z"}"#,
            0,
            "ahead",
        ),
        (
            r#"{"kind":"snapshot","project":"p","id":"s","expires":"x"}"#,
            1,
            "`expires`",
        ),
        (
            r#"{"kind":"snapshot","project":"p","id":"s","expires_at":"x"}"#,
            1,
            "`expires_at`",
        ),
        ("kind,project,id\nsnapshot,p", 0, "2 columns"),
        ("kind,project,id,Keep\nsnapshot,p,s,true", 1, "`Keep`"),
    ] {
        let ran = piped(text, &options());
        assert_eq!(ran.recorder.snapshots.len(), shown, "{text}");
        let told = ran
            .report
            .rejects
            .first()
            .map(|reject| reject.reason.clone());
        let told = told.unwrap_or_else(|| ran.report.useless_inputs[0].reason.clone());
        assert!(told.contains(why), "{text}: {told}");
    }
}

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-1111-2222-3333-444455556666";

#[test]
fn key_answers_of_every_form_become_observations() {
    let ndjson = format!(r#"{{"key":"{KEY}","condition":"disabled","at":"2026-11-01T01:00:00Z"}}"#);
    let csv = format!("key,condition,at\n{KEY},disabled,2026-11-01T01:00:00Z\n");
    for text in [ndjson.clone(), csv] {
        let ran = piped(&text, &options());
        assert_eq!(ran.outcome, ImportOutcome::Complete);
        let [observation] = ran.recorder.observations.as_slice() else {
            panic!("{text}");
        };
        assert_eq!(observation.condition, Condition::Disabled);
        assert_eq!(observation.key.to_string(), KEY);
    }
    let ahead = ndjson.replace("01:00:00", "06:05:01");
    let ran = piped(&ahead, &options());
    assert!(ran.recorder.observations.is_empty());
    assert_eq!(ran.report.rejected, 1);

    let reading = Options {
        read_key_answer: |value, at| {
            let arn = value["KeyMetadata"]["Arn"].as_str().ok_or("has no Arn")?;
            Ok(vec![Observation {
                key: arn.parse().map_err(|_refused| "no ARN")?,
                at,
                condition: Condition::Enabled { expires: None },
                native: None,
                endpoint: "recorded".into(),
                identity: None,
                related: Vec::new(),
                stale_at: None,
            }])
        },
        ..complete()
    };
    let ran = piped(format!(r#"{{"KeyMetadata":{{"Arn":"{KEY}"}}}}"#), &reading);
    assert_eq!(
        ran.recorder.observations[0].at,
        reading.observed_at.unwrap()
    );
    let ran = piped(r#"{"KeyMetadata":{}}"#, &reading);
    assert_eq!(ran.report.rejects[0].reason, "has no Arn");
}

#[test]
fn folders_are_walked_by_name_and_bundles_in_them_are_bundles() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    fs::create_dir_all(at("b/bundle")).unwrap();
    fs::create_dir_all(at("empty")).unwrap();
    let row = |id: &str| format!(r#"{{"id":"{id}","type":"replicaSet",{LINKS}}}"#);
    fs::write(at("c.JSON"), row("3")).unwrap();
    fs::write(at("a.ndjson"), row("1")).unwrap();
    fs::write(at("b/x.jsonl"), row("2")).unwrap();
    fs::write(at("notes.txt"), "no").unwrap();
    fs::write(at("snapkey.toml"), "no").unwrap();
    fs::write(
        at("b/bundle/manifest.json"),
        r#"{"format":"snapkey-bundle/1","source":"atlas","base_url":"https://x","scope":{"projects":["p"]},
            "requests":[{"path":"/api/atlas/v2/groups/p","status":404,"at":"2026-11-01T05:00:00Z","file":null}]}"#,
    )
    .unwrap();
    let ran = run(&[Input::Path(dir.path().to_path_buf())], b"", &options()).unwrap();
    let ids: Vec<_> = ran.recorder.snapshots.iter().map(|s| &s[4..5]).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(ran.report.useful_inputs, 4);
    assert_eq!(ran.outcome, ImportOutcome::Complete, "{:?}", ran.report);
    assert!(
        ran.recorder
            .told()
            .contains(&"p/- project 404 - 0".to_owned())
    );

    let outcome = |path: &str| {
        run(&[Input::Path(at(path))], b"", &options())
            .unwrap()
            .outcome
    };
    assert_eq!(outcome("empty"), ImportOutcome::NotAnInventory);
    assert_eq!(outcome("notes.txt"), ImportOutcome::NotAnInventory);
    let missing = run(
        &[Input::Stdin, Input::Path(at("gone"))],
        row("1").as_bytes(),
        &options(),
    );
    assert!(matches!(missing, Err(IngestError::MissingPath(_))));
    fs::write(at("d.json"), r#"{"name":"package"}"#).unwrap();
    let Ran {
        outcome, report, ..
    } = run(&[Input::Path(dir.path().to_path_buf())], b"", &options()).unwrap();
    assert_eq!(outcome, ImportOutcome::Incomplete);
    assert!(report.useless_inputs[0].file.ends_with("d.json"));
    #[cfg(unix)]
    {
        fs::remove_file(at("d.json")).unwrap();
        std::os::unix::fs::symlink("a.ndjson", at("z.json")).unwrap();
        let ran = run(&[Input::Path(dir.path().to_path_buf())], b"", &options()).unwrap();
        assert_eq!(
            (ran.outcome, ran.recorder.snapshots.len()),
            (ImportOutcome::Incomplete, 3)
        );
        let named = run(&[Input::Path(at("z.json"))], b"", &options()).unwrap();
        assert_eq!(named.recorder.snapshots.len(), 1);
    }
}

#[test]
fn a_large_stream_is_spooled_and_read_twice_where_it_must_be() {
    let mut body = String::from(r#"{"results":["#);
    for i in 0..15_000 {
        let comma = if i == 0 { "" } else { "," };
        let padding = "x".repeat(600);
        write!(
            body,
            r#"{comma}{{"id":"s{i}","type":"replicaSet","description":"{padding}"}}"#
        )
        .unwrap();
    }
    write!(body, "],{LINKS}}}").unwrap();
    let ran = piped(&body, &options());
    assert_eq!(ran.recorder.snapshots.len(), 15_000);
    assert_eq!(ran.recorder.told(), ["g/c snapshots loose-file 0"]);
    assert_eq!(ran.outcome, ImportOutcome::Complete);
}
