//! The paths that are served: which version of each must be asked for, which query names it
//! knows, and which role it wants.

use percent_encoding::percent_decode_str;
use serde_json::json;

use super::answer::{Answer, Page};
use super::estate::Role;
use super::login::form;

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Orgs,
    OrgGroups,
    Groups,
    Group,
    Clusters,
    Cluster,
    Snapshots,
    Sharded,
    Schedule,
    RestoreJobs,
    Policy,
    Settings,
    Events,
    FlexClusters,
    FlexSnapshots,
    Serverless,
}

pub(super) struct Route {
    pub(super) what: What,
    /// Below `/api/atlas/v2/`; a word in braces takes any.
    pattern: &'static str,
    pub(super) version: &'static str,
    /// Versions that were served once.
    sunset: &'static [&'static str],
    pub(super) paged: bool,
    /// Query names besides those of paging.
    query: &'static [&'static str],
    /// What the path wants of the credential in its project.
    pub(super) role: Option<Role>,
}

const fn list(what: What, pattern: &'static str, version: &'static str) -> Route {
    Route {
        what,
        pattern,
        version,
        sunset: &[],
        paged: true,
        query: &[],
        role: Some(Role::ReadOnly),
    }
}

const fn one(what: What, pattern: &'static str, version: &'static str) -> Route {
    Route {
        paged: false,
        ..list(what, pattern, version)
    }
}

const ROUTES: [Route; 16] = [
    Route {
        role: None,
        query: &["name"],
        ..list(What::Orgs, "orgs", "2023-01-01")
    },
    Route {
        role: None,
        query: &["name"],
        ..list(What::OrgGroups, "orgs/{o}/groups", "2023-01-01")
    },
    Route {
        role: None,
        ..list(What::Groups, "groups", "2023-01-01")
    },
    one(What::Group, "groups/{g}", "2023-01-01"),
    Route {
        sunset: &["2023-01-01", "2023-02-01"],
        query: &["includeDeletedWithRetainedBackups"],
        ..list(What::Clusters, "groups/{g}/clusters", "2024-08-05")
    },
    Route {
        sunset: &["2023-01-01", "2023-02-01"],
        ..one(What::Cluster, "groups/{g}/clusters/{c}", "2024-08-05")
    },
    list(
        What::Snapshots,
        "groups/{g}/clusters/{c}/backup/snapshots",
        "2023-01-01",
    ),
    one(
        What::Sharded,
        "groups/{g}/clusters/{c}/backup/snapshots/shardedClusters",
        "2023-01-01",
    ),
    Route {
        sunset: &["2023-01-01"],
        ..one(
            What::Schedule,
            "groups/{g}/clusters/{c}/backup/schedule",
            "2024-08-05",
        )
    },
    Route {
        role: Some(Role::BackupManager),
        ..list(
            What::RestoreJobs,
            "groups/{g}/clusters/{c}/backup/restoreJobs",
            "2023-01-01",
        )
    },
    Route {
        sunset: &["2023-01-01"],
        role: Some(Role::Owner),
        ..one(
            What::Policy,
            "groups/{g}/backupCompliancePolicy",
            "2023-10-01",
        )
    },
    one(What::Settings, "groups/{g}/encryptionAtRest", "2023-01-01"),
    Route {
        query: &[
            "clusterNames",
            "eventType",
            "excludedEventType",
            "includeRaw",
            "minDate",
            "maxDate",
        ],
        ..list(What::Events, "groups/{g}/events", "2023-01-01")
    },
    list(What::FlexClusters, "groups/{g}/flexClusters", "2024-11-13"),
    list(
        What::FlexSnapshots,
        "groups/{g}/flexClusters/{c}/backup/snapshots",
        "2024-11-13",
    ),
    list(What::Serverless, "groups/{g}/serverless", "2023-01-01"),
];

/// A request that is understood.
pub(super) struct Asked {
    pub(super) route: &'static Route,
    /// What stood in the braces.
    pub(super) names: Vec<String>,
    pub(super) page: Page,
    /// Name and value, decoded, without paging.
    pub(super) query: Vec<(String, String)>,
    /// The path with what is left of the query.
    pub(super) at: String,
}

impl Asked {
    pub(super) fn flag(&self, name: &str) -> bool {
        self.query.iter().any(|(n, v)| n == name && v == "true")
    }

    pub(super) fn values(&self, name: &str) -> Vec<&str> {
        let of_name = self.query.iter().filter(|(n, _)| n == name);
        of_name.map(|(_, value)| value.as_str()).collect()
    }
}

/// Reads a path and query, and what version is asked for.
pub(super) fn read(target: &str, accept: &str) -> Result<Asked, Answer> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let nowhere = || Answer::error(404, "RESOURCE_NOT_FOUND", "No such path.", json!([path]));
    let rest = path.strip_prefix("/api/atlas/v2/").ok_or_else(nowhere)?;
    let (route, names) = ROUTES
        .iter()
        .find_map(|route| Some((route, matched(route.pattern, rest)?)))
        .ok_or_else(nowhere)?;
    version(route, accept)?;
    let mut asked = Asked {
        route,
        names,
        page: Page {
            number: 1,
            size: if route.paged { 100 } else { usize::MAX },
            count: true,
        },
        query: Vec::new(),
        at: path.to_owned(),
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let decoded = form(pair.as_bytes());
        for (name, value) in decoded {
            asked.take(pair, name, value)?;
        }
    }
    Ok(asked)
}

impl Asked {
    fn take(&mut self, pair: &str, name: String, value: String) -> Result<(), Answer> {
        let invalid = |code: &str| {
            let told = format!("Query parameter {name} is not valid.");
            Answer::error(400, code, &told, json!([name]))
        };
        let number = |most: usize| {
            let number = value.parse().ok().filter(|n| (1..=most).contains(n));
            number.ok_or_else(|| invalid("VALIDATION_ERROR"))
        };
        match name.as_str() {
            "pageNum" if self.route.paged => self.page.number = number(usize::MAX)?,
            "itemsPerPage" if self.route.paged => self.page.size = number(500)?,
            "includeCount" if self.route.paged => self.page.count = value != "false",
            "pretty" => {}
            known if self.route.query.contains(&known) => {
                let joint = if self.at.contains('?') { '&' } else { '?' };
                self.at.push(joint);
                self.at.push_str(pair);
                self.query.push((name, value));
            }
            _ => return Err(invalid("INVALID_QUERY_PARAMETER")),
        }
        Ok(())
    }
}

fn matched(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut words = path.split('/');
    for wanted in pattern.split('/') {
        let word = percent_decode_str(words.next()?).decode_utf8().ok()?;
        if wanted.starts_with('{') && !word.is_empty() {
            names.push(word.into_owned());
        } else if wanted != word {
            return None;
        }
    }
    words.next().is_none().then_some(names)
}

fn version(route: &Route, accept: &str) -> Result<(), Answer> {
    let asked = accept
        .strip_prefix("application/vnd.atlas.")
        .and_then(|rest| rest.strip_suffix("+json"));
    match asked {
        Some(version) if version == route.version => Ok(()),
        Some(version) if route.sunset.contains(&version) => Err(Answer::error(
            410,
            "VERSION_GONE",
            "The version of this resource is gone.",
            json!([version]),
        )),
        Some(_) | None => Err(Answer::error(
            406,
            "INVALID_VERSION_DATE",
            "The Accept header names no version of this resource.",
            json!([accept]),
        )),
    }
}
