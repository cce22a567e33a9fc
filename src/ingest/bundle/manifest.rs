//! `manifest.json` of a bundle: which root was asked, and what came back for each request.
//! Answers themselves are read elsewhere.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::ingest::MAX_SKEW;
use crate::ingest::files::{self, digest};
use crate::ingest::kind::Kind;
use crate::ingest::node::{Fields, Node};
use crate::ingest::path::{self, Request};
use crate::ingest::report::quoted;
use crate::ingest::split::{Item, Row, Splitter};
use crate::model::Timestamp;
use crate::model::reading::{RootId, Scope, Source};

/// File name of a bundle's manifest.
pub(in crate::ingest) const MANIFEST: &str = "manifest.json";
/// The only bundle format that is read.
const FORMAT: &str = "snapkey-bundle/1";
/// Cluster lists of an older API version leave asymmetric and deleted clusters out.
const CLUSTERS_SINCE: &str = "2024-08-05";

pub(super) struct Manifest {
    pub(super) root: Arc<RootId>,
    /// Public id of the credential.
    pub(super) identity: Option<Arc<str>>,
    /// Its collector was stopped before the end.
    pub(super) unfinished: bool,
    /// Digest of the manifest: the same for the same bundle.
    pub(super) run: Arc<str>,
    pub(super) entries: Vec<Entry>,
    /// Entries that could not be read: index and reason.
    pub(super) rejects: Vec<(usize, String)>,
    /// Requests for what snapkey does not need.
    pub(super) unneeded: u64,
}

/// One request and what the collector noted of its answer.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Position in `requests`.
    pub(super) index: usize,
    pub(super) request: Request,
    /// Asked with an API version that hides rows.
    pub(super) old_version: bool,
    /// `None`: nothing came back.
    pub(super) status: Option<u16>,
    /// When it was answered, held at `now`; without an answer, when it was asked.
    pub(super) at: Option<Timestamp>,
    pub(super) skewed: bool,
    pub(super) file: Option<String>,
    pub(super) second_pass: bool,
    /// Something about the entry could not be read: its answer does not count.
    pub(super) void: bool,
}

/// Why a manifest is none that can be read.
pub(super) enum ManifestError {
    /// Meant for another reader: the command is refused.
    Refused(String),
    /// No manifest at all.
    Unusable(String),
}

/// Hashes what is read through it.
struct Hashed<R> {
    input: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        self.hash.update(&into[..count]);
        Ok(count)
    }
}

/// Reads the manifest of the bundle in `dir`.
pub(super) fn read(dir: &Path, now: Timestamp) -> Result<Manifest, ManifestError> {
    let input = files::open_inside(dir, MANIFEST)
        .map_err(|why| ManifestError::Unusable(format!("`{MANIFEST}` {why}")))?;
    read_from(input, now)
}

fn read_from(input: impl Read, now: Timestamp) -> Result<Manifest, ManifestError> {
    let mut input = Hashed {
        input,
        hash: Sha256::new(),
    };
    let parsed = parse(&mut input, now).map_err(|why| unusable(&why))?;
    let (members, entries, rejects, unneeded) = parsed;
    let Header {
        root,
        identity,
        unfinished,
    } = header(&members)?;
    Ok(Manifest {
        root: Arc::new(root),
        identity: identity.map(Arc::from),
        unfinished,
        run: Arc::from(digest(&input.hash.finalize())),
        entries,
        rejects,
        unneeded,
    })
}

fn unusable(why: &str) -> ManifestError {
    ManifestError::Unusable(format!("`{MANIFEST}` {why}"))
}

type Parsed = (Node, Vec<Entry>, Vec<(usize, String)>, u64);

