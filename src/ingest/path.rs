//! The request paths of the Atlas Administration API: which list or object a path asks for, with
//! which paging, and whether it asks for less than all of it. Also the one spelling of a base URL.
//!
//! Hosts of paths are never looked at: recorded `links` carry whatever host the service believed
//! it had.

use std::borrow::Cow;
use std::collections::BTreeSet;

use url::Url;

use super::kind::{Extent, Kind};
use super::node::fault;
use super::owner::{decode, local_part};
use super::report::quoted;
use crate::model::Timestamp;

/// Results of a page if the request does not say (Atlas Administration API, "Pagination").
pub(super) const DEFAULT_PAGE: u32 = 100;
/// The service gives no more than this in one page.
pub(super) const LARGEST_PAGE: u32 = 500;

/// What a path asks for, without paging.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) org: Option<String>,
    pub(super) group: Option<String>,
    pub(super) cluster: Option<String>,
    /// Id of a single object.
    pub(super) object: Option<String>,
    /// Events only: asked back to here; `None` is all.
    pub(super) since: Option<Timestamp>,
    /// What makes the answer less than all, as the request says it.
    pub(super) filter: Option<String>,
}

/// A request for a page of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) target: Target,
    /// From 1.
    pub(super) page: u32,
    /// Results in a full page; 0 for what has no pages.
    pub(super) size: u32,
}

/// Reads a path with its query; `None` for a path that snapkey does not need.
pub(super) fn read(path_and_query: &str) -> Option<Request> {
    let path_and_query = local_part(path_and_query);
    let path_and_query = path_and_query.split('#').next()?;
    let (path, query) = path_and_query
        .split_once('?')
        .unwrap_or((path_and_query, ""));
    let rest = [
        "/api/atlas/v2/",
        "/api/atlas/v1.0/",
        "/api/atlas/v1.5/",
        "/api/public/v1.0/",
    ]
    .iter()
    .find_map(|prefix| path.strip_prefix(prefix))?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let segments: Option<Vec<Cow<'_, str>>> = rest.split('/').map(decode).collect();
    let segments = segments?;
    let words: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    if words
        .iter()
        .any(|word| word.is_empty() || fault(word).is_some())
    {
        return None;
    }
    let mut request = Request {
        target: target(&words)?,
        page: 1,
        size: DEFAULT_PAGE,
    };
    read_query(query, &mut request);
    if request.target.kind.extent() != Extent::Paged {
        request.page = 1;
        request.size = 0;
    }
    Some(request)
}

fn target(words: &[&str]) -> Option<Target> {
    let (kind, group, cluster, object) = match *words {
        ["groups"] => (Kind::Groups, None, None, None),
        ["orgs", org, "groups"] => {
            return Some(Target {
                kind: Kind::OrgGroups,
                org: Some(org.to_owned()),
                group: None,
                cluster: None,
                object: None,
                since: None,
                filter: None,
            });
        }
        ["groups", g, ref rest @ ..] => {
            let (kind, cluster, object) = in_group(rest)?;
            (kind, Some(g), cluster, object)
        }
        _ => return None,
    };
    Some(Target {
        kind,
        org: None,
        group: group.map(str::to_owned),
        cluster: cluster.map(str::to_owned),
        object: object.map(str::to_owned),
        since: None,
        filter: None,
    })
}

type InGroup<'a> = (Kind, Option<&'a str>, Option<&'a str>);

