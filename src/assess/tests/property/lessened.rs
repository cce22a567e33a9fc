//! What can happen to evidence: a page, a list or a project was not read, time passed, an answer
//! was none.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::assess::testing::{World, refused, unknown};
use crate::model::evidence::{Condition, SnapshotShape, UnknownReason};
use crate::model::reading::{Content, Gap, Outcome};
use crate::model::{Reading, Snapshot};

#[derive(Clone, Debug)]
pub(super) enum Less {
    /// A reading that completeness or a doubt needs was never made.
    NoReading(Index),
    /// A page of it is missing, and some rows with it.
    NoPage(Index, Gap, u64),
    /// It was answered with an error.
    Refused(Index, u16),
    NoProject(Index),
    NoProjectList,
    /// A page of the project list is missing.
    NoProjectPage(Gap, u64),
    /// Freshness runs out: seconds off every age limit.
    Later(i64),
    /// Lists that carry no evidence of keys were read earlier.
    OlderList(Index, i64),
    /// All observations were made earlier.
    OlderAnswers(i64),
    NonAnswer(Index, Option<UnknownReason>),
}

fn gaps() -> impl Strategy<Value = Gap> {
    prop::sample::select(Gap::ALL.to_vec())
}

pub(super) fn less() -> impl Strategy<Value = Less> {
    let seconds = prop_oneof![Just(60_i64), Just(3_600), Just(90_000), 1_i64..200_000];
    let reasons = prop::sample::select(UnknownReason::ALL.to_vec());
    prop_oneof![
        4 => any::<Index>().prop_map(Less::NoReading),
        6 => (any::<Index>(), gaps(), any::<u64>()).prop_map(|(i, g, s)| Less::NoPage(i, g, s)),
        4 => (any::<Index>(), prop::sample::select(vec![401_u16, 403, 429, 500]))
            .prop_map(|(i, s)| Less::Refused(i, s)),
        1 => any::<Index>().prop_map(Less::NoProject),
        1 => Just(Less::NoProjectList),
        1 => (gaps(), any::<u64>()).prop_map(|(g, s)| Less::NoProjectPage(g, s)),
        2 => seconds.clone().prop_map(Less::Later),
        2 => (any::<Index>(), seconds.clone()).prop_map(|(i, s)| Less::OlderList(i, s)),
        2 => seconds.prop_map(Less::OlderAnswers),
        3 => (any::<Index>(), prop::option::weighted(0.8, reasons))
            .prop_map(|(i, r)| Less::NonAnswer(i, r)),
    ]
}

pub(super) fn lessen(world: &mut World, step: &Less) {
    match step {
        Less::NoReading(index) => {
            if let Some((project, no)) = pick(world, *index)
                && is_required(&readings(world, project)[no].content)
            {
                let reading = readings(world, project).remove(no);
                drop_rows(world, &reading, |_| true);
            }
        }
        Less::NoPage(index, gap, seed) => {
            if let Some((project, no)) = pick(world, *index) {
                let reading = &mut readings(world, project)[no];
                reading.outcome = Outcome::Partial(*gap);
                cut(Arc::make_mut(&mut reading.content), *seed);
                let reading = reading.clone();
                drop_rows(world, &reading, |at| lost(*seed, at));
            }
        }
        Less::Refused(index, status) => {
            if let Some((project, no)) = pick(world, *index) {
                let reading = &mut readings(world, project)[no];
                reading.outcome = refused(*status, None, true);
                cut(Arc::make_mut(&mut reading.content), u64::MAX);
                let reading = reading.clone();
                drop_rows(world, &reading, |_| true);
            }
        }
        Less::NoProject(index) => {
            let projects: Vec<_> = world.evidence.projects.keys().cloned().collect();
            if !projects.is_empty() {
                // The list still names it.
                let project = index.get(&projects);
                world.evidence.projects.remove(project);
                world.rows.retain(|row| row.project != *project);
            }
        }
        Less::NoProjectList => world.evidence.roots[0].lists.clear(),
        Less::NoProjectPage(gap, seed) => {
            for list in &mut world.evidence.roots[0].lists {
                list.outcome = Outcome::Partial(*gap);
                cut(Arc::make_mut(&mut list.content), *seed);
            }
        }
        Less::Later(seconds) => {
            let policy = &mut world.policy;
            policy.max_probe_age -= seconds;
            policy.max_inventory_age -= seconds;
            policy.max_check_age -= seconds;
            policy.max_statement_age -= seconds;
        }
        Less::OlderList(index, seconds) => {
            if let Some((project, no)) = pick(world, *index) {
                let readings = readings(world, project);
                let carries_no_key = match *readings[no].content {
                    Content::Snapshots
                    | Content::ShardedSnapshots
                    | Content::SharedSnapshots
                    | Content::Schedule(_) => true,
                    Content::Projects(_)
                    | Content::Project
                    | Content::Clusters { .. }
                    | Content::SharedClusters(_)
                    | Content::Settings(_)
                    | Content::Events { .. }
                    | Content::RestoreJobs(_)
                    | Content::CompliancePolicy(_)
                    | Content::Inventory(_) => false,
                };
                if carries_no_key {
                    readings[no].at = readings[no].at.saturating_add(-seconds);
                    readings.sort_by_key(|r| r.at);
                }
            }
            for list in &mut world.evidence.roots[0].lists {
                list.at = list.at.saturating_add(-seconds);
            }
        }
        Less::OlderAnswers(seconds) => {
            for observation in &mut world.evidence.observations {
                observation.at = observation.at.saturating_add(-seconds);
            }
        }
        Less::NonAnswer(index, reason) => {
            let observations = &mut world.evidence.observations;
            if !observations.is_empty() {
                let no = index.index(observations.len());
                let reason = *reason;
                observations[no].condition = reason.map_or(Condition::Transient, unknown);
            }
        }
    }
}