/// The members around `requests`, and the requests.
fn parse(input: impl Read, now: Timestamp) -> Result<Parsed, String> {
    let text = |cut: crate::ingest::split::Cut| cut.to_string();
    let mut splitter = Splitter::with_rows_of(input, "\"requests\"").map_err(text)?;
    let mut members = match splitter.next_item().map_err(text)? {
        Some(Item::Page { head }) => head.trim_ascii_end().to_vec(),
        Some(Item::Value(bytes)) => {
            // Without requests there is still a format to be told apart.
            let members = Node::read(bytes)?;
            return if members.has("format") {
                Ok((
                    members,
                    Vec::new(),
                    vec![(0, "has no `requests`".to_owned())],
                    0,
                ))
            } else {
                Err("is no manifest of a bundle".to_owned())
            };
        }
        Some(Item::Array) | None => return Err("is no manifest of a bundle".to_owned()),
    };
    let mut entries = Vec::new();
    let mut rejects = Vec::new();
    let mut unneeded = 0_u64;
    let mut index = 0_usize;
    while let Some(row) = splitter.next_row().map_err(text)? {
        let entry = match row {
            Row::Json(bytes) => Node::read(bytes).and_then(|node| entry(&node, index, now)),
            Row::TooLong => Err("is longer than 8 MiB".to_owned()),
        };
        match entry {
            Ok(Some((entry, flaws))) => {
                entries.push(entry);
                rejects.extend(flaws.into_iter().map(|flaw| (index, flaw)));
            }
            Ok(None) => unneeded += 1,
            Err(why) => rejects.push((index, why)),
        }
        index += 1;
    }
    let tail = splitter.tail().map_err(text)?.trim_ascii();
    if members.ends_with(b",") {
        members.pop();
    }
    let tail = if members == b"{" {
        tail.strip_prefix(b",").unwrap_or(tail)
    } else {
        tail
    };
    members.extend_from_slice(tail);
    if splitter.next_item().map_err(text)?.is_some() {
        return Err("holds more than one document".to_owned());
    }
    let members = Node::read(&members)?;
    if members.has("requests") {
        return Err("has two `requests`".to_owned());
    }
    Ok((members, entries, rejects, unneeded))
}

/// What stands around the requests.
struct Header {
    root: RootId,
    identity: Option<String>,
    unfinished: bool,
}

fn header(members: &Node) -> Result<Header, ManifestError> {
    let mut fields = Fields::of(members).map_err(|why| unusable(&why))?;
    match fields.text("format") {
        Some(FORMAT) => {}
        Some(other) => {
            return Err(ManifestError::Refused(format!(
                "the bundle has the format {}; this version reads `{FORMAT}`",
                quoted(other)
            )));
        }
        None => {
            return Err(ManifestError::Refused(format!(
                "`{MANIFEST}` names no bundle format; this version reads `{FORMAT}`"
            )));
        }
    }
    match fields.text("source") {
        Some("atlas") => {}
        Some("ops-manager") => {
            return Err(ManifestError::Refused(
                "bundles of the source `ops-manager` are not read yet".to_owned(),
            ));
        }
        Some(other) => {
            return Err(ManifestError::Refused(format!(
                "bundles of the source {} are not read",
                quoted(other)
            )));
        }
        None => return Err(unusable("names no source")),
    }
    let base_url = fields
        .text("base_url")
        .ok_or_else(|| unusable("names no `base_url`"))?;
    let base_url =
        path::base_url(base_url).map_err(|why| unusable(&format!("is refused: {why}")))?;
    let scope = fields
        .any("scope")
        .and_then(scope)
        .ok_or_else(|| unusable("names no `scope` that snapkey knows"))?;
    let identity = fields.text("identity").map(str::to_owned);
    let unfinished = !matches!(fields.any("unfinished"), None | Some(Node::Bool(false)));
    if let Some(flaw) = fields.into_flaws().into_iter().next() {
        return Err(unusable(&format!("is refused: {flaw}")));
    }
    let root = RootId {
        source: Source::Atlas,
        base_url,
        scope,
    };
    Ok(Header {
        root,
        identity,
        unfinished,
    })
}

fn scope(node: &Node) -> Option<Scope> {
    let Node::Object(members) = node else {
        return None;
    };
    let [(name, value)] = members.as_slice() else {
        return None;
    };
    let id = |node: &Node| {
        let text = node.as_text().filter(|text| !text.is_empty())?;
        crate::ingest::node::fault(text)
            .is_none()
            .then(|| text.to_owned())
    };
    match (name.as_str(), value) {
        ("all_visible", Node::Bool(true)) => Some(Scope::AllVisible),
        ("org", org) => id(org).map(Scope::Org),
        ("projects", Node::List(ids)) => {
            let mut ids: Vec<String> = ids.iter().map(id).collect::<Option<_>>()?;
            ids.sort_unstable();
            ids.dedup();
            Some(Scope::Projects(ids))
        }
        _ => None,
    }
}

