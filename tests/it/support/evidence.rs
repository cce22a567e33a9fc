//! Evidence that a test may falsify: copies of fixtures, and bundles made to measure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::cmd::{Place, copy, fixture};

/// When `fixtures/check` is judged: 25 minutes after it was read.
pub(crate) const CHECK_AS_OF: &str = "2026-11-01T03:00:00Z";
/// The three keys of `fixtures/check`.
pub(crate) const HELD: &str =
    "arn:aws:kms:us-east-1:111122223333:key/4a9d2c61-0f38-4b7e-9c15-d27e80b6f341";
pub(crate) const SAFE: &str =
    "arn:aws:kms:us-east-1:111122223333:key/7c1e5f08-6b2a-4d93-8e47-15a09c3bd862";
pub(crate) const UNKNOWN: &str =
    "arn:aws:kms:us-east-1:111122223333:key/b05f7e93-2d14-4c68-a3b9-680d4f21ce57";

/// How many snapshots `fixtures/check` shows.
pub(crate) const SNAPSHOTS_OF_CHECK: usize = 4;

/// A place whose store holds `fixtures/check`.
pub(crate) fn base() -> Place {
    let place = Place::new();
    let ran = place.run(&["ingest", fixture("check").to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    place
}

/// What holds of the store whatever was ingested on top; gives the number of snapshots.
pub(crate) fn unharmed(place: &Place, name: &str) -> usize {
    let (_, audit) = place.json(&["--as-of", CHECK_AS_OF, "audit"]);
    let rows = |list: &str| audit[list].as_array().unwrap().clone();
    for row in rows("keys") {
        let id = row["id"].as_str().unwrap();
        assert!(id == SAFE || row["verdict"] != "safe", "{name}: {row}");
    }
    let (code, held) = place.json(&["--as-of", CHECK_AS_OF, "check", HELD]);
    assert_eq!((code, &held["verdict"]), (1, &"held".into()), "{name}");
    let snapshots = rows("snapshots");
    let of_check = |row: &&Value| {
        row["project"]
            .as_str()
            .unwrap()
            .starts_with("65f0b1c2d3e4a596")
    };
    assert_eq!(
        snapshots.iter().filter(of_check).count(),
        SNAPSHOTS_OF_CHECK,
        "{name}"
    );
    snapshots.len()
}

/// What passed: safe keys and restorable snapshots.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) safe: BTreeSet<String>,
    pub(crate) restorable: BTreeSet<String>,
}

/// What a folder of evidence passes by itself; `None`: nothing was ingested, so nothing was decided.
pub(crate) fn passed(place: &Place, folder: &Path, as_of: &str) -> Option<Passed> {
    let ran = place.run(&[
        "--store",
        ":memory:",
        "--offline",
        "--as-of",
        as_of,
        "--format",
        "json",
        "audit",
        folder.to_str().unwrap(),
    ]);
    assert!([0, 1, 2, 3].contains(&ran.code), "{}", ran.stderr);
    if ran.code == 2 {
        assert_eq!(ran.stdout, "");
        return None;
    }
    let audit: Value = serde_json::from_str(&ran.stdout).unwrap();
    let of = |list: &str, verdict: &str| {
        let rows = audit[list].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["verdict"] == verdict);
        rows.map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    Some(Passed {
        safe: of("keys", "safe"),
        restorable: of("snapshots", "restorable"),
    })
}

/// A copy of a folder of fixtures in a place of its own.
pub(crate) struct Copied {
    pub(crate) place: Place,
    pub(crate) folder: PathBuf,
}

impl Copied {
    pub(crate) fn of(name: &str) -> Self {
        let place = Place::new();
        let folder = place.path().join("evidence");
        copy(&fixture(name), &folder);
        Self { place, folder }
    }

    /// Rewrites one JSON file.
    pub(crate) fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let path = self.folder.join(file);
        let mut value = read(&path);
        change(&mut value);
        std::fs::write(path, value.to_string()).unwrap();
    }

    /// Rewrites one request of `bundle/manifest.json`, found by how its path goes on after the
    /// project, query left out.
    pub(crate) fn request(&self, path: &str, change: impl FnOnce(&mut Value)) {
        self.edit("bundle/manifest.json", |manifest| {
            let requests = manifest["requests"].as_array_mut().unwrap();
            let found = requests.iter_mut().find(|request| {
                let asked = request["path"].as_str().unwrap();
                asked.split('?').next().unwrap().ends_with(path)
            });
            change(found.unwrap_or_else(|| panic!("no request for {path}")));
        });
    }

    pub(crate) fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.folder.join(file), bytes).unwrap();
    }

    pub(crate) fn arg(&self) -> &str {
        self.folder.to_str().unwrap()
    }
}

