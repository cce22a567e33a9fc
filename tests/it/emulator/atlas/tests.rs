//! The emulator itself, asked by plain clients: a wrong emulator would prove anything.

mod logins;

use std::time::Duration;

use diqwest::{DigestAuthSession, WithDigestAuth};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::estate::{Cluster, Estate, Form, Project, snapshot};
use super::{API_KEY, Atlas, Fault, MARK, SERVICE_ACCOUNT};

const V1: &str = "application/vnd.atlas.2023-01-01+json";
const CLUSTERS: &str = "application/vnd.atlas.2024-08-05+json";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/3f0c7a58-9d21-4e6b-8c47-5b1e0d92a6f4";

/// Project 1 with a replica set, a sharded cluster, a flex one and a deleted one.
fn estate() -> Estate {
    let made = |number| {
        snapshot(
            number,
            "2026-10-30T01:00:00Z",
            "2026-11-06T01:00:00Z",
            Some(KEY),
        )
    };
    let mut gone = Cluster::new(4, "gone", Form::ReplicaSet).with(made(4));
    gone.deleted = true;
    gone.schedule = None;
    let mut project = Project::new(1, "orders")
        .with_aws_key(KEY)
        .with(Cluster::new(1, "main", Form::ReplicaSet).with(made(1)))
        .with(Cluster::new(2, "wide", Form::Sharded).with(made(2)))
        .with(Cluster::new(3, "small", Form::Flex).with(made(3)))
        .with(gone);
    project.cluster_mut("main").jobs = vec![json!({"id": "66aa0000000000000000f001"})];
    project.events = vec![
        json!({"created": "2026-10-01T00:00:00Z", "eventTypeName": "AWS_ENCRYPTION_KEY_ROTATED"}),
        json!({"created": "2026-10-20T00:00:00Z", "eventTypeName": "AWS_ENCRYPTION_KEY_ROTATED"}),
        json!({"created": "2026-10-21T00:00:00Z", "eventTypeName": "CLUSTER_CREATED"}),
    ];
    let mut other = Project::new(2, "billing");
    other.org = "66aa00000000000000000002".to_owned();
    Estate {
        projects: vec![project, other],
    }
}

/// A client on a runtime of its own, which digests what it is told.
struct Visitor {
    runtime: tokio::runtime::Runtime,
    client: Client,
    session: DigestAuthSession,
    base: String,
}

impl Visitor {
    fn new(atlas: &Atlas) -> Self {
        let (public, private) = API_KEY;
        Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            client: Client::builder()
                .timeout(Duration::from_secs(10))
                .no_proxy()
                .build()
                .unwrap(),
            session: DigestAuthSession::new(public, private),
            base: atlas.url(),
        }
    }

    /// The path without its prefix, digested.
    fn get(&self, path: &str, accept: &str) -> (u16, Value) {
        let url = format!("{}/api/atlas/v2/{path}", self.base);
        let request = self.client.get(url).header("accept", accept);
        let response = self
            .runtime
            .block_on(request.send_digest_auth(&self.session))
            .unwrap();
        self.read(response)
    }

    fn group(&self, path: &str, accept: &str) -> (u16, Value) {
        self.get(&format!("groups/66aa00010000000000000001{path}"), accept)
    }

    fn read(&self, response: Response) -> (u16, Value) {
        let status = response.status().as_u16();
        let body = self.runtime.block_on(response.bytes()).unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn send(&self, request: RequestBuilder) -> Result<Response, reqwest::Error> {
        self.runtime.block_on(async { request.send().await })
    }

    fn oauth(&self, path: &str, secret: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self
            .client
            .post(format!("{}/api/oauth/{path}", self.base))
            .basic_auth(SERVICE_ACCOUNT.0, Some(secret))
            .form(form);
        let response = self.send(request).unwrap();
        self.read(response)
    }

    fn token(&self) -> String {
        let form = [("grant_type", "client_credentials")];
        let (status, body) = self.oauth("token", SERVICE_ACCOUNT.1, &form);
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    fn borne(&self, token: &str) -> u16 {
        let request = self
            .client
            .get(format!("{}/api/atlas/v2/groups", self.base))
            .bearer_auth(token)
            .header("accept", V1);
        self.send(request).unwrap().status().as_u16()
    }
}

fn ids(page: &Value) -> Vec<&str> {
    let rows = page["results"].as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap()).collect()
}