/// One request with its flaws; `None` if it asked for something that is not needed.
fn entry(
    node: &Node,
    index: usize,
    now: Timestamp,
) -> Result<Option<(Entry, Vec<String>)>, String> {
    let mut fields = Fields::of(node)?;
    let Some(path) = fields.text("path") else {
        return Err("has no usable `path`".to_owned());
    };
    let Some(request) = path::read(path) else {
        return Ok(None);
    };
    let lists_clusters = matches!(
        request.target.kind,
        Kind::Clusters | Kind::ClustersWithDeleted
    );
    let old_version = lists_clusters && !fields.text("accept").is_some_and(shows_all_clusters);
    let status = fields.count("status").and_then(|status| {
        let status = u16::try_from(status).ok();
        if status.is_none() {
            fields.flaw("`status` is no HTTP status".to_owned());
        }
        status
    });
    let file = fields.text("file").map(str::to_owned);
    let second_pass = match fields.count("pass") {
        None | Some(1) => false,
        Some(2) => true,
        Some(other) => {
            fields.flaw(format!("`pass` is {other} where 1 or 2 is expected"));
            false
        }
    };
    let answered = fields.sighting("at");
    let local = fields.sighting("local_at");
    let latest = now.saturating_add(MAX_SKEW);
    if answered.is_some_and(|at| at > latest) {
        fields.flaw("is dated more than five minutes ahead of now".to_owned());
    } else if status.is_some() && answered.is_none() {
        fields.flaw("has no `at`, so nobody knows when it was answered".to_owned());
    }
    let skewed = answered
        .zip(local)
        .is_some_and(|(at, local)| at.since(local).abs() > MAX_SKEW);
    let flaws = fields.into_flaws();
    let entry = Entry {
        index,
        request,
        old_version,
        status,
        at: answered
            .or(local)
            .filter(|at| *at <= latest)
            .map(|at| at.min(now)),
        skewed,
        file,
        second_pass,
        void: !flaws.is_empty(),
    };
    Ok(Some((entry, flaws)))
}

