//! A bundle: the answers that its manifest names, list by list, lowered and judged. What an
//! answer showed is handed over whatever the rest of its list is worth; only the answer of
//! another project or cluster is not.

mod coverage;
mod manifest;
mod reply;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::path::Path;
use std::sync::Arc;

pub(super) use manifest::MANIFEST;

use crate::ingest::error::IngestError;
use crate::ingest::kind::{Extent, Kind};
use crate::ingest::owner::Familiar;
use crate::ingest::path::Target;
use crate::ingest::report::{Reject, Report, UselessInput, quoted};
use crate::ingest::rows;
use crate::model::intake::Intake;
use crate::model::reading::{Content, Gap, ListedProject, Outcome, RootId, Scope};
use crate::model::{ProjectRef, Reading, Timestamp};
use coverage::{Judged, Try};
use manifest::{Entry, Manifest, ManifestError};
use reply::{ReplyReader, Tally};

/// Reads the bundle in `dir`.
pub(super) fn ingest<I: Intake>(
    dir: &Path,
    now: Timestamp,
    intake: &mut I,
    report: &mut Report,
) -> Result<(), IngestError<I::Error>> {
    let name = dir.display().to_string();
    let manifest = match manifest::read(dir, now) {
        Ok(manifest) => manifest,
        Err(ManifestError::Refused(why)) => {
            return Err(IngestError::Usage(format!("`{name}` is refused: {why}")));
        }
        Err(ManifestError::Unusable(reason)) => {
            report
                .useless_inputs
                .push(UselessInput { file: name, reason });
            return Ok(());
        }
    };
    report.useful_inputs += 1;
    Bundle {
        dir,
        name,
        manifest: &manifest,
        intake,
        report,
    }
    .read()
}

struct Bundle<'b, I> {
    dir: &'b Path,
    name: String,
    manifest: &'b Manifest,
    intake: &'b mut I,
    report: &'b mut Report,
}

/// The tries for one list, in the order they were made.
struct List<'b> {
    target: &'b Target,
    size: u32,
    tries: Vec<&'b Entry>,
}

