//! How long `snapkey collect atlas` takes to read many projects from a service that takes its
//! time, and how much memory: it should grow with neither projects nor snapshots.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::measure::{Run, run};
use crate::service::{Answer, Asked, Request, one_call, serve};

/// Requests that `snapkey collect` has under way at the same time, unless told otherwise.
const IN_FLIGHT: u32 = 8;
const LATENCY: Duration = Duration::from_millis(20);
pub(crate) const PROJECTS: usize = 500;
/// With which memory is compared.
pub(crate) const FEWER: usize = 100;
const CLUSTERS: usize = 4;
/// Of each cluster.
const SNAPSHOTS: usize = 40;
/// Lists and objects of a project, and of each of its clusters.
const LEAST_REQUESTS: usize = 5 + 3 * CLUSTERS;

/// One collection.
pub(crate) struct Collected {
    pub(crate) asked: Asked,
    pub(crate) run: Run,
    pub(crate) requests: u32,
}

pub(crate) fn collect(
    folder: &Path,
    snapkey: &dyn Fn(&[&str]) -> Command,
    projects: usize,
) -> Result<Collected> {
    let requests = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&requests);
    let service = serve(LATENCY, move |request| {
        counted.fetch_add(1, Ordering::Relaxed);
        answer(request, projects)
    })?;
    let folder = tempfile::tempdir_in(folder)?;
    let mut collect = snapkey(&["collect", "-q", "atlas"]);
    collect
        .arg("--out")
        .arg(folder.path().join("bundle"))
        .current_dir(folder.path())
        .env("MONGODB_ATLAS_BASE_URL", format!("http://{service}"))
        .env("MONGODB_ATLAS_CLIENT_ID", "mdb_sa_id_bench")
        .env("MONGODB_ATLAS_CLIENT_SECRET", "none");
    // Any other code says that a list was not read whole.
    let run = run(&mut collect, &[0])?;
    let requests = requests.load(Ordering::Relaxed);
    ensure!(
        requests as usize >= projects * LEAST_REQUESTS,
        "{projects} projects were read with {requests} requests"
    );
    let least = one_call(service, "GET /one HTTP/1.1", "")? * requests / IN_FLIGHT;
    Ok(Collected {
        asked: Asked {
            took: run.took,
            least,
        },
        run,
        requests,
    })
}

fn answer(request: &Request, projects: usize) -> Answer {
    let target = request.line.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let body = match words.as_slice() {
        ["api", "oauth", _] => {
            r#"{"access_token":"bench","token_type":"Bearer","expires_in":3600}"#.to_owned()
        }
        ["api", "atlas", "v2", "groups"] => {
            let page = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("pageNum="))
                .and_then(|page| page.parse().ok())
                .unwrap_or(1_usize);
            let numbers = (page - 1) * 500..(page * 500).min(projects);
            page_of(numbers.map(|no| format!(r#"{{"id":"{}","name":"p{no}"}}"#, id(1, no))))
        }
        ["api", "atlas", "v2", "groups", project, rest @ ..] => of_project(project, rest),
        _ => "{}".to_owned(),
    };
    (200, "application/json", body)
}

fn of_project(project: &str, rest: &[&str]) -> String {
    let key = |no: usize| {
        format!(
            "arn:aws:kms:us-east-1:111122223333:key/{}",
            uuid(project, no)
        )
    };
    match rest {
        ["encryptionAtRest"] => format!(
            r#"{{"awsKms":{{"enabled":true,"customerMasterKeyID":"{}","region":"US_EAST_1","valid":true}},"azureKeyVault":{{"enabled":false}},"googleCloudKms":{{"enabled":false}}}}"#,
            key(0)
        ),
        ["clusters"] => page_of((0..CLUSTERS).map(|no| {
            format!(
                r#"{{"id":"{}","name":"cluster-{no}","clusterType":"REPLICASET","stateName":"IDLE","backupEnabled":true,"pitEnabled":true,"encryptionAtRestProvider":"AWS","replicationSpecs":[{{"regionConfigs":[{{"providerName":"AWS","regionName":"US_EAST_1","electableSpecs":{{"instanceSize":"M30"}}}}]}}]}}"#,
                id(2, no)
            )
        })),
        ["clusters", cluster, "backup", "snapshots"] => page_of((0..SNAPSHOTS).map(|no| {
            format!(
                r#"{{"id":"{}","type":"replicaSet","status":"completed","snapshotType":"scheduled","frequencyType":"daily","cloudProvider":"AWS","createdAt":"2026-01-{:02}T02:00:00Z","expiresAt":"2036-01-01T02:00:00Z","masterKeyUUID":"{}","mongodVersion":"8.0.16","policyItems":["{}"],"replicaSetName":"{cluster}","storageSizeBytes":4294967296,"copyRegions":[],"links":[]}}"#,
                id(3, no),
                1 + no % 28,
                key(no / 20),
                id(4, 1)
            )
        })),
        ["clusters", cluster, "backup", "schedule"] => format!(
            r#"{{"clusterName":"{cluster}","restoreWindowDays":7,"policies":[],"copySettings":[],"links":[]}}"#
        ),
        ["clusters", _, "backup", "restoreJobs"] | ["events"] => page_of([]),
        _ => "{}".to_owned(),
    }
}

fn page_of(rows: impl IntoIterator<Item = String>) -> String {
    let mut page = r#"{"links":[],"results":["#.to_owned();
    for (no, row) in rows.into_iter().enumerate() {
        let _infallible = write!(page, "{}{row}", if no == 0 { "" } else { "," });
    }
    page.push_str("]}");
    page
}

fn id(kind: usize, no: usize) -> String {
    format!("66aa{kind:04x}{no:016x}")
}

fn uuid(project: &str, no: usize) -> String {
    let last = project.get(12..).unwrap_or_default();
    format!("{no:08x}-0000-4000-8000-{last:0>12}")
}