fn in_group<'a>(words: &[&'a str]) -> Option<InGroup<'a>> {
    Some(match *words {
        [] => (Kind::Group, None, None),
        ["clusters"] => (Kind::Clusters, None, None),
        ["clusters", c] => (Kind::Cluster, Some(c), None),
        ["clusters", c, "backup", ref rest @ ..] => match *rest {
            ["snapshots"] => (Kind::Snapshots, Some(c), None),
            ["snapshots", "shardedClusters"] => (Kind::ShardedSnapshots, Some(c), None),
            ["snapshots", "shardedCluster", id] => (Kind::ShardedSnapshot, Some(c), Some(id)),
            ["snapshots", id] => (Kind::Snapshot, Some(c), Some(id)),
            ["schedule"] => (Kind::Schedule, Some(c), None),
            ["restoreJobs"] => (Kind::RestoreJobs, Some(c), None),
            ["restoreJobs", id] => (Kind::RestoreJob, Some(c), Some(id)),
            _ => return None,
        },
        ["backupCompliancePolicy"] => (Kind::CompliancePolicy, None, None),
        ["encryptionAtRest"] => (Kind::Settings, None, None),
        ["events"] => (Kind::Events, None, None),
        ["flexClusters"] => (Kind::FlexClusters, None, None),
        ["flexClusters", c] => (Kind::FlexCluster, Some(c), None),
        ["flexClusters", c, "backup", "snapshots"] => (Kind::FlexSnapshots, Some(c), None),
        ["flexClusters", c, "backup", "snapshots", id] => (Kind::FlexSnapshot, Some(c), Some(id)),
        ["serverless"] => (Kind::Serverless, None, None),
        ["serverless", c] => (Kind::ServerlessInstance, Some(c), None),
        ["serverless", c, "backup", "snapshots"] => (Kind::ServerlessSnapshots, Some(c), None),
        ["serverless", c, "backup", "snapshots", id] => {
            (Kind::ServerlessSnapshot, Some(c), Some(id))
        }
        _ => return None,
    })
}

/// Event types that must not be filtered away for a history of keys (design section 6.2,
/// `history-too-short`).
const NEEDED_EVENTS: [&str; 4] = [
    "AWS_ENCRYPTION_KEY_ROTATED",
    "AZURE_ENCRYPTION_KEY_ROTATED",
    "GCP_ENCRYPTION_KEY_ROTATED",
    "ENCRYPTION_AT_REST_CONFIGURATION_UPDATED",
];

/// Whatever is not known to leave all rows in counts as a filter.
fn read_query(query: &str, request: &mut Request) {
    let mut filters = BTreeSet::new();
    let mut types = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (decode(name), decode(value)) else {
            filters.insert(pair.to_owned());
            continue;
        };
        let again = name != "eventType" && !seen.insert(name.to_string());
        let kind = request.target.kind;
        let understood = !again
            && match name.as_ref() {
                "pageNum" => whole(&value).is_some_and(|page| {
                    request.page = page;
                    true
                }),
                "itemsPerPage" => whole(&value).is_some_and(|size| {
                    request.size = size.min(LARGEST_PAGE);
                    true
                }),
                "includeCount" | "envelope" | "pretty" => true,
                "includeDeletedWithRetainedBackups" => match value.as_ref() {
                    "true" if kind == Kind::Clusters => {
                        request.target.kind = Kind::ClustersWithDeleted;
                        true
                    }
                    "true" | "false" => true,
                    _ => false,
                },
                "eventType" if kind == Kind::Events => {
                    types.insert(value.to_string());
                    true
                }
                // Rounded up: less is covered, never more.
                "minDate" if kind == Kind::Events => Timestamp::ceil(&value).is_ok_and(|since| {
                    request.target.since = Some(since);
                    true
                }),
                _ => false,
            };
        if !understood {
            filters.insert(pair.to_owned());
        }
    }
    if !types.is_empty() && !NEEDED_EVENTS.iter().all(|needed| types.contains(*needed)) {
        filters.insert(format!("eventType={}", joined(&types, ",")));
    }
    if !filters.is_empty() {
        request.target.filter = Some(joined(&filters, "&"));
    }
}

fn joined(words: &BTreeSet<String>, by: &str) -> String {
    words
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(by)
}

fn whole(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&number| number > 0)
}

