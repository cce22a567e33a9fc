//! Writes an estate of any size from a seed: a bundle of API pages and the key services' answers.
//! The same seed and size give the same bytes. Knows nothing of how snapkey reads them.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// When every page was answered.
pub(crate) const READ_AT: i64 = 1_768_442_400; // 2026-01-15T02:00:00Z
/// The instant that the verdicts are about: everything is fresh then.
pub(crate) const AS_OF: &str = "2026-01-15T02:30:00Z";
const PAGE: usize = 500;
const HOUR: i64 = 3_600;
/// Hours from one snapshot of a cluster to the one before.
const EVERY: i64 = 6;
const KEYS_PER_PROJECT: u64 = 5;
const SNAPSHOTS_PER_PROJECT: u64 = 500;

/// Where the estate was written.
pub(crate) struct Written {
    pub(crate) bundle: PathBuf,
    pub(crate) key_answers: PathBuf,
    /// One line per page with snapshots: cluster number, `+` or `-` (a second pass), path.
    pub(crate) pages: PathBuf,
    pub(crate) projects: u64,
    pub(crate) keys: u64,
    pub(crate) snapshots: u64,
    /// A key with some dependants.
    pub(crate) one_key: String,
}

/// `splitmix64` (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }
}

/// What a project's keys and clusters are like; all of it follows from the number.
struct Project {
    no: u64,
    id: String,
    /// One in so many of its snapshots is there.
    thinned: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Provider {
    Aws,
    Azure,
    Gcp,
    Off,
}

impl Project {
    fn new(no: u64, thinned: usize) -> Self {
        Self {
            no,
            id: format!("65f1a2b3c4d5e6f7{no:08x}"),
            thinned,
        }
    }

    const fn provider(&self) -> Provider {
        match self.no % 20 {
            0..=12 => Provider::Aws,
            13..=15 => Provider::Azure,
            16..=18 => Provider::Gcp,
            _ => Provider::Off,
        }
    }

    /// Oldest first; the last is the current one, the first encrypts nothing any more.
    fn key(&self, age: u64) -> String {
        let mut random = Random(self.no * KEYS_PER_PROJECT + age);
        let (one, two) = (random.next(), random.next());
        match self.provider() {
            Provider::Aws | Provider::Off => format!(
                "arn:aws:kms:us-east-1:111122223333:key/{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                one >> 32,
                one & 0xffff,
                (one >> 16) & 0xfff,
                two & 0xfff,
                two >> 16
            ),
            Provider::Azure => format!(
                "https://vault-{}.vault.azure.net/keys/backup-{age}/{one:016x}{two:016x}",
                self.no
            ),
            Provider::Gcp => format!(
                "projects/tenant-{}/locations/europe-west1/keyRings/atlas/cryptoKeys/backup/cryptoKeyVersions/{}",
                self.no,
                age + 1
            ),
        }
    }