fn readings(world: &mut World, project: usize) -> &mut Vec<Reading> {
    world.evidence.projects.values_mut().nth(project).unwrap()
}

/// A reading of some project. Restore jobs and the compliance policy need rights that may be
/// lacking: without them their assumptions are printed.
fn pick(world: &World, index: Index) -> Option<(usize, usize)> {
    let mut all = Vec::new();
    for (project, readings) in world.evidence.projects.values().enumerate() {
        for (no, reading) in readings.iter().enumerate() {
            let optional = matches!(
                *reading.content,
                Content::RestoreJobs(_) | Content::CompliancePolicy(_)
            );
            if !optional {
                all.push((project, no));
            }
        }
    }
    (!all.is_empty()).then(|| *index.get(&all))
}

/// Completeness or a doubt needs it. A cluster list without deleted clusters need not be asked
/// for (an assumption is printed), but what is asked for must be answered.
fn is_required(content: &Content) -> bool {
    content.word() != "clusters"
}

/// Whether the row at this place was on the page that is missing.
fn lost(seed: u64, place: usize) -> bool {
    seed >> (place % 64) & 1 == 1
}

fn cut(content: &mut Content, seed: u64) {
    fn keep<T>(rows: &mut Vec<T>, seed: u64) {
        let mut place = 0;
        rows.retain(|_| {
            place += 1;
            !lost(seed, place)
        });
    }
    match content {
        Content::Projects(rows) => keep(rows, seed),
        Content::Clusters { clusters, .. } | Content::SharedClusters(clusters) => {
            keep(clusters, seed);
        }
        Content::Settings(rows) => keep(rows, seed),
        Content::Events { events, .. } => keep(events, seed),
        Content::RestoreJobs(rows) => keep(rows, seed),
        Content::Inventory(rows) => keep(rows, seed),
        Content::Schedule(schedule) => {
            // Half a schedule is none.
            schedule.copies.clear();
            schedule.extra_retention.clear();
            schedule.restore_window_days = None;
        }
        Content::CompliancePolicy(policy) => policy.restore_window_days = None,
        Content::Project
        | Content::Snapshots
        | Content::ShardedSnapshots
        | Content::SharedSnapshots => {}
    }
}

/// Takes away rows that only this list showed.
fn drop_rows(world: &mut World, list: &Reading, lost: impl Fn(usize) -> bool) {
    let mut place = 0;
    world.rows.retain(|row| {
        place += 1;
        !(is_of(row, list) && lost(place))
    });
}

fn is_of(row: &Snapshot, list: &Reading) -> bool {
    let shape = row.sightings[0].shape;
    let kind = match *list.content {
        Content::Snapshots => shape == SnapshotShape::ReplicaSet,
        Content::ShardedSnapshots => shape == SnapshotShape::Sharded,
        Content::SharedSnapshots => shape == SnapshotShape::Shared,
        Content::Projects(_)
        | Content::Project
        | Content::Clusters { .. }
        | Content::SharedClusters(_)
        | Content::Schedule(_)
        | Content::Settings(_)
        | Content::Events { .. }
        | Content::RestoreJobs(_)
        | Content::CompliancePolicy(_)
        | Content::Inventory(_) => false,
    };
    kind && Some(row.project.id.as_str()) == list.project.as_deref()
        && Some(row.cluster.as_str()) == list.cluster.as_deref()
        && row.sightings[0].last_at == list.at
}