/// A base URL as roots carry it: scheme, host and port in lower case, a path only if there is
/// one, no trailing slash.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    let refused = |why| format!("the base URL {} {why}", quoted(&without_secrets(text)));
    let url = Url::parse(text).map_err(|error| refused(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("is neither http nor https".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("carries credentials".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("carries a query".to_owned()));
    }
    let origin = url.origin().ascii_serialization();
    Ok(format!("{origin}{}", url.path().trim_end_matches('/')))
}

/// A URL to be shown or kept: without user, password, query and fragment, whatever else is wrong with it.
pub(super) fn without_secrets(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    if scheme.is_empty() {
        rest.to_owned()
    } else {
        format!("{scheme}://{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(path: &str) -> Option<(Kind, Option<String>, Option<String>)> {
        read(path).map(|request| {
            (
                request.target.kind,
                request.target.group,
                request.target.cluster,
            )
        })
    }

    #[test]
    fn paths_name_what_they_ask_for() {
        let g = || Some("g1".to_owned());
        let c = || Some("c 1".to_owned());
        let table = [
            ("/api/atlas/v2/groups", Kind::Groups, None, None),
            ("/api/atlas/v1.0/groups/", Kind::Groups, None, None),
            ("/api/atlas/v2/orgs/o1/groups", Kind::OrgGroups, None, None),
            ("/api/public/v1.0/groups/g1", Kind::Group, g(), None),
            (
                "/api/atlas/v2/groups/g1/clusters",
                Kind::Clusters,
                g(),
                None,
            ),
            (
                "/api/atlas/v2/groups/g1/clusters?includeDeletedWithRetainedBackups=true&pageNum=2",
                Kind::ClustersWithDeleted,
                g(),
                None,
            ),
            (
                "/api/atlas/v2/groups/g1/clusters?includeDeletedWithRetainedBackups=false",
                Kind::Clusters,
                g(),
                None,
            ),
            (
                "/api/atlas/v2/groups/g1/clusters/c%201",
                Kind::Cluster,
                g(),
                c(),
            ),
            (
                "/api/atlas/v2/groups/g1/clusters/c%201/backup/snapshots",
                Kind::Snapshots,
                g(),
                c(),
            ),
            (
                "/api/atlas/v2/groups/g1/clusters/c%201/backup/snapshots/shardedClusters",
                Kind::ShardedSnapshots,
                g(),
                c(),
            ),
            (
                "/api/atlas/v2/groups/g1/clusters/c%201/backup/snapshots/shardedCluster/s1",
                Kind::ShardedSnapshot,
                g(),
                c(),
            ),
            (
                "/api/atlas/v2/groups/g1/clusters/c%201/backup/snapshots/s1",
                Kind::Snapshot,
                g(),
                c(),
            ),
            (
                "/api/atlas/v2/groups/g1/clusters/c%201/backup/schedule",
                Kind::Schedule,
                g(),
                c(),
            ),
            (
                "/api/atlas/v2/groups/g1/clusters/c%201/backup/restoreJobs",
                Kind::RestoreJobs,
                g(),
                c(),
            ),
            (
                "/api/atlas/v2/groups/g1/backupCompliancePolicy",
                Kind::CompliancePolicy,
                g(),
                None,
            ),
            (
                "/api/atlas/v2/groups/g1/encryptionAtRest",
                Kind::Settings,
                g(),
                None,
            ),
            ("/api/atlas/v2/groups/g1/events", Kind::Events, g(), None),
            (
                "http://localhost:8080/api/atlas/v2/groups/g1/flexClusters/c%201/backup/snapshots",
                Kind::FlexSnapshots,
                g(),
                c(),
            ),
            (
                "/api/atlas/v2/groups/g1/serverless",
                Kind::Serverless,
                g(),
                None,
            ),
        ];
        for (path, kind, group, cluster) in table {
            assert_eq!(kind_of(path), Some((kind, group, cluster)), "{path}");
        }
        for path in [
            "",
            "/",
            "groups",
            "/api/atlas/v2/",
            "/api/atlas/v2/orgs",
            "/api/atlas/v2/groups//clusters",
            "/api/atlas/v2/groups/g1/alerts",
            "/api/atlas/v2/groups/g1/clusters/c/backup/exports",
            "/api/atlas/v2/groups/g1/clusters/%ff/backup/snapshots",
            "/api/atlas/v2/groups/g1/clusters/%00",
            "/other/groups/g1",
        ] {
            assert_eq!(kind_of(path), None, "{path}");
        }
    }

    #[test]
    fn whatever_leaves_rows_out_is_a_filter() {
        let list = "/api/atlas/v2/groups/g1/clusters/c1/backup/snapshots";
        let events = "/api/atlas/v2/groups/g1/events";
        let all_types = "eventType=AWS_ENCRYPTION_KEY_ROTATED&eventType=AZURE_ENCRYPTION_KEY_ROTATED\
             &eventType=GCP_ENCRYPTION_KEY_ROTATED\
             &eventType=ENCRYPTION_AT_REST_CONFIGURATION_UPDATED";
        // (path, query, page, size, filtered)
        let table = [
            (list, String::new(), 1, 100, false),
            (list, "pageNum=3&itemsPerPage=500".into(), 3, 500, false),
            (list, "itemsPerPage=1000".into(), 1, 500, false),
            (
                list,
                "includeCount=false&envelope=true&pretty=true".into(),
                1,
                100,
                false,
            ),
            (list, "pointInTimeUtcSeconds=1".into(), 1, 100, true),
            (list, "pageNum=0".into(), 1, 100, true),
            (list, "pageNum=-1".into(), 1, 100, true),
            (list, "pageNum=1&pageNum=2".into(), 1, 100, true),
            (list, "itemsPerPage=0".into(), 1, 100, true),
            (list, "eventType=X".into(), 1, 100, true),
            (
                events,
                "minDate=2026-10-01T00%3A00%3A00Z".into(),
                1,
                100,
                false,
            ),
            (events, "minDate=yesterday".into(), 1, 100, true),
            (events, "maxDate=2026-10-01T00:00:00Z".into(), 1, 100, true),
            (events, all_types.to_owned(), 1, 100, false),
            (
                events,
                format!("{all_types}&eventType=OTHER"),
                1,
                100,
                false,
            ),
            (
                events,
                "eventType=AWS_ENCRYPTION_KEY_ROTATED".into(),
                1,
                100,
                true,
            ),
        ];
        for (path, query, page, size, filtered) in table {
            let request = read(&format!("{path}?{query}")).unwrap();
            let found = (request.page, request.size, request.target.filter.is_some());
            assert_eq!(found, (page, size, filtered), "{query}");
        }
        let since = read(&format!("{events}?minDate=2026-10-01T00:00:00.2Z"))
            .unwrap()
            .target
            .since
            .unwrap();
        assert_eq!(since.to_string(), "2026-10-01T00:00:01Z");
    }

    #[test]
    fn base_urls_have_one_spelling() {
        for (text, expected) in [
            (
                "https://cloud.mongodb.com",
                Some("https://cloud.mongodb.com"),
            ),
            (
                "HTTPS://Cloud.MongoDB.com:443/",
                Some("https://cloud.mongodb.com"),
            ),
            (
                "http://om.example:8080/mms/",
                Some("http://om.example:8080/mms"),
            ),
            ("cloud.mongodb.com", None),
            ("ftp://x", None),
            ("https://u:p@x", None),
            ("https://x?y", None),
        ] {
            assert_eq!(base_url(text).ok().as_deref(), expected, "{text}");
        }
        let refused = base_url("https://user:hunter2@x").unwrap_err();
        assert_eq!(refused, "the base URL `https://x` carries credentials");
        for text in [
            "ftp://u:hunter2@x?hunter2",
            "u:hunter2@x",
            "https://x/#hunter2",
            "https://u:hunter2@",
        ] {
            let refused = base_url(text).unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