    /// Clusters with the number of their snapshots: 500 a project on average, and now and then a
    /// list of several pages.
    fn clusters(&self) -> Vec<Cluster> {
        let (large, small) = if self.no.is_multiple_of(10) {
            (1_250, 150)
        } else {
            (320, 80)
        };
        let live = |name, snapshots, sharded| Cluster {
            name,
            snapshots: snapshots / self.thinned,
            sharded,
            deleted: false,
        };
        let mut clusters = vec![
            live("orders", large, false),
            live("ledger", small, self.no % 10 == 5),
        ];
        if self.no % 50 == 3 {
            clusters.push(Cluster {
                deleted: true,
                ..live("archive", 20, false)
            });
        }
        clusters
    }
}

struct Cluster {
    name: &'static str,
    snapshots: usize,
    sharded: bool,
    deleted: bool,
}

/// Writes the estate below `folder`: as many projects and keys as so many snapshots have, but only
/// one in `thinned` of the snapshots.
pub(crate) fn write(folder: &Path, snapshots: u64, thinned: usize) -> Result<Written> {
    let bundle = folder.join("bundle");
    fs::create_dir_all(bundle.join("pages"))?;
    let mut out = Bundle {
        random: Random(7),
        requests: String::new(),
        pages: String::new(),
        files: 0,
        clusters: 0,
        snapshots: 0,
        folder: bundle.clone(),
    };
    let projects = (snapshots / SNAPSHOTS_PER_PROJECT).max(1);
    let groups: Vec<String> = (0..projects)
        .map(|no| {
            let Project { id, .. } = Project::new(no, 1);
            format!(r#"{{"id":"{id}","name":"tenant-{no}","orgId":"65e0c4a19b3d7f2086a5be11","clusterCount":2}}"#)
        })
        .collect();
    out.list("groups", &groups, |_| None)?;
    for no in 0..projects {
        out.project(&Project::new(no, thinned))?;
    }
    fs::write(
        bundle.join("manifest.json"),
        format!(
            "{{\"format\":\"snapkey-bundle/1\",\"source\":\"atlas\",\"base_url\":\"https://cloud.mongodb.com\",\
             \"scope\":{{\"all_visible\":true}},\"identity\":\"abcdefgh\",\"requests\":[\n{}\n]}}\n",
            out.requests.trim_end_matches(",\n")
        ),
    )?;
    let pages = folder.join("pages.txt");
    fs::write(&pages, &out.pages)?;
    let key_answers = folder.join("keys.ndjson");
    fs::write(&key_answers, answers(projects))?;
    Ok(Written {
        bundle,
        key_answers,
        pages,
        projects,
        keys: projects * KEYS_PER_PROJECT,
        snapshots: out.snapshots,
        one_key: Project::new(projects / 2 / 20 * 20 + 1, 1).key(2),
    })
}

struct Bundle {
    random: Random,
    requests: String,
    pages: String,
    files: u64,
    clusters: u64,
    snapshots: u64,
    folder: PathBuf,
}

impl Bundle {
    /// One answer, and the request for it.
    fn answer(&mut self, path: &str, pass: u32, status: u16, body: &str) -> Result<String> {
        self.files += 1;
        let file = format!("pages/{:06}.json", self.files);
        let mut page = fs::File::create(self.folder.join(&file))
            .with_context(|| format!("cannot write `{file}`"))?;
        page.write_all(body.as_bytes())?;
        let at = time(READ_AT);
        let pass = if pass == 1 { "" } else { r#","pass":2"# };
        writeln!(
            self.requests,
            r#"{{"path":"/api/atlas/v2/{path}","accept":"application/vnd.atlas.2024-08-05+json","status":{status},"at":"{at}","local_at":"{at}","file":"{file}"{pass}}},"#
        )?;
        Ok(file)
    }

    /// A list in pages, read twice if it has several. `cluster` is the number of the cluster that
    /// the rows are snapshots of.
    fn list(
        &mut self,
        path: &str,
        rows: &[String],
        cluster: impl Fn(u64) -> Option<u64>,
    ) -> Result<()> {
        let count = rows.len() / PAGE + 1;
        for pass in 1..=if count > 1 { 2 } else { 1 } {
            for no in 0..count {
                let on_page = rows.iter().skip(no * PAGE).take(PAGE);
                let results: Vec<&str> = on_page.map(String::as_str).collect();
                let separator = if path.contains('?') { '&' } else { '?' };
                let query = format!("{path}{separator}pageNum={}&itemsPerPage={PAGE}", no + 1);
                let file = self.answer(&query, pass, 200, &page(&results, &query))?;
                if let Some(cluster) = cluster(self.clusters) {
                    let mark = if pass == 1 { '+' } else { '-' };
                    writeln!(self.pages, "{cluster} {mark} {file}")?;
                }
            }
        }
        Ok(())
    }

    fn project(&mut self, project: &Project) -> Result<()> {
        let of = format!("groups/{}", project.id);
        let settings = settings(project);
        self.answer(&format!("{of}/encryptionAtRest"), 1, 200, &settings)?;
        let clusters = project.clusters();
        let all: Vec<String> = clusters.iter().map(|c| cluster(project, c)).collect();
        let path = format!("{of}/clusters?includeDeletedWithRetainedBackups=true");
        self.list(&path, &all, |_| None)?;
        if clusters.iter().any(|c| c.deleted) {
            let live: Vec<String> = clusters
                .iter()
                .filter(|c| !c.deleted)
                .map(|c| cluster(project, c))
                .collect();
            self.list(&format!("{of}/clusters"), &live, |_| None)?;
        }
        self.list(&format!("{of}/events"), &events(project), |_| None)?;
        for cluster in &clusters {
            let path = format!("{of}/clusters/{}/backup", cluster.name);
            let rows = self.rows(project, cluster);
            self.snapshots += rows.len() as u64;
            if cluster.sharded {
                self.list(&format!("{path}/snapshots"), &[], |_| None)?;
                let path = format!("{path}/snapshots/shardedClusters");
                let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
                let file = self.answer(&path, 1, 200, &page(&rows, &path))?;
                writeln!(self.pages, "{} + {file}", self.clusters)?;
            } else {
                self.list(&format!("{path}/snapshots"), &rows, Some)?;
            }
            if cluster.deleted {
                let body = r#"{"detail":"No cluster.","error":404,"errorCode":"CLUSTER_NOT_FOUND","reason":"Not Found"}"#;
                self.answer(&format!("{path}/schedule"), 1, 404, body)?;
            } else {
                self.answer(
                    &format!("{path}/schedule"),
                    1,
                    200,
                    &schedule(project, cluster),
                )?;
            }
            self.clusters += 1;
        }
        Ok(())
    }

    /// Newest first, as the service lists them; the older ones are under the older keys.
    fn rows(&mut self, project: &Project, cluster: &Cluster) -> Vec<String> {
        (0..cluster.snapshots)
            .map(|no| {
                let created = READ_AT - (no as i64 + 1) * EVERY * HOUR;
                let age = KEYS_PER_PROJECT - 1 - (no as u64 * 4 / cluster.snapshots as u64);
                let (frequency, days) = match no % 28 {
                    0 => ("monthly", 400),
                    4 | 8 | 12 => ("weekly", 380),
                    1 | 5 | 9 => ("daily", 370),
                    _ => ("hourly", 360),
                };
                let status = match no {
                    0 if project.no % 25 == 6 => "inProgress",
                    _ if self.random.one_in(100) => "failed",
                    _ => "completed",
                };
                let key = match (project.provider(), status) {
                    (Provider::Off, _) | (_, "inProgress") => String::new(),
                    (Provider::Aws | Provider::Azure | Provider::Gcp, _) => {
                        format!(r#""masterKeyUUID":"{}","#, project.key(age))
                    }
                };
                let id = format!(
                    "{created:08x}{:016x}",
                    self.random.next()
                );
                let kind = if cluster.sharded { "shardedCluster" } else { "replicaSet" };
                format!(
                    r#"{{"id":"{id}","type":"{kind}","status":"{status}","snapshotType":"scheduled","frequencyType":"{frequency}","createdAt":"{}","expiresAt":"{}",{key}"cloudProvider":"AWS","replicaSetName":"atlas-{}-shard-0","copyRegions":[],"mongodVersion":"8.0.16","policyItems":["65f1a2b3c4d5e6f7089ad0{:02x}"],"storageSizeBytes":{},"links":[{{"href":"https://cloud.mongodb.com/api/atlas/v2/groups/{}/clusters/{}/backup/snapshots/{id}","rel":"self"}}]}}"#,
                    time(created),
                    time(created + days * 24 * HOUR),
                    cluster.name,
                    no % 28,
                    self.random.next() >> 28,
                    project.id,
                    cluster.name,
                )
            })
            .collect()
    }
}

fn page(rows: &[&str], path: &str) -> String {
    format!(
        r#"{{"links":[{{"href":"https://cloud.mongodb.com/api/atlas/v2/{path}","rel":"self"}}],"results":[{}],"totalCount":{}}}"#,
        rows.join(","),
        rows.len()
    )
}

fn settings(project: &Project) -> String {
    let current = project.key(KEYS_PER_PROJECT - 1);
    let off = r#"{"enabled":false}"#;
    let (aws, azure, gcp) = match project.provider() {
        Provider::Aws => (
            format!(
                r#"{{"enabled":true,"customerMasterKeyID":"{current}","region":"US_EAST_1","valid":true}}"#
            ),
            off.to_owned(),
            off.to_owned(),
        ),
        Provider::Azure => (
            off.to_owned(),
            format!(
                r#"{{"enabled":true,"keyIdentifier":"{current}","keyVaultName":"vault-{}","valid":true}}"#,
                project.no
            ),
            off.to_owned(),
        ),
        Provider::Gcp => (
            off.to_owned(),
            off.to_owned(),
            format!(r#"{{"enabled":true,"keyVersionResourceID":"{current}","valid":true}}"#),
        ),
        Provider::Off => (off.to_owned(), off.to_owned(), off.to_owned()),
    };
    format!(
        r#"{{"awsKms":{aws},"azureKeyVault":{azure},"googleCloudKms":{gcp},"enabledForSearchNodes":false}}"#
    )
}

fn cluster(project: &Project, cluster: &Cluster) -> String {
    let encryption = match project.provider() {
        Provider::Aws => "AWS",
        Provider::Azure => "AZURE",
        Provider::Gcp => "GCP",
        Provider::Off => "NONE",
    };
    let kind = if cluster.sharded {
        "SHARDED"
    } else {
        "REPLICASET"
    };
    let state = if cluster.deleted { "DELETING" } else { "IDLE" };
    format!(
        r#"{{"id":"6669{:08x}{:>012}","name":"{}","groupId":"{}","clusterType":"{kind}","stateName":"{state}","encryptionAtRestProvider":"{encryption}","backupEnabled":true,"pitEnabled":{},"paused":false,"replicationSpecs":[{{"regionConfigs":[{{"providerName":"AWS","regionName":"US_EAST_1","priority":7,"electableSpecs":{{"instanceSize":"M30","nodeCount":3}}}}]}}]}}"#,
        project.no,
        cluster.name.len(),
        cluster.name,
        project.id,
        !cluster.deleted && project.no.is_multiple_of(4),
    )
}

/// The rotations, newest first; they reach back before the first snapshot.
fn events(project: &Project) -> Vec<String> {
    let kind = match project.provider() {
        Provider::Aws => "AWS_ENCRYPTION_KEY_ROTATED",
        Provider::Azure => "AZURE_ENCRYPTION_KEY_ROTATED",
        Provider::Gcp => "GCP_ENCRYPTION_KEY_ROTATED",
        Provider::Off => return Vec::new(),
    };
    (1..=2)
        .map(|no| {
            let at = READ_AT - no * 80 * 24 * HOUR / 4;
            format!(
                r#"{{"id":"6ae0{:08x}{no:012x}","created":"{}","eventTypeName":"{kind}","groupId":"{}","isGlobalAdmin":false}}"#,
                project.no,
                time(at),
                project.id
            )
        })
        .collect()
}

fn schedule(project: &Project, cluster: &Cluster) -> String {
    let copies = if project.no % 8 == 1 {
        r#"{"cloudProvider":"AWS","regionName":"EU_WEST_1","frequencies":["DAILY"],"shouldCopyOplogs":false,"copyPolicyItems":[{"frequencyType":"daily","retentionUnit":"days","retentionValue":30}]}"#
    } else {
        ""
    };
    format!(
        r#"{{"clusterName":"{}","restoreWindowDays":7,"policies":[{{"id":"65f1a2b3c4d5e6f7089ad0ff","policyItems":[{{"frequencyType":"daily","frequencyInterval":1,"retentionUnit":"days","retentionValue":7}}]}}],"copySettings":[{copies}],"extraRetentionSettings":[]}}"#,
        cluster.name
    )
}

/// What the key services said: most keys are enabled, every condition occurs.
fn answers(projects: u64) -> String {
    let mut random = Random(11);
    let mut lines = String::new();
    for project in (0..projects).map(|no| Project::new(no, 1)) {
        for age in 0..KEYS_PER_PROJECT {
            let rest = match random.next() % 40 {
                0 => r#""condition":"disabled","native":"Disabled""#,
                1 => {
                    r#""condition":"pending-deletion","native":"PendingDeletion","deadline":"2026-02-01T00:00:00Z""#
                }
                2 => r#""condition":"destroyed","native":"DESTROYED","proof":"state DESTROYED""#,
                3 => r#""condition":"unknown","native":"AccessDenied","reason":"access-denied""#,
                _ => r#""condition":"enabled","native":"Enabled""#,
            };
            lines.push_str(&format!(
                "{{\"key\":\"{}\",{rest},\"at\":\"{}\",\"endpoint\":\"recorded\",\"identity\":\"snapkey-reader\"}}\n",
                project.key(age),
                time(READ_AT + 300)
            ));
        }
    }
    lines
}

/// One document of about `bytes` with the `links` after the rows, for a list of one cluster.
pub(crate) fn single_document(path: &Path, bytes: u64) -> Result<u64> {
    let mut out = std::io::BufWriter::new(fs::File::create(path)?);
    let project = Project::new(0, 1);
    let cluster = Cluster {
        name: "orders",
        snapshots: 10_000,
        sharded: false,
        deleted: false,
    };
    let mut source = Bundle {
        random: Random(13),
        requests: String::new(),
        pages: String::new(),
        files: 0,
        clusters: 0,
        snapshots: 0,
        folder: PathBuf::new(),
    };
    let (mut written, mut rows) = (0, 0);
    out.write_all(br#"{"results":["#)?;
    while written < bytes {
        for row in source.rows(&project, &cluster) {
            if rows > 0 {
                out.write_all(b",")?;
            }
            out.write_all(row.as_bytes())?;
            written += row.len() as u64 + 1;
            rows += 1;
        }
    }
    out.write_all(br#"],"totalCount":0,"links":[{"href":"https://cloud.mongodb.com/api/atlas/v2/groups","rel":"self"}]}"#)?;
    out.into_inner()?.sync_all()?;
    Ok(rows)
}

pub(crate) fn time(unix: i64) -> String {
    (DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(unix))
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}
