//! From a request to its answer: who asks, what goes wrong or changes just then, and what the
//! path shows to that role.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::estate::{Cluster, Form, Project, Role};
use super::login::Logins;
use super::route::{self, Asked, What};
use super::wire::Message;
use super::{Fault, Request, World, show};

impl World {
    /// The answer, and what befalls it on its way.
    pub(super) fn answer(&mut self, message: &Message) -> (Answer, Option<Fault>) {
        let now = self.now();
        let (mut answer, fault) = self.decide(message);
        match &fault {
            Some(Fault::Status(status, code)) => {
                answer = Answer::error(*status, code, "This time it did not work.", json!([]));
            }
            Some(Fault::TooMany(wait)) => {
                answer = Answer::error(
                    429,
                    "RATE_LIMITED",
                    "Too many requests.",
                    json!([1200, "m"]),
                );
                if let Some(wait) = wait {
                    answer = answer.with("Retry-After", &wait.to_string());
                }
            }
            Some(Fault::Body(body)) => answer = Answer::new(200, "application/json", *body),
            None | Some(Fault::Silence | Fault::Reset | Fault::Cut) => {}
        }
        (answer.stamped(now, &self.quirks), fault)
    }

    fn decide(&mut self, message: &Message) -> (Answer, Option<Fault>) {
        let now = self.now();
        if message.method == "POST" && message.target.starts_with("/api/oauth/") {
            let fault = self.fault(message);
            // What fails hands out nothing.
            return match fault {
                None | Some(Fault::Cut) => (self.logins.oauth(message, now), fault),
                Some(_) => (Answer::json(200, &json!({})), fault),
            };
        }
        if message.method != "GET" {
            let told = "Only reading is served.";
            let answer = Answer::error(405, "METHOD_NOT_ALLOWED", told, json!([message.method]));
            return (answer, None);
        }
        if let Err(refused) = self.logins.admit(message, now) {
            return (refused, None);
        }
        let fault = self.fault(message);
        self.change(message);
        let accept = message.header("accept").unwrap_or_default();
        let answer = route::read(&message.target, accept)
            .and_then(|asked| self.show(&asked))
            .unwrap_or_else(|refused| refused);
        (answer, fault)
    }

