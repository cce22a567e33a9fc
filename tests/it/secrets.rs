//! Secrets planted in everything that is read: none of them gets into the store's bytes, the
//! log at its most talkative, or any output.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::support::cmd::{Place, Ran, ran};
use crate::support::evidence::{CHECK_AS_OF, Copied, HELD, SAFE};

/// Twenty secrets, each with its place; what they have in common is searched for.
const MARK: &str = "hunter2";

/// The next secret of a place, and how many there are.
struct Secrets(u32);

impl Secrets {
    fn next(&mut self) -> String {
        self.0 += 1;
        format!("{MARK}-{:02}-kY9+/Zq==", self.0)
    }
}

/// `fixtures/check` with secrets wherever the API or a careless hand leaves them.
fn planted() -> (Copied, u32) {
    let copy = Copied::of("check");
    let mut secrets = Secrets(0);
    let s = &mut secrets;
    copy.edit("bundle/pages/orders-settings.json", |page| {
        page["awsKms"]["accessKeyID"] = s.next().into();
        page["awsKms"]["secretAccessKey"] = s.next().into();
        page["azureKeyVault"]["secret"] = s.next().into();
        page["azureKeyVault"]["tenantID"] = s.next().into();
        let account = format!("{{\"private_key\": \"-----BEGIN {}\"}}", s.next());
        page["googleCloudKms"]["serviceAccountKey"] = account.into();
    });
    copy.edit("bundle/pages/orders-clusters.json", |page| {
        let uri = format!("mongodb+srv://admin:{}@orders-prod.example.net", s.next());
        page["results"][0]["connectionStrings"] = json!({"standardSrv": uri});
        page["results"][0]["labels"] = json!([{"key": "token", "value": s.next()}]);
    });
    copy.edit("bundle/pages/orders-orders-prod-snapshots.json", |page| {
        page["results"][0]["description"] = s.next().into();
        page["results"][0]["deliveryUrl"] = format!("https://x/?token={}", s.next()).into();
        let link = format!("https://cloud.mongodb.com/?session={}", s.next());
        page["links"]
            .as_array_mut()
            .unwrap()
            .push(json!({"rel": "next", "href": link}));
    });
    copy.edit("bundle/pages/groups.json", |page| {
        page["results"][0]["apiKey"] = json!({"privateKey": s.next()});
    });
    let jobs = json!({"results": [{
        "id": "6ae6961802fdc1183679b001", "deliveryType": "download",
        "snapshotId": "6ac304a0aeea7060af6d7b23", "finishedAt": "2026-10-30T00:00:00Z",
        "deliveryUrl": [format!("https://restore.example/{}.tgz", s.next())],
    }]});
    copy.write("bundle/pages/jobs.json", jobs.to_string());
    copy.edit("bundle/manifest.json", |manifest| {
        manifest["private_key"] = s.next().into();
        manifest["requests"][0]["headers"] = json!({"Authorization": format!("Bearer {}", s.next())});
        manifest["requests"].as_array_mut().unwrap().push(json!({
            "path": format!(
                "/api/atlas/v2/groups/65f0b1c2d3e4a5968778a001/clusters/orders-prod/backup/restoreJobs\
                 ?itemsPerPage=500&access_token={}", s.next()),
            "accept": "application/vnd.atlas.2023-01-01+json", "status": 200,
            "at": "2026-11-01T02:35:55Z", "local_at": "2026-11-01T02:35:55Z",
            "file": "pages/jobs.json",
        }));
        manifest["requests"].as_array_mut().unwrap().push(json!({
            "path": "/api/atlas/v2/groups/65f0b1c2d3e4a5968778a001/backupCompliancePolicy",
            "status": 401, "at": "2026-11-01T02:35:56Z", "file": "pages/error.json",
        }));
    });
    let error = json!({"error": 401, "errorCode": "UNAUTHORIZED", "detail": s.next()});
    copy.write("bundle/pages/error.json", error.to_string());
    // Loose: a recorded message with its head, a damaged line, and unknown columns.
    let mut body = json!({"KeyMetadata": {"AWSAccountId": "111122223333", "Arn": HELD,
        "KeyId": "4a9d2c61-0f38-4b7e-9c15-d27e80b6f341", "KeyState": "Enabled", "Enabled": true,
        "KeyUsage": "ENCRYPT_DECRYPT", "KeyManager": "CUSTOMER", "Origin": "AWS_KMS"}});
    body["Plaintext"] = s.next().into();
    copy.write("describe.json", body.to_string());
    let message = format!(
        "HTTP/1.1 200 OK\r\nSet-Cookie: session={}\r\nContent-Type: application/json\r\n\r\n{}",
        s.next(),
        json!({"results": []})
    );
    copy.write("recorded.json", message);
    let damaged = format!(
        "{{\"key\": \"{HELD}\", \"condition\": \"enabled\", \"at\": \"2026-11-01T02:40:00Z\", \
         \"endpoint\": \"https://user:{}@kms.example.net/?sig={}\", \"password\": \"{}\"}}\n{{\"kind\": \"snapshot\", \"id\": 7, \"password\": \"{}",
        s.next(),
        s.next(),
        s.next(),
        s.next()
    );
    copy.write("damaged.ndjson", damaged);
    (copy, secrets.0)
}

fn assert_clean(what: &str, bytes: &[u8]) {
    let found = bytes
        .windows(MARK.len())
        .position(|window| window == MARK.as_bytes());
    if let Some(at) = found {
        let around = &bytes[at.saturating_sub(120)..(at + 40).min(bytes.len())];
        panic!("{what}: …{}…", String::from_utf8_lossy(around));
    }
}