pub(crate) fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Writes a bundle of one project, read whole at `at`, with a replica set of `snapshots`
/// snapshots in pages of 500 (read twice where there are several), all under keys of the account
/// `111122223333`.
pub(crate) fn write_bundle(folder: &Path, project: &str, snapshots: usize, at: &str) {
    let pages = folder.join("pages");
    std::fs::create_dir_all(&pages).unwrap();
    let group = format!("/api/atlas/v2/groups/{project}");
    let mut requests = Vec::new();
    let mut answer = |path: &str, file: &str, pass: u8, body: Value| {
        std::fs::write(pages.join(file), body.to_string()).unwrap();
        requests.push(json!({
            "path": path, "accept": "application/vnd.atlas.2024-08-05+json", "status": 200,
            "at": at, "local_at": at, "file": format!("pages/{file}"), "pass": pass,
        }));
    };
    answer(
        "/api/atlas/v2/groups?itemsPerPage=500",
        "groups.json",
        1,
        json!({"results": [{"id": project, "name": project, "orgId": "65f0b1c2d3e4a59687780000"}]}),
    );
    answer(
        &format!("{group}/encryptionAtRest"),
        "settings.json",
        1,
        json!({"awsKms": {"enabled": true, "customerMasterKeyID": arn(0), "region": "US_EAST_1",
            "valid": true}}),
    );
    answer(
        &format!("{group}/clusters?includeDeletedWithRetainedBackups=true&itemsPerPage=500"),
        "clusters.json",
        1,
        json!({"results": [{"id": format!("{project}-c"), "name": "c", "groupId": project,
            "clusterType": "REPLICASET", "stateName": "IDLE", "encryptionAtRestProvider": "AWS",
            "backupEnabled": true, "pitEnabled": false, "paused": false,
            "replicationSpecs": [{"regionConfigs": [{"providerName": "AWS"}]}]}]}),
    );
    answer(
        &format!("{group}/clusters/c/backup/schedule"),
        "schedule.json",
        1,
        json!({"clusterName": "c", "restoreWindowDays": 7, "policies": [], "copySettings": [],
            "extraRetentionSettings": []}),
    );
    let rows: Vec<Value> = (0..snapshots).map(|n| row(project, n)).collect();
    let mut cut: Vec<&[Value]> = rows.chunks(500).collect();
    if snapshots.is_multiple_of(500) {
        cut.push(&[]);
    }
    let passes = if cut.len() > 1 { 2 } else { 1 };
    for pass in 1..=passes {
        for (page, rows) in (1..).zip(&cut) {
            answer(
                &format!("{group}/clusters/c/backup/snapshots?pageNum={page}&itemsPerPage=500"),
                &format!("snapshots-{page}.json"),
                pass,
                json!({"results": rows}),
            );
        }
    }
    let manifest = json!({
        "format": "snapkey-bundle/1", "source": "atlas", "base_url": "https://cloud.mongodb.com",
        "scope": {"projects": [project]}, "identity": "kqfvmzbt", "requests": requests,
    });
    std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
}

fn row(project: &str, n: usize) -> Value {
    json!({
        "id": format!("{project}{n:08x}"), "type": "replicaSet", "status": "completed",
        "frequencyType": "daily", "createdAt": "2026-10-31T02:00:00Z",
        "expiresAt": format!("2027-{:02}-01T02:00:{:02}Z", 1 + n % 12, n % 60),
        "masterKeyUUID": arn(n % 40), "copyRegions": [],
    })
}

/// A key of the account `111122223333`.
pub(crate) fn arn(n: usize) -> String {
    format!("arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-{n:012x}")
}