fn names(page: &Value) -> Vec<&str> {
    let rows = page["results"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn every_path_wants_its_version() {
    let atlas = Atlas::start(estate());
    let visitor = Visitor::new(&atlas);
    let cluster = "/clusters/main";
    let table = [
        (String::new(), "2023-01-01", None),
        ("/encryptionAtRest".to_owned(), "2023-01-01", None),
        ("/clusters".to_owned(), "2024-08-05", Some("2023-02-01")),
        (cluster.to_owned(), "2024-08-05", Some("2023-01-01")),
        (format!("{cluster}/backup/snapshots"), "2023-01-01", None),
        (
            "/clusters/wide/backup/snapshots/shardedClusters".to_owned(),
            "2023-01-01",
            None,
        ),
        (
            format!("{cluster}/backup/schedule"),
            "2024-08-05",
            Some("2023-01-01"),
        ),
        (format!("{cluster}/backup/restoreJobs"), "2023-01-01", None),
        (
            "/backupCompliancePolicy".to_owned(),
            "2023-10-01",
            Some("2023-01-01"),
        ),
        ("/events".to_owned(), "2023-01-01", None),
        ("/flexClusters".to_owned(), "2024-11-13", None),
        (
            "/flexClusters/small/backup/snapshots".to_owned(),
            "2024-11-13",
            None,
        ),
        ("/serverless".to_owned(), "2023-01-01", None),
    ];
    for (path, version, older) in table {
        let status = |accept: &str| visitor.group(&path, accept).0;
        assert_eq!(
            status(&format!("application/vnd.atlas.{version}+json")),
            200,
            "{path}"
        );
        assert_eq!(status("application/json"), 406, "{path}");
        assert_eq!(status("*/*"), 406, "{path}");
        assert_eq!(
            status("application/vnd.atlas.2025-03-12+json"),
            406,
            "{path}"
        );
        if let Some(older) = older {
            let older = format!("application/vnd.atlas.{older}+json");
            assert_eq!(status(&older), 410, "{path}");
        }
    }
    assert_eq!(visitor.get("orgs", V1).0, 200);
    assert_eq!(visitor.get("nowhere", V1).0, 404);
    let (_, body) = visitor.get("groups/66aa00010000000000000009/clusters", CLUSTERS);
    assert_eq!(body["errorCode"], "GROUP_NOT_FOUND");
    let (_, body) = visitor.group("/clusters/none/backup/snapshots", V1);
    assert_eq!(body["errorCode"], "CLUSTER_NOT_FOUND");
}

#[test]
fn lists_come_in_pages_as_asked() {
    let atlas = Atlas::start(estate());
    let visitor = Visitor::new(&atlas);
    atlas.change(|estate| {
        let main = estate.projects[0].cluster_mut("main");
        main.snapshots = (0..101)
            .map(|n| snapshot(n, "2026-10-30T01:00:00Z", "2026-11-06T01:00:00Z", None))
            .collect();
    });
    let list = "/clusters/main/backup/snapshots";
    let rels = |page: &Value| {
        let links = page["links"].as_array().unwrap().iter();
        let rels: Vec<String> = links
            .map(|l| l["rel"].as_str().unwrap().to_owned())
            .collect();
        rels.join(" ")
    };
    for (query, rows, total, told) in [
        ("", 100, 101, "self next"),
        ("?pageNum=2", 1, 101, "self previous"),
        ("?itemsPerPage=500&pageNum=1", 101, 101, "self"),
        ("?itemsPerPage=50&pageNum=4", 0, 101, "self previous"),
        ("?includeCount=false", 100, 0, "self"),
    ] {
        let (status, page) = visitor.group(&format!("{list}{query}"), V1);
        assert_eq!(status, 200, "{query}");
        assert_eq!(ids(&page).len(), rows, "{query}");
        assert_eq!(page["totalCount"], total, "{query}");
        assert_eq!(rels(&page), told, "{query}");
    }
    for query in [
        "?itemsPerPage=0",
        "?itemsPerPage=501",
        "?pageNum=0",
        "?pageNum=x",
        "?status=completed",
    ] {
        assert_eq!(
            visitor.group(&format!("{list}{query}"), V1).0,
            400,
            "{query}"
        );
    }
    atlas.world().quirks.uncounted = true;
    atlas.world().quirks.host = "http://elsewhere.example:8080".to_owned();
    let (_, page) = visitor.group(list, V1);
    assert_eq!((ids(&page).len(), &page["totalCount"]), (100, &json!(0)));
    assert_eq!(rels(&page), "self");
    let href = page["links"][0]["href"].as_str().unwrap();
    assert!(
        href.starts_with("http://elsewhere.example:8080/api"),
        "{href}"
    );
}

#[test]
fn each_list_shows_what_belongs_on_it() {
    let atlas = Atlas::start(estate());
    let visitor = Visitor::new(&atlas);
    let clusters = |query: &str| visitor.group(&format!("/clusters{query}"), CLUSTERS).1;
    assert_eq!(names(&clusters("")), ["main", "wide"]);
    let with_deleted = clusters("?includeDeletedWithRetainedBackups=true");
    assert_eq!(names(&with_deleted), ["main", "wide", "gone"]);
    let flex = visitor
        .group("/flexClusters", "application/vnd.atlas.2024-11-13+json")
        .1;
    assert_eq!(names(&flex), ["small"]);

    let (_, orgs) = visitor.get("orgs/66aa00000000000000000002/groups", V1);
    assert_eq!(names(&orgs), ["billing"]);
    assert_eq!(names(&visitor.get("groups", V1).1), ["orders", "billing"]);

    let (_, rows) = visitor.group("/clusters/wide/backup/snapshots", V1);
    assert_eq!(rows["results"][0]["type"], "shardedCluster");
    assert_eq!(rows["results"][0]["members"], Value::Null);
    let (_, rows) = visitor.group("/clusters/wide/backup/snapshots/shardedClusters", V1);
    assert_eq!(rows["results"][0]["members"].as_array().unwrap().len(), 2);
    let (_, rows) = visitor.group("/clusters/main/backup/snapshots", V1);
    assert_eq!(rows["results"][0]["masterKeyUUID"], KEY);

    // Deleted, its backups kept: they are there, the rest is not.
    assert_eq!(visitor.group("/clusters/gone/backup/snapshots", V1).0, 200);
    assert_eq!(
        visitor.group("/clusters/gone/backup/schedule", CLUSTERS).0,
        404
    );
    assert_eq!(visitor.group("/clusters/gone", CLUSTERS).0, 404);
    let (_, body) = visitor.group("/clusters/small/backup/snapshots", V1);
    assert_eq!(body["errorCode"], "CANNOT_USE_FLEX_CLUSTER_IN_CLUSTER_API");

    let events = |query: &str| visitor.group(&format!("/events{query}"), V1).1;
    assert_eq!(ids(&events("")).len(), 3);
    let rotated = "?eventType=AWS_ENCRYPTION_KEY_ROTATED&eventType=OTHER";
    assert_eq!(
        events(rotated)["results"][0]["created"],
        "2026-10-20T00:00:00Z"
    );
    assert_eq!(ids(&events(rotated)).len(), 2);
    let since = format!("{rotated}&minDate=2026-10-02T00%3A00%3A00Z");
    assert_eq!(ids(&events(&since)).len(), 1);
    let log = atlas.log();
    let last = log.last().unwrap();
    assert!(last.target.contains("minDate"), "{last:?}");
    assert!(!last.name().contains("minDate"), "{last:?}");
}

#[test]
fn faults_befall_the_requests_they_are_meant_for() {
    let atlas = Atlas::start(estate());
    let visitor = Visitor::new(&atlas);
    let token = visitor.token();
    let name = "GET /api/atlas/v2/groups?";
    let ask = || {
        let request = visitor
            .client
            .get(format!("{}/api/atlas/v2/groups", visitor.base))
            .timeout(Duration::from_millis(500))
            .bearer_auth(&token)
            .header("accept", V1);
        let response = visitor.send(request)?;
        let status = response.status().as_u16();
        let wait = response.headers().get("retry-after").is_some();
        let body = visitor.runtime.block_on(response.text())?;
        Ok::<_, reqwest::Error>((status, wait, body))
    };
    let told = |fault: Fault| {
        atlas.calm();
        atlas.fail(name, 1, 1, fault);
        assert_eq!(ask().unwrap().0, 200, "skipped");
        let befallen = ask();
        assert_eq!(ask().unwrap().0, 200, "over");
        befallen
    };
    let timed_out = told(Fault::Silence).unwrap_err();
    assert!(timed_out.is_timeout(), "{timed_out:?}");
    assert!(!told(Fault::Reset).unwrap_err().is_timeout());
    assert!(!told(Fault::Cut).unwrap_err().is_timeout());
    assert_eq!(told(Fault::Status(500, "UNEXPECTED_ERROR")).unwrap().0, 500);
    let waits = |wait| told(Fault::TooMany(wait)).unwrap();
    assert_eq!((waits(Some(1)).0, waits(Some(1)).1), (429, true));
    assert_eq!((waits(None).0, waits(None).1), (429, false));
    assert_eq!(told(Fault::Body("<html>")).unwrap().2, "<html>");
    atlas.fail("GET /api/atlas/v2/orgs?", 0, 1, Fault::Silence);
    assert_eq!(ask().unwrap().0, 200, "not its name");
}

#[test]
fn the_estate_changes_while_it_is_read() {
    let atlas = Atlas::start(estate());
    let visitor = Visitor::new(&atlas);
    atlas.before("/backup/snapshots", 2, |estate| {
        estate.projects[0].cluster_mut("main").snapshots.clear();
    });
    let list = || {
        let (_, page) = visitor.group("/clusters/main/backup/snapshots", V1);
        ids(&page).len()
    };
    assert_eq!([list(), list(), list()], [1, 0, 0]);
    atlas.wait_for("/backup/snapshots");
}

#[test]
fn dates_counts_and_secrets_are_shown_as_switched() {
    let atlas = Atlas::start(estate());
    let visitor = Visitor::new(&atlas);
    {
        let mut world = atlas.world();
        world.quirks.secrets = true;
        world.quirks.deprecated = true;
        world.quirks.rate_left = Some(0);
        world.quirks.clock = chrono::TimeDelta::days(400);
        world.latency = Duration::from_millis(1);
    }
    let token = visitor.token();
    let ask = |path: &str| {
        let project = "/api/atlas/v2/groups/66aa00010000000000000001";
        let request = visitor
            .client
            .get(format!("{}{project}{path}", visitor.base))
            .bearer_auth(&token)
            .header("accept", V1);
        visitor.send(request).unwrap()
    };
    let response = ask("/encryptionAtRest");
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let date = chrono::DateTime::parse_from_rfc2822(&header("date")).unwrap();
    let ahead = date.to_utc() - super::now();
    assert!((399..=400).contains(&ahead.num_days()), "{ahead}");
    assert_eq!(header("ratelimit-remaining"), "0");
    assert!(header("sunset").contains("2027"));
    let secrets = |body: &Value| body.to_string().matches(MARK).count();
    assert_eq!(secrets(&visitor.read(response).1), 5);
    let jobs = ask("/clusters/main/backup/restoreJobs");
    assert_eq!(secrets(&visitor.read(jobs).1), 2);

    // Never a write.
    let url = format!("{}/api/atlas/v2/groups", visitor.base);
    let status = visitor.send(visitor.client.post(url)).unwrap().status();
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(atlas.log().last().unwrap().method, "POST");
}