/// Runs with a secret in the environment as well.
fn run(place: &Place, words: &[&str]) -> Ran {
    let mut command = place.command();
    command
        .args(["-vvv"])
        .args(words)
        .env("AWS_ACCESS_KEY_ID", format!("{MARK}-id"))
        .env("AWS_SECRET_ACCESS_KEY", format!("{MARK}-env"))
        .env("MONGODB_ATLAS_PRIVATE_API_KEY", format!("{MARK}-env"))
        .env("RUST_LOG", "trace");
    let ran = ran(command.output().unwrap());
    assert_clean(&format!("stdout of {words:?}"), ran.stdout.as_bytes());
    assert_clean(&format!("stderr of {words:?}"), ran.stderr.as_bytes());
    ran
}

#[test]
fn no_planted_secret_is_kept_logged_or_printed() {
    let (copy, planted) = planted();
    assert!(planted >= 20, "{planted} secrets");
    let place = &copy.place;
    // A reader keeps the log from being emptied, so that its bytes can be searched as well.
    let first = run(
        place,
        &[
            "ingest",
            copy.arg(),
            "--observed-at",
            "2026-11-01T02:36:00Z",
        ],
    );
    assert_eq!(first.code, 3, "{}{}", first.stdout, first.stderr);
    let store = place.path().join("snapkey.db");
    let reader = Connection::open_with_flags(&store, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let kept: i64 = reader
        .query_row("SELECT count(*) FROM snapshot", [], |row| row.get(0))
        .unwrap();
    assert!(kept >= 4, "{kept}");
    copy.edit("bundle/manifest.json", |manifest| {
        for request in manifest["requests"].as_array_mut().unwrap() {
            request["at"] = request["at"]
                .as_str()
                .unwrap()
                .replace("02:35", "02:36")
                .into();
            request.as_object_mut().unwrap().remove("local_at");
        }
    });
    for format in ["table", "json"] {
        run(
            place,
            &[
                "--format",
                format,
                "ingest",
                copy.arg(),
                "--observed-at",
                "2026-11-01T02:37:00Z",
            ],
        );
    }
    let mut searched = 0;
    for entry in std::fs::read_dir(place.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert_clean(&path.display().to_string(), &bytes);
            searched += usize::from(!bytes.is_empty());
        }
    }
    assert!(searched >= 3, "only {searched} of db, wal and shm");
    assert!(log_of(&store) > 0);
    for format in ["table", "json", "csv"] {
        for words in [
            &["audit"][..],
            &["snapshots"],
            &["keys"],
            &["projects"],
            &["check", HELD],
            &["check", SAFE],
            &["check", SAFE, "--for", "rotate", "--to", HELD],
            &["download", "list"],
        ] {
            let ran = run(
                place,
                &[&["--as-of", CHECK_AS_OF, "--format", format][..], words].concat(),
            );
            assert!(!ran.stdout.is_empty(), "{words:?}: {}", ran.stderr);
        }
    }
    drop(reader);
}

fn log_of(store: &Path) -> u64 {
    std::fs::metadata(store.with_file_name("snapkey.db-wal")).map_or(0, |log| log.len())
}

/// What is refused is told without what it holds; only what stands where a time or a word of
/// the contract belongs is quoted.
#[test]
fn an_error_names_a_file_and_not_what_is_in_it() {
    let secret = format!("{MARK}-in-an-error");
    let row = |member: &str, value: Value| {
        let mut row = json!({"id": "6ae54ba06a6323f345c60001", "status": "completed",
            "type": "replicaSet", "createdAt": "2026-10-31T02:00:00Z"});
        row[member] = value;
        json!({"results": [row]}).to_string()
    };
    let place = Place::new();
    place.write("page.json", &json!({"results": []}).to_string());
    let url = format!("https://user:{secret}@cloud.mongodb.com");
    let ran = run(&place, &["ingest", "page.json", "--base-url", &url]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let files = [
        ("cut.json", format!("{{\"secretAccessKey\": \"{secret}")),
        ("scalar.json", format!("\"{secret}\"")),
        ("text.json", format!("password={secret}")),
        (
            "error.json",
            json!({"error": 401, "errorCode": "X", "detail": secret}).to_string(),
        ),
        ("flag.json", row("doNotDelete", secret.as_str().into())),
        ("list.json", row("members", secret.as_str().into())),
        ("links.json", row("links", secret.as_str().into())),
        ("csv.csv", format!("password,token\n{secret},{secret}\n")),
        (
            "bundle/manifest.json",
            json!({"format": "snapkey-bundle/1", "source": "atlas",
            "base_url": format!("https://user:{secret}@cloud.mongodb.com"),
            "scope": {"all_visible": true}, "requests": []})
            .to_string(),
        ),
        (
            "other/manifest.json",
            json!({"format": "snapkey-bundle/1", "source": "atlas",
            "base_url": format!("ftp://user:{secret}@cloud.mongodb.com/?k={secret}"),
            "scope": {"all_visible": true}, "requests": []})
            .to_string(),
        ),
    ];
    for (name, text) in files {
        let place = Place::new();
        place.write(name, &text);
        let path = name.strip_suffix("/manifest.json").unwrap_or(name);
        for format in ["table", "json"] {
            let ran = run(
                &place,
                &[
                    "--format",
                    format,
                    "ingest",
                    path,
                    "--project",
                    "p",
                    "--cluster",
                    "c",
                ],
            );
            assert!(
                [2, 3].contains(&ran.code),
                "{name}: {}{}",
                ran.stdout,
                ran.stderr
            );
        }
    }
}
