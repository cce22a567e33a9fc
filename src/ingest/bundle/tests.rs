//! Bundles as stories: what was asked and answered, and what comes of it.

use std::fmt::Write as _;
use std::fs;

use tempfile::TempDir;

use crate::ingest::recorder::{Ran, now, options, run};
use crate::ingest::{ImportOutcome, IngestError, Input};
use crate::model::Timestamp;

const V2: &str = "/api/atlas/v2";
const NEW: &str = "application/vnd.atlas.2024-08-05+json";

/// A bundle on disk, built up request by request.
struct Built {
    dir: TempDir,
    scope: String,
    entries: Vec<String>,
}

impl Built {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            scope: r#"{"all_visible":true}"#.to_owned(),
            entries: Vec::new(),
        }
    }

    fn scope(mut self, scope: &str) -> Self {
        scope.clone_into(&mut self.scope);
        self
    }

    /// A request with status, body and further members of its entry.
    fn add(mut self, path: &str, status: u16, body: &str, more: &str) -> Self {
        let file = format!("{:04}.json", self.entries.len());
        fs::write(self.dir.path().join(&file), body).unwrap();
        let at = if more.contains("\"at\"") {
            String::new()
        } else {
            format!(r#","at":"2026-11-01T05:{:02}:00Z""#, self.entries.len())
        };
        self.entries.push(format!(
            r#"{{"path":"{V2}{path}","accept":"{NEW}","status":{status},"file":"{file}"{at}{more}}}"#
        ));
        self
    }

    fn ok(self, path: &str, body: &str) -> Self {
        self.add(path, 200, body, "")
    }

    /// An entry as it is.
    fn entry(mut self, json: &str) -> Self {
        self.entries.push(json.to_owned());
        self
    }

    fn write(&self) {
        let manifest = format!(
            r#"{{"format":"snapkey-bundle/1","source":"atlas","base_url":"https://cloud.mongodb.com",
                "scope":{},"identity":"abcdefgh","requests":[{}]}}"#,
            self.scope,
            self.entries.join(",")
        );
        fs::write(self.dir.path().join("manifest.json"), manifest).unwrap();
    }

    fn run(&self) -> Ran {
        self.write();
        run(
            &[Input::Path(self.dir.path().to_path_buf())],
            b"",
            &options(),
        )
        .unwrap()
    }
}