/// Whether the media type asks for a version of the cluster list that leaves no cluster out.
fn shows_all_clusters(accept: &str) -> bool {
    let version = accept
        .strip_prefix("application/vnd.atlas.")
        .and_then(|rest| rest.split('+').next());
    let is_date = |text: &&str| {
        text.len() == 10
            && text.bytes().enumerate().all(|(i, byte)| match i {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    };
    version
        .filter(is_date)
        .is_some_and(|date| date >= CLUSTERS_SINCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::floor("2026-11-01T06:00:00Z").unwrap()
    }

    fn manifest(json: &str) -> Result<Manifest, ManifestError> {
        read_from(json.as_bytes(), now())
    }

    fn with_requests(requests: &str) -> Manifest {
        let json = format!(
            r#"{{"format":"snapkey-bundle/1","source":"atlas","base_url":"https://cloud.mongodb.com/",
                "scope":{{"all_visible":true}},"requests":[{requests}],"identity":"abcdefgh"}}"#
        );
        manifest(&json).ok().unwrap()
    }

    #[test]
    fn a_header_names_its_root() {
        let read = with_requests("");
        assert_eq!(read.root.base_url, "https://cloud.mongodb.com");
        assert_eq!(read.identity.as_deref(), Some("abcdefgh"));
        assert_eq!(read.run.len(), 32);
        assert_eq!(read.run, with_requests("").run);
        assert_ne!(read.run, with_requests(" ").run);
        for (text, expected) in [
            (r#"{"org":"o"}"#, Some(Scope::Org("o".into()))),
            (
                r#"{"projects":["b","a","b"]}"#,
                Some(Scope::Projects(vec!["a".into(), "b".into()])),
            ),
            (r#"{"all_visible":false}"#, None),
            (r#"{"all_visible":true,"org":"o"}"#, None),
            (r#"{"org":""}"#, None),
            (r#"{"projects":["a",7]}"#, None),
            ("{}", None),
        ] {
            let node = Node::read(text.as_bytes()).unwrap();
            assert_eq!(scope(&node), expected, "{text}");
        }
    }

    #[test]
    fn other_formats_and_sources_are_refused_and_other_files_are_no_manifest() {
        let base = r#""base_url":"https://x","scope":{"all_visible":true},"requests":[]"#;
        let table = [
            (
                format!(r#"{{"format":"snapkey-bundle/2","source":"atlas",{base}}}"#),
                true,
                "snapkey-bundle/2",
            ),
            (
                format!(r#"{{"format":7,"source":"atlas",{base}}}"#),
                true,
                "names no bundle format",
            ),
            (
                format!(r#"{{"format":"snapkey-bundle/1","source":"ops-manager",{base}}}"#),
                true,
                "not read yet",
            ),
            (
                format!(r#"{{"format":"snapkey-bundle/1","source":"x",{base}}}"#),
                true,
                "`x`",
            ),
            (
                format!(r#"{{"format":"snapkey-bundle/1",{base}}}"#),
                false,
                "source",
            ),
            (
                r#"{"format":"snapkey-bundle/2"}"#.to_owned(),
                true,
                "snapkey-bundle/2",
            ),
            (
                format!(r#"{{"format":"snapkey-bundle/1","source":"atlas",{base},"requests":[]}}"#),
                false,
                "two `requests`",
            ),
            (
                format!(r#"{{"format":"snapkey-bundle/1","source":"atlas",{base}}}{{}}"#),
                false,
                "more than one",
            ),
            (
                r#"{"name":"a web application"}"#.to_owned(),
                false,
                "no manifest",
            ),
            ("[]".to_owned(), false, "no manifest"),
            (String::new(), false, "no manifest"),
            (
                r#"{"format":"snapkey-bundle/1","requests":[{"#.to_owned(),
                false,
                "cut off",
            ),
        ];
        for (json, refused, word) in table {
            let (found, why) = match manifest(&json).err().unwrap() {
                ManifestError::Refused(why) => (true, why),
                ManifestError::Unusable(why) => (false, why),
            };
            assert_eq!(found, refused, "{json}");
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn times_are_held_at_now_and_compared() {
        // (at, local_at, taken, skewed, void)
        let table = [
            (
                r#""2026-11-01T05:00:00.9Z""#,
                "null",
                Some("2026-11-01T05:00:00Z"),
                false,
                false,
            ),
            (
                r#""2026-11-01T06:05:00Z""#,
                "null",
                Some("2026-11-01T06:00:00Z"),
                false,
                false,
            ),
            (r#""2026-11-01T06:05:01Z""#, "null", None, false, true),
            (
                r#""2026-11-01T05:00:00Z""#,
                r#""2026-11-01T05:05:00Z""#,
                Some("2026-11-01T05:00:00Z"),
                false,
                false,
            ),
            (
                r#""2026-11-01T05:00:00Z""#,
                r#""2026-11-01T05:05:01Z""#,
                Some("2026-11-01T05:00:00Z"),
                true,
                false,
            ),
            (
                r#""2026-11-01T05:00:00Z""#,
                r#""2026-11-01T04:54:59Z""#,
                Some("2026-11-01T05:00:00Z"),
                true,
                false,
            ),
            (
                r#""2026-11-01T05:00:00Z""#,
                r#""yesterday""#,
                Some("2026-11-01T05:00:00Z"),
                false,
                true,
            ),
            (
                "null",
                r#""2026-11-01T05:00:00Z""#,
                Some("2026-11-01T05:00:00Z"),
                false,
                true,
            ),
        ];
        for (at, local, taken, skewed, void) in table {
            let read = with_requests(&format!(
                r#"{{"path":"/api/atlas/v2/groups","status":200,"at":{at},"local_at":{local},"file":"a"}}"#
            ));
            let entry = &read.entries[0];
            let found = entry.at.map(|at| at.to_string());
            assert_eq!(found.as_deref(), taken, "{at} {local}");
            assert_eq!((entry.skewed, entry.void), (skewed, void), "{at} {local}");
            assert_eq!(read.rejects.is_empty(), !void);
        }
    }

    #[test]
    fn requests_that_cannot_be_read_are_told() {
        let read = with_requests(
            r#"7, {"path":7}, {"path":"/api/atlas/v2/orgs"},
               {"path":"/api/atlas/v2/groups","status":null,"at":null,"file":null},
               {"path":"/api/atlas/v2/groups","status":"200","at":"2026-11-01T05:00:00Z"},
               {"path":"/api/atlas/v2/groups","status":200,"at":"2026-11-01T05:00:00Z","pass":3}"#,
        );
        assert_eq!(read.unneeded, 1);
        let rejected: Vec<_> = read.rejects.iter().map(|(index, _)| *index).collect();
        assert_eq!(rejected, [0, 1, 4, 5]);
        let void: Vec<_> = read.entries.iter().map(|e| (e.index, e.void)).collect();
        assert_eq!(void, [(3, false), (4, true), (5, true)]);
    }

    #[test]
    fn only_newer_versions_show_all_clusters() {
        for (accept, shows) in [
            ("application/vnd.atlas.2024-08-05+json", true),
            ("application/vnd.atlas.2025-03-12+json", true),
            ("application/vnd.atlas.2024-08-04+json", false),
            ("application/vnd.atlas.2023-02-01+json", false),
            ("application/vnd.atlas.preview+json", false),
            ("application/vnd.atlas.9999+json", false),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(shows_all_clusters(accept), shows, "{accept}");
        }
    }
}