impl<I: Intake> Bundle<'_, I> {
    fn read(&mut self) -> Result<(), IngestError<I::Error>> {
        let manifest = self.manifest;
        for (index, why) in &manifest.rejects {
            self.reject(&format!("{}/{}", self.name, MANIFEST), *index, "", why);
        }
        if manifest.unneeded > 0 {
            let count = self
                .report
                .notes
                .entry("other requests".to_owned())
                .or_default();
            *count += manifest.unneeded;
        }
        let mut projects_listed = false;
        for list in lists(&manifest.entries) {
            projects_listed |= matches!(list.target.kind, Kind::Groups | Kind::OrgGroups);
            self.list(&list)?;
        }
        // One that names no request yet lacks more than a list.
        let begun = manifest.unfinished && manifest.entries.is_empty();
        if manifest.unfinished {
            self.gap(&format!(
                "`snapkey collect` was stopped before its end: go on with `{}`",
                self.resume()
            ));
        }
        if !(projects_listed || begun) {
            self.stated_projects()?;
        }
        for entry in &manifest.entries {
            if entry.skewed {
                self.gap(&format!(
                    "requests[{}]: clock-skew: the clocks of collector and service differ by \
                     more than five minutes",
                    entry.index
                ));
            }
        }
        Ok(())
    }

    /// The command that finishes the bundle, as it was begun. What is no plain word is left out:
    /// somebody may paste it into a shell.
    fn resume(&self) -> String {
        let (flag, ids): (&str, &[String]) = match &self.manifest.root.scope {
            Scope::AllVisible => ("", &[]),
            Scope::Org(org) => ("--org", std::slice::from_ref(org)),
            Scope::Projects(ids) => ("--project", ids),
        };
        let is_plain = |id: &&String| id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let plain = ids.iter().filter(is_plain);
        let scope: String = plain.map(|id| format!(" {flag} {id}")).collect();
        format!("snapkey collect atlas --resume --out {}{scope}", self.name)
    }

    /// A bundle of stated projects lists them by having asked for them.
    fn stated_projects(&mut self) -> Result<(), IngestError<I::Error>> {
        let Scope::Projects(ids) = &self.manifest.root.scope else {
            self.gap("the project list was not read");
            return Ok(());
        };
        let Some(at) = self.manifest.entries.iter().filter_map(|e| e.at).min() else {
            self.gap("nothing was answered");
            return Ok(());
        };
        let listed = ids.iter().map(|id| ListedProject {
            id: id.clone(),
            name: None,
        });
        let content = Content::Projects(listed.collect());
        self.keep(None, None, at, Outcome::Whole, content)
    }

    fn list(&mut self, list: &List<'_>) -> Result<(), IngestError<I::Error>> {
        let target = list.target;
        let mut content = rows::empty_content(target.kind, target.since);
        let compare = list
            .tries
            .iter()
            .any(|e| e.second_pass || e.request.page > 1);
        let project = target.group.clone().map(|id| ProjectRef {
            id,
            base_url: self.manifest.root.base_url.clone(),
        });
        let mut familiar = Familiar::default();
        let mut tries = Vec::with_capacity(list.tries.len());
        for entry in &list.tries {
            let reader = ReplyReader {
                bundle: self,
                entry,
                target,
                project: project.as_ref(),
                compare,
                content: &mut content,
                tally: Tally::default(),
                familiar: &mut familiar,
            };
            let answer = reader.read()?;
            tries.push(Try {
                second_pass: entry.second_pass,
                page: entry.request.page,
                at: entry.at,
                skewed: entry.skewed,
                answer,
            });
        }
        let asked = if target.filter.is_some() || self.is_other_scope(target) {
            Some(Gap::Filtered)
        } else if list.tries.iter().any(|entry| entry.old_version) {
            Some(Gap::OldVersion)
        } else {
            None
        };
        let Judged { mut outcome, at } = coverage::judge(&tries, list.size, asked);
        if let Some(project) = project {
            self.report.bundle_projects.insert(project);
        }
        if target.kind.extent() == Extent::Single {
            match outcome {
                Outcome::Whole => outcome = Outcome::Partial(Gap::SingleObject),
                Outcome::Partial(_) => {}
                // Says something of the object, and nothing of the list that it would be in.
                Outcome::Refused { .. } => {
                    self.report.note("refused single objects");
                    return Ok(());
                }
            }
        }
        self.tell(target, &outcome);
        rows::settle(&mut content);
        let Some(at) = at else {
            return Ok(());
        };
        // A single cluster is a row of its project's list.
        let one_cluster = matches!(
            target.kind,
            Kind::Cluster | Kind::FlexCluster | Kind::ServerlessInstance
        );
        let cluster = target.cluster.clone().filter(|_| !one_cluster);
        self.keep(target.group.clone(), cluster, at, outcome, content)
    }

    /// Whether a project list is not the one that the bundle was made to ask for.
    fn is_other_scope(&self, target: &Target) -> bool {
        match (target.kind, &self.manifest.root.scope) {
            (Kind::Groups, scope) => matches!(scope, Scope::Org(_)),
            (Kind::OrgGroups, Scope::Org(org)) => target.org.as_ref() != Some(org),
            (Kind::OrgGroups, Scope::AllVisible | Scope::Projects(_)) => true,
            _ => false,
        }
    }

    /// Names a gap in what a project's completeness needs. Refusals are for `assess` to weigh:
    /// some are what a complete project answers.
    fn tell(&mut self, target: &Target, outcome: &Outcome) {
        let needed = matches!(
            target.kind,
            Kind::Groups
                | Kind::OrgGroups
                | Kind::ClustersWithDeleted
                | Kind::Snapshots
                | Kind::ShardedSnapshots
                | Kind::Schedule
                | Kind::Settings
        );
        let why = match outcome {
            Outcome::Whole => return,
            Outcome::Partial(gap) => gap.word().to_owned(),
            Outcome::Refused { status, .. } => {
                if !matches!(target.kind, Kind::Groups | Kind::OrgGroups) {
                    return;
                }
                format!("answered {status}")
            }
        };
        if needed {
            self.gap(&format!("{}: {why}", subject(target)));
        }
    }

    fn keep(
        &mut self,
        project: Option<String>,
        cluster: Option<String>,
        at: Timestamp,
        outcome: Outcome,
        content: Content,
    ) -> Result<(), IngestError<I::Error>> {
        if let Content::Projects(listed) = &content {
            for project in listed {
                self.report.bundle_projects.insert(ProjectRef {
                    id: project.id.clone(),
                    base_url: self.manifest.root.base_url.clone(),
                });
            }
        }
        self.report.readings += 1;
        let reading = Reading {
            root: Arc::clone(self.root()),
            project: project.map(Arc::from),
            cluster: cluster.map(Arc::from),
            at,
            run: Arc::clone(&self.manifest.run),
            identity: self.manifest.identity.clone(),
            outcome,
            content: Arc::new(content),
            before: Vec::new(),
        };
        self.intake.reading(&reading).map_err(IngestError::Intake)
    }

    const fn root(&self) -> &Arc<RootId> {
        &self.manifest.root
    }

    fn gap(&mut self, text: &str) {
        self.report.gaps.push(format!("{}: {text}", self.name));
    }

    fn reject(&mut self, file: &str, request: usize, record: &str, reason: &str) {
        let gap = if record.is_empty() { "" } else { " " };
        self.report.reject(Reject {
            file: file.to_owned(),
            record: format!("requests[{request}]{gap}{record}"),
            reason: reason.to_owned(),
        });
    }
}

/// Requests for the same thing belong together; lists keep the order of their first request.
fn lists(entries: &[Entry]) -> Vec<List<'_>> {
    let mut places = BTreeMap::new();
    let mut lists: Vec<List<'_>> = Vec::new();
    for entry in entries {
        let key = (&entry.request.target, entry.request.size);
        match places.entry(key) {
            Slot::Occupied(place) => {
                let place: usize = *place.get();
                lists[place].tries.push(entry);
            }
            Slot::Vacant(place) => {
                place.insert(lists.len());
                lists.push(List {
                    target: &entry.request.target,
                    size: entry.request.size,
                    tries: vec![entry],
                });
            }
        }
    }
    lists
}

fn subject(target: &Target) -> String {
    let mut text = target.kind.name().to_owned();
    if let Some(cluster) = &target.cluster {
        text = format!("{text} of cluster {}", quoted(cluster));
    }
    if let Some(group) = &target.group {
        text = format!("{text} in project {}", quoted(group));
    }
    text
}