    fn fault(&mut self, message: &Message) -> Option<Fault> {
        let name = Request {
            method: message.method.clone(),
            target: message.target.clone(),
            accept: String::new(),
            auth: Logins::kind(message),
            status: None,
        }
        .name();
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.name == name && rule.times > 0)?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        rule.times -= 1;
        Some(rule.fault.clone())
    }

    fn change(&mut self, message: &Message) {
        let (due, rest) = std::mem::take(&mut self.changes)
            .into_iter()
            .map(|mut change| {
                change.nth -= usize::from(message.target.contains(&change.needle));
                change
            })
            .partition(|change| change.nth == 0);
        self.changes = rest;
        let due: Vec<super::Change> = due;
        for change in due {
            (change.change)(&mut self.estate);
        }
    }

    fn show(&self, asked: &Asked) -> Result<Answer, Answer> {
        let quirks = &self.quirks;
        if quirks.address_refused {
            return Err(Answer::error(
                403,
                "IP_ADDRESS_NOT_ON_ACCESS_LIST",
                "IP address 192.0.2.7 is not allowed to access this resource.",
                json!(["192.0.2.7"]),
            ));
        }
        let answer = |body: &Value| Answer::versioned(asked.route.version, body);
        let listed = |rows: Vec<Value>| {
            let row = |no: usize| rows[no].clone();
            let page = answer::page(rows.len(), row, asked.page, &asked.at, quirks);
            Ok(answer(&page))
        };
        let of_org = |org: Option<&String>| {
            let projects = self.estate.projects.iter();
            let of_org = projects.filter(|p| org.is_none_or(|org| *org == p.org));
            of_org.map(|p| show::project(p, quirks)).collect::<Vec<_>>()
        };
        match asked.route.what {
            What::Orgs => {
                let orgs: BTreeMap<&str, Value> = (self.estate.projects.iter())
                    .map(|p| {
                        (
                            p.org.as_str(),
                            json!({"id": p.org, "name": p.org, "isDeleted": false}),
                        )
                    })
                    .collect();
                listed(orgs.into_values().collect())
            }
            What::Groups => listed(of_org(None)),
            What::OrgGroups => listed(of_org(asked.names.first())),
            What::Group => Ok(answer(&show::project(self.project(asked)?, quirks))),
            What::Settings => Ok(answer(&show::settings(self.project(asked)?, quirks))),
            What::Policy => match &self.project(asked)?.policy {
                Some(policy) => Ok(answer(policy)),
                None => Ok(answer(&json!({}))),
            },
            What::Clusters => {
                let project = self.project(asked)?;
                let deleted = asked.flag("includeDeletedWithRetainedBackups");
                let shown = project.clusters.iter().filter(|c| c.form != Form::Flex);
                let shown = shown.filter(|c| deleted || !c.deleted);
                listed(shown.map(|c| show::cluster(c, project, quirks)).collect())
            }
            What::Cluster => {
                let (project, cluster) = self.cluster(asked, false)?;
                if cluster.deleted {
                    return Err(not_found(&cluster.name, &project.id));
                }
                Ok(answer(&show::cluster(cluster, project, quirks)))
            }
            What::Snapshots | What::Sharded => self.snapshots(asked),
            What::Schedule => {
                let (project, cluster) = self.cluster(asked, false)?;
                match &cluster.schedule {
                    Some(schedule) => Ok(answer(&show::schedule(schedule, cluster))),
                    None => Err(not_found(&cluster.name, &project.id)),
                }
            }
            What::RestoreJobs => {
                let (_, cluster) = self.cluster(asked, false)?;
                listed(cluster.jobs.iter().map(|j| show::job(j, quirks)).collect())
            }
            What::Events => listed(events(self.project(asked)?, asked)),
            What::FlexClusters => {
                let project = self.project(asked)?;
                let shown = project.clusters.iter().filter(|c| c.form == Form::Flex);
                listed(shown.map(|c| show::flex(c, project)).collect())
            }
            What::FlexSnapshots => {
                let (_, cluster) = self.cluster(asked, true)?;
                listed(cluster.snapshots.iter().map(show::flex_snapshot).collect())
            }
            What::Serverless => {
                self.project(asked)?;
                listed(Vec::new())
            }
        }
    }

    fn snapshots(&self, asked: &Asked) -> Result<Answer, Answer> {
        let (project, cluster) = self.cluster(asked, false)?;
        if let Some((status, code)) = cluster.no_snapshots {
            let told = "This cluster has no backups.";
            return Err(Answer::error(status, code, told, json!([cluster.name])));
        }
        let sharded = asked.route.what == What::Sharded;
        let row = |no: usize| {
            let snapshot = &cluster.snapshots[no];
            let mut shown = show::snapshot(snapshot, cluster, project, &self.quirks);
            if sharded {
                show::sharded(&mut shown, cluster);
            }
            shown
        };
        // A cluster that is not sharded has an empty list of sharded snapshots.
        let count = match sharded && cluster.form != Form::Sharded {
            true => 0,
            false => cluster.snapshots.len(),
        };
        let page = answer::page(count, row, asked.page, &asked.at, &self.quirks);
        Ok(Answer::versioned(asked.route.version, &page))
    }

    /// The project that the path names, if the credential may see what it asks for.
    fn project(&self, asked: &Asked) -> Result<&Project, Answer> {
        let wanted = asked.names.first().map(String::as_str).unwrap_or_default();
        let project = self.estate.projects.iter().find(|p| p.id == wanted);
        let project = project.ok_or_else(|| {
            let told = format!("No group with ID {wanted} exists.");
            Answer::error(404, "GROUP_NOT_FOUND", &told, json!([wanted]))
        })?;
        if project.role < asked.route.role.unwrap_or(Role::Nothing) {
            return Err(match self.quirks.role_status {
                401 => Answer::unauthorized(),
                status => Answer::error(
                    status,
                    "USER_UNAUTHORIZED",
                    "Current user is not authorized to perform this action.",
                    json!([]),
                ),
            });
        }
        Ok(project)
    }

    fn cluster(&self, asked: &Asked, flex: bool) -> Result<(&Project, &Cluster), Answer> {
        let project = self.project(asked)?;
        let name = asked.names.get(1).map(String::as_str).unwrap_or_default();
        let cluster = project
            .cluster(name)
            .ok_or_else(|| not_found(name, &project.id))?;
        let wrong = |code, told: &str| Err(Answer::error(400, code, told, json!([name])));
        match (cluster.form == Form::Flex, flex) {
            (true, true) | (false, false) => Ok((project, cluster)),
            (false, true) => wrong(
                "CANNOT_USE_NON_FLEX_CLUSTER_IN_FLEX_API",
                "Cannot use non-flex cluster in the flex API.",
            ),
            (true, false) => wrong(
                "CANNOT_USE_FLEX_CLUSTER_IN_CLUSTER_API",
                "Cannot use flex cluster in the cluster API.",
            ),
        }
    }
}

fn not_found(name: &str, project: &str) -> Answer {
    let told = format!("No cluster named {name} exists in group {project}.");
    Answer::error(404, "CLUSTER_NOT_FOUND", &told, json!([name, project]))
}

/// Newest first, of the types and the time asked for.
fn events(project: &Project, asked: &Asked) -> Vec<Value> {
    let types = asked.values("eventType");
    let bound = |name: &str| {
        let value = asked.values(name).first().copied()?;
        DateTime::parse_from_rfc3339(value).ok()
    };
    let (from, to) = (bound("minDate"), bound("maxDate"));
    let mut rows: Vec<(DateTime<_>, Value)> = (project.events.iter().enumerate())
        .filter_map(|(number, event)| {
            let created = event["created"].as_str()?;
            let created = DateTime::parse_from_rfc3339(created).ok()?;
            let word = event["eventTypeName"].as_str()?;
            let wanted = types.is_empty() || types.contains(&word);
            let inside =
                from.is_none_or(|from| created >= from) && to.is_none_or(|to| created <= to);
            (wanted && inside).then(|| (created, show::event(event, number, project)))
        })
        .collect();
    rows.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
    rows.into_iter().map(|(_, event)| event).collect()
}
