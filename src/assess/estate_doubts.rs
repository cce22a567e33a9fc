//! Doubts about the inventory itself: they touch every key, except where a statement vouches for
//! a project (design 6.2, first rows; section 4, "Statements").

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::decide::Decided;
use super::estate::{Estate, Family, FamilyNo, Project};
use crate::model::key_id::Provider;
use crate::model::policy::{AbsentKey, CustomerKeys};
use crate::model::verdict::{Assumption, Doubt, DoubtKind};
use crate::model::{Match, Spelling, Timestamp};

/// Adds them to what was decided.
pub(super) fn note(decided: &mut Decided<'_>, inventory_age: i64) {
    let estate = &decided.estate;
    let mut of_all: Vec<Doubt> = of_roots(estate, inventory_age);
    let mut of_some = Vec::new();
    for project in estate.projects.iter().filter(|p| !p.left) {
        if let Some(statement) = project.statement
            && statement.absent_key == Some(AbsentKey::ProjectKey)
        {
            decided.assumptions.insert(Assumption {
                kind: "absent-id-project-key",
                subject: project.id.id.clone(),
                stated: Some(statement.stated),
                reason: Cow::Owned(statement.reason.clone()),
            });
        }
        let doubts = of_project(project, estate.as_of, inventory_age);
        match project.statement {
            Some(statement) if statement.customer_keys.is_some() && !doubts.is_empty() => {
                match covered_families(estate, project) {
                    Some(covered) => {
                        for (no, _) in estate.families.iter().enumerate() {
                            if !covered.contains(&no) {
                                of_some.extend(doubts.iter().map(|doubt| (no, doubt.clone())));
                            }
                        }
                        decided.assumptions.insert(Assumption {
                            kind: "stated-customer-keys",
                            subject: project.id.id.clone(),
                            stated: Some(statement.stated),
                            reason: Cow::Owned(statement.reason.clone()),
                        });
                    }
                    None => of_all.extend(doubts),
                }
            }
            Some(_) | None => of_all.extend(doubts),
        }
    }
    // Some for each project: put together in one go they cost a tenth.
    let mut assumptions: BTreeSet<Assumption> = unread(estate).into_iter().collect();
    decided.assumptions.append(&mut assumptions);
    decided.of_all.extend(of_all);
    for (no, doubt) in of_some {
        if let Some(tally) = decided.tallies.get_mut(no) {
            tally.doubt(doubt);
        }
    }
}

/// `estate-empty`, `estate-incomplete`.
pub(super) fn of_roots(estate: &Estate<'_>, inventory_age: i64) -> Vec<Doubt> {
    let (evidence, as_of) = (estate.evidence, estate.as_of);
    let mut doubts = Vec::new();
    for project in &estate.strays {
        doubts.push(Doubt {
            kind: DoubtKind::ProjectIncomplete,
            project: Some(project.clone()),
            detail: String::from("nothing of it was ever read"),
        });
    }
    let incomplete = |detail: String| Doubt {
        kind: DoubtKind::EstateIncomplete,
        project: None,
        detail,
    };
    if evidence.projects.is_empty() {
        doubts.push(Doubt {
            kind: DoubtKind::EstateEmpty,
            project: None,
            detail: String::from("no inventory names any project"),
        });
    }
    if evidence.roots.is_empty() {
        doubts.push(incomplete(String::from(
            "no inventory source was ever read",
        )));
    }
    for (no, root) in evidence.roots.iter().enumerate() {
        if !super::estate::counts_as_root(evidence, no) {
            continue;
        }
        let name = format!("{} at {}", root.id.source.word(), root.id.base_url);
        match root
            .lists
            .iter()
            .rfind(|list| super::coverage::is_whole(list))
        {
            None => doubts.push(incomplete(format!("no whole project list of {name}"))),
            Some(list) if as_of.since(list.at) > inventory_age => doubts.push(incomplete(format!(
                "the project list of {name} is of {}, which is too old",
                list.at
            ))),
            Some(_) => {}
        }
    }
    doubts
}