fn page(rows: &str) -> String {
    format!(r#"{{"results":[{rows}]}}"#)
}

/// `n` snapshot rows with ids from `first` on.
fn snapshots(first: usize, n: usize) -> String {
    let rows: Vec<String> = (first..first + n)
        .map(|i| format!(r#"{{"id":"s{i}","type":"replicaSet","status":"completed"}}"#))
        .collect();
    page(&rows.join(","))
}

const GROUPS: &str = "/groups";
const LIST: &str = "/groups/g/clusters/c/backup/snapshots";

#[test]
fn a_small_estate_reads_whole() {
    let ran = Built::new()
        .ok(GROUPS, &page(r#"{"id":"g","name":"payments","orgId":"o"}"#))
        .ok("/groups/g/encryptionAtRest", r#"{"awsKms":{"enabled":true,"customerMasterKeyID":"k","region":"EU_WEST_1"}}"#)
        .ok("/groups/g/clusters?includeDeletedWithRetainedBackups=true&pageNum=1&itemsPerPage=500",
            &page(r#"{"id":"i","name":"c","clusterType":"SHARDED","groupId":"g","backupEnabled":true}"#))
        .ok("/groups/g/clusters?itemsPerPage=500", &page(r#"{"id":"i","name":"c","clusterType":"SHARDED"}"#))
        .ok(LIST, &page(r#"{"id":"s1","type":"shardedCluster","status":"completed","masterKeyUUID":"k"}"#))
        .ok("/groups/g/clusters/c/backup/snapshots/shardedClusters",
            &page(r#"{"id":"s1","status":"completed","members":[{"id":"m"}],"masterKeyUUID":"k"}"#))
        .ok("/groups/g/clusters/c/backup/schedule", r#"{"clusterName":"c","policies":[],"restoreWindowDays":2}"#)
        .add("/groups/g/clusters/c/backup/restoreJobs", 403, r#"{"error":403,"errorCode":"USER_UNAUTHORIZED"}"#, "")
        .ok("/groups/g/events?minDate=2026-10-01T00:00:00Z",
            &page(r#"{"id":"e","groupId":"g","created":"2026-10-02T00:00:00Z","eventTypeName":"AWS_ENCRYPTION_KEY_ROTATED"},
                     {"id":"f","groupId":"g","created":"2026-10-02T00:00:00Z","eventTypeName":"HOST_DOWN"}"#))
        .ok("/groups/g/backupCompliancePolicy", r#"{"projectId":"g","restoreWindowDays":3}"#)
        .ok("/groups/g/flexClusters", &page(""))
        .ok("/groups/g/alerts", &page(""))
        .run();
    assert_eq!(
        ran.recorder.told(),
        [
            "-/- projects whole 1",
            "g/- clusters whole 1",
            "g/- clusters-with-deleted whole 1",
            "g/- compliance-policy whole 0",
            "g/- events whole 1",
            "g/- settings whole 1",
            "g/- shared-clusters whole 0",
            "g/c restore-jobs 403 USER_UNAUTHORIZED 0",
            "g/c schedule whole 0",
            "g/c sharded-snapshots whole 0",
            "g/c snapshots whole 0",
        ]
    );
    assert_eq!(
        ran.recorder.snapshots,
        ["g/c/s1 sharded completed k", "g/c/s1 sharded completed k"]
    );
    assert_eq!(ran.outcome, ImportOutcome::Complete, "{:?}", ran.report);
    assert_eq!(ran.report.notes["other requests"], 1);
    let reading = &ran.recorder.readings[0];
    assert_eq!(reading.identity.as_deref(), Some("abcdefgh"));
    assert_eq!(reading.at.to_string(), "2026-11-01T05:00:00Z");
    assert!(ran.recorder.readings.iter().all(|r| r.run == reading.run));
}

#[test]
fn the_same_bundle_reads_the_same_twice() {
    let built = Built::new()
        .ok(GROUPS, &page(r#"{"id":"g"}"#))
        .ok(LIST, &snapshots(0, 3))
        .ok("/groups/g/clusters", &page(r#"{"name":"b"},{"name":"a"}"#));
    let (first, second) = (built.run(), built.run());
    assert_eq!(first.recorder, second.recorder);
    assert_eq!(first.report, second.report);
}

#[test]
fn several_pages_need_a_second_pass() {
    let two = |built: Built| {
        built
            .ok(&format!("{LIST}?itemsPerPage=3"), &snapshots(0, 3))
            .ok(
                &format!("{LIST}?pageNum=2&itemsPerPage=3"),
                &snapshots(3, 1),
            )
    };
    let again = |built: Built, first: usize| {
        built
            .add(
                &format!("{LIST}?itemsPerPage=3"),
                200,
                &snapshots(0, 3),
                r#","pass":2"#,
            )
            .add(
                &format!("{LIST}?pageNum=2&itemsPerPage=3"),
                200,
                &snapshots(first, 1),
                r#","pass":2"#,
            )
    };
    let outcome = |built: Built| {
        let ran = built.run();
        (
            ran.recorder.told(),
            ran.recorder.snapshots.len(),
            ran.outcome,
        )
    };
    let groups = || Built::new().ok(GROUPS, &page(r#"{"id":"g"}"#));
    let told = |word: &str| {
        vec![
            "-/- projects whole 1".to_owned(),
            format!("g/c snapshots {word} 0"),
        ]
    };
    assert_eq!(
        outcome(two(groups())),
        (told("second-pass-missing"), 4, ImportOutcome::Incomplete)
    );
    assert_eq!(
        outcome(again(two(groups()), 3)),
        (told("whole"), 8, ImportOutcome::Complete)
    );
    assert_eq!(
        outcome(again(two(groups()), 9)),
        (told("second-pass-differs"), 8, ImportOutcome::Incomplete)
    );
    // Pages of another size are another list.
    let mixed = groups()
        .ok(&format!("{LIST}?itemsPerPage=3"), &snapshots(0, 3))
        .ok(
            &format!("{LIST}?itemsPerPage=2&pageNum=2"),
            &snapshots(3, 1),
        );
    assert_eq!(
        outcome(mixed).0[1..],
        [
            "g/c snapshots last-page-full 0",
            "g/c snapshots page-missing 0"
        ]
    );
}

/// One snapshot list answered with each body: (body, outcome, rows shown, rejects).
#[test]
fn a_damaged_page_shows_what_it_can_and_is_not_whole() {
    let long = "x".repeat(1 << 20);
    let long_id = page(&format!(
        r#"{{"id":"{long}"}},{{"id":"b","type":"replicaSet"}}"#
    ));
    let bomb = format!(
        r#"{{"results":[{{"id":"a","type":"replicaSet"}},{}{}]}}"#,
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let self_link =
        |path: &str| format!(r#""links":[{{"rel":"self","href":"http://x{V2}{path}"}}]"#);
    let wrong_first = format!(
        r#"{{{},"results":[{{"id":"a","type":"replicaSet"}}]}}"#,
        self_link("/groups/h/clusters/c")
    );
    let wrong_last = format!(
        r#"{{"results":[{{"id":"a","type":"replicaSet"}}],{}}}"#,
        self_link("/groups/g/clusters/d")
    );
    let wrong_row = page(&format!(
        r#"{{"id":"a",{}}},{{"id":"b","type":"replicaSet"}}"#,
        self_link("/groups/g/clusters/d/backup/snapshots/a")
    ));
    let right = format!(
        r#"{{{},"results":[{{"id":"a","type":"replicaSet"}}]}}"#,
        self_link(LIST)
    );
    let table: Vec<(&str, &str, usize, u64)> = vec![
        (&right, "whole", 1, 0),
        (r#"{"results":[]}"#, "whole", 0, 0),
        ("\u{feff}{\"results\":[]}\r\n", "whole", 0, 0),
        (
            r#"{"results":[{"id":"a","type":"replicaSet"},{"id":"#,
            "body-unreadable",
            1,
            1,
        ),
        (
            r#"{"results":[{"id":"a","type":"replicaSet"},{}]}"#,
            "row-rejected",
            1,
            1,
        ),
        (
            r#"{"results":[{"id":"a","type":"replicaSet"},7,"x",null]}"#,
            "row-rejected",
            1,
            3,
        ),
        (
            r#"{"results":[{"id":"a","expiresAt":"x"}]}"#,
            "row-rejected",
            1,
            1,
        ),
        (
            r#"{"results":[{"id":"a","status":"failed"},{"id":"a","status":"completed"}]}"#,
            "row-rejected",
            2,
            1,
        ),
        (
            r#"{"results":[{"id":"a","type":"replicaSet"},{"id":"a","type":"replicaSet"}]}"#,
            "whole",
            2,
            0,
        ),
        (&long_id, "row-rejected", 1, 1),
        (&bomb, "body-unreadable", 1, 1),
        (
            r#"{"results":[],"results":[{"id":"a","type":"replicaSet"}]}"#,
            "body-unreadable",
            0,
            1,
        ),
        (
            r#"{"results":[{"id":"a","type":"replicaSet"}]}{"results":[]}"#,
            "body-unreadable",
            1,
            1,
        ),
        (r#"{"results":{}}"#, "body-unreadable", 0, 1),
        (r#"{"totalCount":0}"#, "body-unreadable", 0, 1),
        (
            r#"[{"id":"a","type":"replicaSet"}]"#,
            "body-unreadable",
            0,
            1,
        ),
        ("", "body-unreadable", 0, 1),
        ("<html>", "body-unreadable", 0, 1),
        (&wrong_first, "wrong-owner", 0, 1),
        (&wrong_last, "wrong-owner", 0, 1),
        (&wrong_row, "row-rejected", 1, 1),
        (
            r#"{"error":429,"errorCode":"RATE_LIMITED"}"#,
            "429 RATE_LIMITED",
            0,
            0,
        ),
        (r#"{"status":503,"results":[]}"#, "503 -", 0, 0),
        (
            r#"{"results":[],"error":500,"errorCode":"X"}"#,
            "500 X",
            0,
            0,
        ),
        // Behind rows that were handed out, or without a status.
        (
            r#"{"links":[],"results":[],"error":500,"errorCode":"X"}"#,
            "body-unreadable",
            0,
            1,
        ),
        (
            r#"{"links":[],"results":[{"id":"a","type":"replicaSet"}],"status":404}"#,
            "body-unreadable",
            1,
            1,
        ),
        (r#"{"errorCode":"X","results":[]}"#, "body-unreadable", 0, 1),
        (
            r#"{"status":404,"content":{"error":404,"errorCode":"X"}}"#,
            "404 X",
            0,
            0,
        ),
        (
            r#"{"status":200,"results":[{"id":"a","type":"replicaSet"}]}"#,
            "whole",
            1,
            0,
        ),
    ];
    for (body, outcome, shown, rejects) in table {
        let ran = Built::new().ok(LIST, body).run();
        let short: String = body.chars().take(80).collect();
        assert_eq!(
            ran.recorder.told(),
            [format!("g/c snapshots {outcome} 0")],
            "{short}"
        );
        assert_eq!(ran.recorder.snapshots.len(), shown, "{short}");
        assert_eq!(
            ran.report.rejected, rejects,
            "{short}: {:?}",
            ran.report.rejects
        );
    }
}

#[test]
fn a_reject_names_file_and_record_and_no_content() {
    let ran = Built::new()
        .ok(
            LIST,
            "{\"results\":[{\"id\":\"a\",\"type\":\"replicaSet\"},{\"id\":\"\\u001b[2J\",\"x\":\"hunter2\"}]}",
        )
        .run();
    let reject = &ran.report.rejects[0];
    assert!(reject.file.ends_with("/0000.json"), "{}", reject.file);
    assert_eq!(reject.record, "requests[0] results[1]");
    assert_eq!(reject.reason, "`id` holds a control character");
}

#[test]
fn files_that_a_bundle_may_not_name_are_gaps() {
    let entry = |file: &str| {
        format!(r#"{{"path":"{V2}{LIST}","status":200,"at":"2026-11-01T05:00:00Z","file":{file}}}"#)
    };
    for file in [
        r#""missing.json""#,
        r#""../outside.json""#,
        r#""/etc/hostname""#,
        r#""link.json""#,
        r#"".""#,
        "null",
    ] {
        let built = Built::new().entry(&entry(file));
        #[cfg(unix)]
        std::os::unix::fs::symlink("manifest.json", built.dir.path().join("link.json")).unwrap();
        let ran = built.run();
        assert_eq!(
            ran.recorder.told(),
            ["g/c snapshots file-missing 0"],
            "{file}"
        );
        assert_eq!(ran.outcome, ImportOutcome::Incomplete, "{file}");
        assert!(
            ran.report
                .gaps
                .iter()
                .any(|gap| gap.contains("requests[0]")),
            "{file}"
        );
    }
}

#[test]
fn errors_are_kept_with_their_code() {
    let not_found = r#"{"error":404,"errorCode":"CLUSTER_NOT_FOUND"}"#;
    let table = [
        (vec![(404, not_found)], "404 CLUSTER_NOT_FOUND"),
        (
            vec![(404, not_found), (404, not_found)],
            "404 CLUSTER_NOT_FOUND confirmed",
        ),
        (vec![(404, "<html>")], "404 -"),
        // A code that goes with another status is none of this answer.
        (
            vec![(404, r#"{"error":503,"errorCode":"CLUSTER_NOT_FOUND"}"#)],
            "404 -",
        ),
        (vec![(503, ""), (404, not_found)], "404 CLUSTER_NOT_FOUND"),
    ];
    for (answers, expected) in table {
        let mut built = Built::new();
        for (status, body) in answers {
            built = built.add(LIST, status, body, "");
        }
        let ran = built.run();
        assert_eq!(ran.recorder.told(), [format!("g/c snapshots {expected} 0")]);
    }
    // Nothing came back: the request is known, its answer is not.
    let ran = Built::new()
        .entry(&format!(
            r#"{{"path":"{V2}{LIST}","status":null,"at":null,"local_at":"2026-11-01T05:00:00Z","file":null}}"#
        ))
        .run();
    assert_eq!(ran.recorder.told(), ["g/c snapshots page-failed 0"]);
    // The refusal of a single object says nothing of the list that it would be in.
    let ran = Built::new()
        .add(&format!("{LIST}/s1"), 404, not_found, "")
        .run();
    assert!(ran.recorder.readings.is_empty());
}

#[test]
fn what_was_asked_decides_what_the_answer_proves() {
    let clusters = "/groups/g/clusters?includeDeletedWithRetainedBackups=true";
    let row = page(r#"{"name":"c"}"#);
    let old = |accept: &str| {
        format!(
            r#"{{"path":"{V2}{clusters}","accept":"{accept}","status":200,"at":"2026-11-01T05:00:00Z","file":"0.json"}}"#
        )
    };
    for (accept, outcome) in [
        (NEW, "whole"),
        ("application/vnd.atlas.2023-02-01+json", "old-version"),
        ("application/json", "old-version"),
    ] {
        let built = Built::new().entry(&old(accept));
        fs::write(built.dir.path().join("0.json"), &row).unwrap();
        let told = built.run().recorder.told();
        assert_eq!(told, [format!("g/- clusters-with-deleted {outcome} 1")]);
    }
    let filtered = Built::new()
        .ok(&format!("{LIST}?pointInTimeUtcSeconds=1"), &snapshots(0, 1))
        .run();
    assert_eq!(filtered.recorder.told(), ["g/c snapshots filtered 0"]);
    let single = Built::new()
        .ok(&format!("{LIST}/s1"), r#"{"id":"s1","status":"queued"}"#)
        .run();
    assert_eq!(single.recorder.told(), ["g/c snapshots single-object 0"]);
    assert_eq!(
        single.recorder.snapshots,
        ["g/c/s1 replica-set queued absent"]
    );
    let other = Built::new()
        .ok(&format!("{LIST}/s1"), r#"{"id":"s2"}"#)
        .run();
    assert_eq!(other.recorder.told(), ["g/c snapshots wrong-owner 0"]);
    assert!(other.recorder.snapshots.is_empty());
}

#[test]
fn objects_of_another_owner_are_rejected() {
    for (path, body, kind) in [
        (
            "/groups/g/clusters/c/backup/schedule",
            r#"{"clusterName":"d","policies":[]}"#,
            "g/c schedule",
        ),
        (
            "/groups/g/clusters/c/backup/schedule",
            r#"{"clusterName":"c","policies":[],"links":[{"href":"/api/atlas/v2/groups/h/clusters/c"}]}"#,
            "g/c schedule",
        ),
        (
            "/groups/g/backupCompliancePolicy",
            r#"{"projectId":"h"}"#,
            "g/- compliance-policy",
        ),
        ("/groups/g", r#"{"id":"h","name":"n"}"#, "g/- project"),
    ] {
        let ran = Built::new().ok(path, body).run();
        assert_eq!(
            ran.recorder.told(),
            [format!("{kind} wrong-owner 0")],
            "{body}"
        );
        assert_eq!(ran.outcome, ImportOutcome::Incomplete);
    }
    let ran = Built::new()
        .ok(
            "/groups/g/clusters",
            &page(r#"{"name":"a","groupId":"g"},{"name":"b","groupId":"h"}"#),
        )
        .run();
    assert_eq!(ran.recorder.told(), ["g/- clusters row-rejected 1"]);
}

#[test]
fn an_answer_without_settings_is_none() {
    for (body, told) in [
        (r#"{"awsKms":{"enabled":false}}"#, "g/- settings whole 1"),
        ("{}", "g/- settings body-unreadable 0"),
        (r#"{"results":[]}"#, "g/- settings body-unreadable 0"),
        (
            r#"{"awsKms":{"enabled":7,"customerMasterKeyID":"k"}}"#,
            "g/- settings row-rejected 1",
        ),
    ] {
        let ran = Built::new().ok("/groups/g/encryptionAtRest", body).run();
        assert_eq!(ran.recorder.told(), [told], "{body}");
    }
}

#[test]
fn clocks_that_differ_make_the_import_incomplete() {
    let skewed = r#","at":"2026-11-01T05:00:00Z","local_at":"2026-11-01T05:05:01Z""#;
    let ran = Built::new()
        .ok(GROUPS, &page(""))
        .add("/groups/g/flexClusters", 200, &page(""), skewed)
        .run();
    assert_eq!(ran.recorder.told()[1], "g/- shared-clusters clock-skew 0");
    assert_eq!(ran.outcome, ImportOutcome::Incomplete);
    assert!(
        ran.report.gaps[0].contains("clock-skew"),
        "{:?}",
        ran.report.gaps
    );

    let ahead = |at: &str| {
        let more = format!(r#","at":"{at}""#);
        let ran = Built::new().add(LIST, 200, &snapshots(0, 1), &more).run();
        let at = ran.recorder.readings.first().map(|reading| reading.at);
        (at, ran.recorder.snapshots.len(), ran.report.rejected)
    };
    assert_eq!(ahead("2026-11-01T06:05:00Z"), (Some(now()), 1, 0));
    assert_eq!(ahead("2026-11-01T06:05:01Z"), (None, 0, 1));
}

#[test]
fn the_project_list_is_what_was_asked_for() {
    let listed = page(r#"{"id":"a","orgId":"o"},{"id":"b","orgId":"o"},{"id":"z","orgId":"p"}"#);
    let settings = r#"{"awsKms":{"enabled":false}}"#;
    let asked = r#"{"projects":["b","a"]}"#;
    // (scope, requests, the project list, gaps)
    type Row<'a> = (&'a str, Vec<(&'a str, &'a str)>, Option<&'a str>, usize);
    let table: Vec<Row<'_>> = vec![
        (
            r#"{"all_visible":true}"#,
            vec![(GROUPS, &listed)],
            Some("whole 3"),
            0,
        ),
        (
            r#"{"all_visible":true}"#,
            vec![("/groups/a/encryptionAtRest", settings)],
            None,
            1,
        ),
        (
            r#"{"all_visible":true}"#,
            vec![("/orgs/o/groups", &listed)],
            Some("filtered 3"),
            1,
        ),
        (
            r#"{"org":"o"}"#,
            vec![("/orgs/o/groups", &listed)],
            Some("whole 3"),
            0,
        ),
        (
            r#"{"org":"o"}"#,
            vec![(GROUPS, &listed)],
            Some("filtered 2"),
            1,
        ),
        (
            asked,
            vec![("/groups/a/encryptionAtRest", settings)],
            Some("whole 2"),
            0,
        ),
        (asked, vec![(GROUPS, &listed)], Some("whole 2"), 0),
        (
            asked,
            vec![(GROUPS, r#"{"results":[{"id":"a","type":"replicaSet"}]}"#)],
            Some("whole 1"),
            0,
        ),
        (asked, vec![], None, 1),
    ];
    for (scope, requests, expected, gaps) in table {
        let mut built = Built::new().scope(scope);
        for (path, body) in &requests {
            built = built.ok(path, body);
        }
        let ran = built.run();
        let told = ran.recorder.told();
        let found = told
            .iter()
            .find_map(|told| told.strip_prefix("-/- projects "));
        assert_eq!(found, expected, "{scope} {requests:?}");
        assert_eq!(
            ran.report.gaps.len(),
            gaps,
            "{scope} {requests:?} {:?}",
            ran.report.gaps
        );
    }
}

#[test]
fn a_bundle_of_another_format_stops_the_command() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("manifest.json"),
        r#"{"format":"snapkey-bundle/9"}"#,
    )
    .unwrap();
    let input = [Input::Path(dir.path().to_path_buf())];
    let Err(IngestError::Usage(why)) = run(&input, b"", &options()) else {
        panic!("accepted");
    };
    assert!(why.contains("snapkey-bundle/9"), "{why}");
    fs::write(dir.path().join("manifest.json"), "{").unwrap();
    let ran = run(&input, b"", &options()).unwrap();
    assert_eq!(ran.outcome, ImportOutcome::NotAnInventory);
}

#[test]
fn a_page_of_any_size_is_read_in_little_memory() {
    // Rows without links in front: the page is skimmed before it is read.
    let mut body = String::from(r#"{"results":["#);
    for i in 0..20_000 {
        let comma = if i == 0 { "" } else { "," };
        write!(
            body,
            r#"{comma}{{"id":"s{i}","type":"replicaSet","description":"{}"}}"#,
            "x".repeat(600)
        )
        .unwrap();
    }
    body.push_str(
        r#"],"links":[{"rel":"self","href":"http://x/api/atlas/v2/groups/g/clusters/c"}]}"#,
    );
    let ran = Built::new()
        .ok(
            "/groups/g/clusters/c/backup/snapshots/shardedClusters",
            &body,
        )
        .run();
    assert_eq!(ran.recorder.snapshots.len(), 20_000);
    assert_eq!(ran.recorder.told(), ["g/c sharded-snapshots whole 0"]);
}

#[test]
fn the_time_of_a_list_is_that_of_its_oldest_page() {
    let ran = Built::new()
        .ok(&format!("{LIST}?itemsPerPage=2"), &snapshots(0, 2))
        .ok(
            &format!("{LIST}?itemsPerPage=2&pageNum=2"),
            &snapshots(2, 1),
        )
        .add(
            &format!("{LIST}?itemsPerPage=2"),
            200,
            &snapshots(0, 2),
            r#","pass":2"#,
        )
        .add(
            &format!("{LIST}?itemsPerPage=2&pageNum=2"),
            200,
            &snapshots(2, 1),
            r#","pass":2"#,
        )
        .run();
    assert_eq!(ran.recorder.told(), ["g/c snapshots whole 0"]);
    let first = Timestamp::floor("2026-11-01T05:00:00Z").unwrap();
    assert_eq!(ran.recorder.readings[0].at, first);
}