/// `project-incomplete`, `project-stale`, `project-missing`.
pub(super) fn of_project(
    project: &Project<'_>,
    as_of: Timestamp,
    inventory_age: i64,
) -> Vec<Doubt> {
    let doubt = |kind, detail| Doubt {
        kind,
        project: Some(project.id.id.clone()),
        detail,
    };
    let mut doubts = Vec::new();
    match project.coverage.complete_at {
        None => {
            let gaps = project.coverage.gaps.iter();
            doubts.extend(gaps.map(|gap| doubt(DoubtKind::ProjectIncomplete, gap.clone())));
        }
        Some(at) if as_of.since(at) > inventory_age => doubts.push(doubt(
            DoubtKind::ProjectStale,
            format!("its inventory is of {at}, which is too old"),
        )),
        Some(_) => {}
    }
    if !project.listed {
        doubts.push(doubt(
            DoubtKind::ProjectMissing,
            String::from("no project list names it any more"),
        ));
    }
    doubts
}

/// Families for which a statement in force stands in for the project's coverage; `None` if the
/// evidence contradicts it: some reading shows a customer key that the statement denies.
pub(super) fn covered_families(
    estate: &Estate<'_>,
    project: &Project<'_>,
) -> Option<Vec<FamilyNo>> {
    let statement = project.statement?;
    let spellings: Vec<Spelling> = match statement.customer_keys.as_ref()? {
        CustomerKeys::None => Vec::new(),
        CustomerKeys::Only(keys) => keys.iter().map(|key| Spelling::read(key)).collect(),
    };
    // What may be a listed key is not covered.
    let may_be_listed = |family: &Family| {
        family.units.iter().any(|unit| {
            let compare = |s: &Spelling| unit.compare(s, &project.may_show);
            spellings.iter().any(|s| compare(s) != Match::Different)
        })
    };
    let listed: Vec<FamilyNo> = (0..)
        .zip(&estate.families)
        .filter(|(_, family)| may_be_listed(family))
        .map(|(no, _)| no)
        .collect();
    // Whatever named it: settings, a line of the own form, a snapshot of any status.
    let (project_no, _) = estate.project_of(project.id)?;
    for name in estate
        .names
        .iter()
        .filter(|n| n.project == Some(project_no))
    {
        let denied = name
            .names
            .iter()
            .any(|(family, _)| !listed.contains(family))
            || name.may_be.iter().any(|family| !listed.contains(family))
            || (name.names.is_empty() && name.may_be.is_empty());
        if denied {
            return None;
        }
    }
    if project.current.iter().any(|current| current.name.is_none()) {
        return None;
    }
    // A provider that no listed key can be of.
    let denied = |provider: &Provider| {
        let may_be = |s: &Spelling| s.provider().is_none_or(|of| of == *provider);
        !spellings.iter().any(may_be)
    };
    if project.shown.iter().any(denied) {
        return None;
    }
    Some(
        (0..estate.families.len())
            .filter(|no| !listed.contains(no))
            .collect(),
    )
}

/// What needs rights that a read-only credential lacks and was not read: taken on trust, printed.
fn unread(estate: &Estate<'_>) -> Vec<Assumption> {
    use crate::model::reading::Content;
    let [mut without_jobs, mut without_policy] = [Vec::new(), Vec::new()];
    for project in estate.projects.iter().filter(|p| !p.left) {
        let vendor = project
            .readings
            .iter()
            .any(|r| !matches!(*r.content, Content::Inventory(_)));
        if !vendor {
            continue;
        }
        let jobs_read = project
            .clusters
            .iter()
            .filter(|(_, cluster)| cluster.is_live() && cluster.is_dedicated())
            .all(|(name, _)| {
                project.readings.iter().any(|r| {
                    super::coverage::is_whole(r)
                        && r.cluster.as_deref() == Some(name)
                        && matches!(*r.content, Content::RestoreJobs(_))
                        && project.coverage.complete_at.is_none_or(|at| r.at >= at)
                })
            });
        if !jobs_read {
            without_jobs.push(&project.id.id);
        }
        let policy_read = project.readings.iter().any(|r| {
            super::coverage::is_whole(r) && matches!(*r.content, Content::CompliancePolicy(_))
        });
        if !policy_read {
            without_policy.push(&project.id.id);
        }
    }
    let no_jobs = "its restore jobs were not read";
    let no_policy = "its backup compliance policy was not read";
    // In the order in which assumptions are kept: there are some of each project.
    [
        ("no-downloads", no_jobs, &without_jobs),
        ("no-restore-running", no_jobs, &without_jobs),
        ("schedule-window-is-longest", no_policy, &without_policy),
    ]
    .into_iter()
    .flat_map(|(kind, reason, projects)| {
        projects.iter().map(move |project| Assumption {
            kind,
            subject: String::clone(project),
            stated: None,
            reason: Cow::Borrowed(reason),
        })
    })
    .collect()
}
