//! Generated estates: several projects of three providers, clusters of every kind, settings,
//! schedules, events, observations, statements. Each list was read once; what is gone was shown by
//! older loose files. Complete and fresh often enough that `safe` is frequent.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::assess::testing::*;
use crate::model::evidence::{Condition, KeyColumn, SnapshotShape, SnapshotStatus, UnknownReason};
use crate::model::key_id::Provider;
use crate::model::policy::{AbsentKey, CustomerKeys, Hold, KeyStatement, ProjectStatement};
use crate::model::reading::{
    ClusterEncryption, ClusterState, CompliancePolicy, Content, CopyItem, CopySetting, Delivery,
    Event, ExtraRetention, ListedProject, Reading, RestoreJob, Retention, RetentionUnit, Schedule,
};
use crate::model::{Observation, Snapshot};

/// Every key that an estate may use.
pub(crate) const KEYS: [&str; 10] = [
    AWS_A,
    AWS_B,
    AWS_C,
    MRK_US,
    MRK_EU,
    AZURE_1,
    AZURE_2,
    AZURE_OTHER,
    GCP_1,
    GCP_2,
];

fn keys_of(provider: Provider) -> &'static [&'static str] {
    match provider {
        Provider::Aws | Provider::Kmip => &KEYS[0..4],
        Provider::Azure => &KEYS[5..8],
        Provider::Gcp => &KEYS[8..10],
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelled {
    /// The project's key at the time.
    Own,
    /// The same, without what the key map or the settings add.
    Bare,
    Absent,
    Unknown,
}

#[derive(Clone, Copy, Debug)]
struct SnapPlan {
    spelled: Spelled,
    status: u8,
    /// Days ago.
    created: i64,
    /// Minutes from now, `None` = never.
    expires: Option<i64>,
    gone: bool,
    copied: bool,
}

#[derive(Clone, Debug)]
struct ClusterPlan {
    flex: bool,
    sharded: Option<bool>,
    deleted: bool,
    pit: bool,
    backups: bool,
    /// Days that copies are kept; zero: by number.
    copies: Option<u32>,
    extra: u32,
    /// A job of the first snapshot: finished download, running restore, point in time.
    job: Option<u8>,
    snapshots: Vec<SnapPlan>,
}

#[derive(Clone, Debug)]
struct ProjectPlan {
    provider: Provider,
    former: usize,
    current: usize,
    /// Days ago.
    rotated: i64,
    off: bool,
    valid: bool,
    /// Left out from the start.
    lacks: Option<u8>,
    /// 0: which keys it has, 1 and 2: what an absent id means.
    statement: Option<u8>,
    key_map: bool,
    clusters: Vec<ClusterPlan>,
}

#[derive(Clone, Debug)]
pub(crate) struct EstatePlan {
    projects: Vec<ProjectPlan>,
    /// Per key of `KEYS`: the condition, and hours ago.
    asked: Vec<Option<(u8, i64)>>,
    hold: Option<usize>,
}

fn snapshots() -> impl Strategy<Value = SnapPlan> {
    let spelled = prop_oneof![
        30 => Just(Spelled::Own),
        4 => Just(Spelled::Bare),
        1 => Just(Spelled::Absent),
        1 => Just(Spelled::Unknown),
    ];
    let expires = prop_oneof![
        12 => (1_i64..30).prop_map(|d| Some(d * 24 * 60)),
        1 => Just(Some(-10)),
        1 => Just(Some(-24 * 60)),
        1 => Just(None),
    ];
    (
        spelled,
        prop_oneof![20 => Just(0_u8), 1 => 1_u8..6],
        0_i64..40,
        expires,
        prop::bool::weighted(0.4),
        prop::bool::weighted(0.03),
    )
        .prop_map(
            |(spelled, status, created, expires, gone, copied)| SnapPlan {
                spelled,
                status,
                created,
                expires,
                gone,
                copied,
            },
        )
}

fn cluster_plans() -> impl Strategy<Value = ClusterPlan> {
    (
        prop::bool::weighted(0.1),
        prop_oneof![8 => Just(Some(false)), 3 => Just(Some(true)), 1 => Just(None)],
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.4),
        prop::bool::weighted(0.9),
        prop::option::weighted(0.15, 0_u32..60),
        prop_oneof![8 => Just(0_u32), 1 => 1_u32..20],
        prop::option::weighted(0.08, 0_u8..3),
        vec(snapshots(), 0..5),
    )
        .prop_map(
            |(flex, sharded, deleted, pit, backups, copies, extra, job, snapshots)| ClusterPlan {
                flex,
                sharded,
                deleted,
                pit,
                backups,
                copies,
                extra,
                job,
                snapshots,
            },
        )
}

fn project_plans() -> impl Strategy<Value = ProjectPlan> {
    let provider = prop_oneof![
        4 => Just(Provider::Aws),
        2 => Just(Provider::Azure),
        2 => Just(Provider::Gcp),
    ];
    (
        (provider, 0_usize..4, 0_usize..4, 1_i64..30),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.93),
        prop::option::weighted(0.06, 0_u8..6),
        prop::option::weighted(0.15, 0_u8..3),
        prop::bool::weighted(0.7),
        vec(cluster_plans(), 1..3),
    )
        .prop_map(
            |(
                (provider, former, current, rotated),
                off,
                valid,
                lacks,
                statement,
                key_map,
                clusters,
            )| {
                ProjectPlan {
                    provider,
                    former,
                    current,
                    rotated,
                    off,
                    valid,
                    lacks,
                    statement,
                    key_map,
                    clusters,
                }
            },
        )
}

pub(crate) fn plans() -> impl Strategy<Value = EstatePlan> {
    let condition = prop_oneof![14 => Just(0_u8), 8 => 1_u8..9];
    let hours = prop_oneof![14 => 0_i64..20, 1 => Just(40_i64)];
    let asked = prop::option::weighted(0.95, (condition, hours));
    (
        vec(project_plans(), 1..4),
        vec(asked, KEYS.len()..=KEYS.len()),
        prop::option::weighted(0.05, 0..KEYS.len()),
    )
        .prop_map(|(projects, asked, hold)| EstatePlan {
            projects,
            asked,
            hold,
        })
}

pub(crate) fn build(plan: &EstatePlan) -> World {
    let mut world = World::new();
    world.evidence.projects.clear();
    let mut listed = Vec::new();
    for (no, project) in plan.projects.iter().enumerate() {
        let id = format!("p{no}");
        listed.push(ListedProject {
            id: id.clone(),
            name: None,
        });
        build_project(&mut world, &id, project);
    }
    world.evidence.roots[0].lists[0].content = Arc::new(Content::Projects(listed));
    for (text, asked) in KEYS.iter().zip(&plan.asked) {
        if let Some((condition, ago)) = asked {
            let answer = answer(text, *condition, *ago);
            world.evidence.observations.extend(answer);
        }
    }
    if let Some(held) = plan.hold {
        world.policy.holds.push(Hold {
            key: KEYS[held].to_owned(),
            until: None,
            stated: days(-9),
            reason: String::from("litigation"),
        });
    }
    world
}

/// What a service said of a key; destruction by a date takes two answers.
fn answer(text: &str, condition: u8, ago: i64) -> Vec<Observation> {
    let condition = match condition {
        1 => Condition::UnwrapOnly {
            why: String::from("expired"),
        },
        2 => Condition::Disabled,
        3 => pending(days(5)),
        4 => Condition::SoftDeleted {
            purge: Some(days(5)),
        },
        5 | 6 => destroyed(),
        7 => {
            let mut before = observed(text, days(-20), pending(days(-10)));
            before.stale_at = Some(days(-10));
            let after = observed(text, hours(-ago), unknown(UnknownReason::NotFound));
            return vec![before, after];
        }
        8 => unknown(UnknownReason::AccessDenied),
        _ => ENABLED,
    };
    let mut only = observed(text, hours(-ago), condition);
    if text == MRK_US {
        only.related = vec![key(MRK_EU)];
    }
    vec![only]
}

fn build_project(world: &mut World, id: &str, plan: &ProjectPlan) {
    let keys = keys_of(plan.provider);
    let former = keys[plan.former % keys.len()];
    let current = keys[plan.current % keys.len()];
    let mut readings: Vec<Reading> = Vec::new();
    let mut read = |at: i64, cluster: Option<&str>, content: Content| {
        let mut reading = reading(&minutes(at).to_string(), cluster, content);
        reading.project = Some(Arc::from(id));
        readings.push(reading);
    };
    let mut blocks = vec![block(plan.provider, current)];
    blocks[0].valid = Some(plan.valid);
    if plan.off {
        blocks.clear();
    }
    read(SETTINGS_AT, None, Content::Settings(blocks));
    let mut all = Vec::new();
    for (no, cluster_plan) in plan.clusters.iter().enumerate() {
        let name = format!("c{no}");
        all.push((
            cluster_state(plan, cluster_plan, &name),
            cluster_plan.deleted,
        ));
        if !cluster_plan.flex {
            read(SNAPSHOTS_AT, Some(&name), Content::Snapshots);
            read(SNAPSHOTS_AT, Some(&name), Content::ShardedSnapshots);
            let schedule = schedule_of(cluster_plan);
            read(SCHEDULE_AT, Some(&name), Content::Schedule(schedule));
            let jobs = jobs(id, &name, cluster_plan);
            read(EVENTS_AT, Some(&name), Content::RestoreJobs(jobs));
        } else {
            read(SNAPSHOTS_AT, Some(&name), Content::SharedSnapshots);
        }
        for (no, snap_plan) in cluster_plan.snapshots.iter().enumerate() {
            let key = if snap_plan.created > plan.rotated {
                former
            } else {
                current
            };
            let row = row(id, &name, no, cluster_plan, snap_plan, key);
            world.rows.push(row);
        }
    }
    let with: Vec<ClusterState> = all.iter().map(|(state, _)| state.clone()).collect();
    let without: Vec<ClusterState> = all
        .iter()
        .filter(|(_, deleted)| !deleted)
        .map(|(state, _)| state.clone())
        .collect();
    read(CLUSTERS_AT, None, clusters(true, &with));
    read(CLUSTERS_AT, None, clusters(false, &without));
    let rotation = match plan.provider {
        Provider::Aws | Provider::Kmip => "AWS_ENCRYPTION_KEY_ROTATED",
        Provider::Azure => "AZURE_ENCRYPTION_KEY_ROTATED",
        Provider::Gcp => "GCP_ENCRYPTION_KEY_ROTATED",
    };
    let events = vec![Event {
        at: days(-plan.rotated),
        kind: rotation.to_owned(),
    }];
    read(
        EVENTS_AT,
        None,
        Content::Events {
            since: None,
            events,
        },
    );
    read(
        EVENTS_AT,
        None,
        Content::CompliancePolicy(CompliancePolicy::default()),
    );
    if let Some(lacks) = plan.lacks {
        let word = [
            "settings",
            "clusters-with-deleted",
            "clusters",
            "snapshots",
            "schedule",
            "events",
        ][usize::from(lacks)];
        readings.retain(|r| r.content.word() != word);
    }
    readings.sort_by_key(|r| r.at);
    world.evidence.projects.insert(project_ref(id), readings);
    statements(world, id, plan, &[former, current]);
}

/// Statements that the evidence bears out.
fn statements(world: &mut World, id: &str, plan: &ProjectPlan, keys: &[&str]) {
    let reason = String::from("nobody but us knows");
    let resolved = plan
        .clusters
        .iter()
        .flat_map(|c| &c.snapshots)
        .all(|s| s.spelled == Spelled::Own);
    let listed = keys.iter().map(|key| (*key).to_owned()).collect();
    let (customer_keys, absent_key) = match plan.statement {
        Some(0) if resolved => (Some(CustomerKeys::Only(listed)), None),
        Some(1) => (None, Some(AbsentKey::NotEnabled)),
        Some(2) => (None, Some(AbsentKey::ProjectKey)),
        Some(_) | None => (None, None),
    };
    if customer_keys.is_some() || absent_key.is_some() {
        world.policy.projects.push(ProjectStatement {
            id: id.to_owned(),
            customer_keys,
            absent_key,
            stated: minutes(-50),
            reason: reason.clone(),
        });
    }
    for key_text in keys.iter().filter(|_| plan.key_map) {
        world.policy.keys.push(KeyStatement {
            id: bare(key_text),
            is: key(key_text),
            project: Some(id.to_owned()),
            stated: days(-9),
            reason: reason.clone(),
        });
    }
}

/// What an API might spell of it.
fn bare(key: &str) -> String {
    let last = key.rsplit('/').next().unwrap_or(key);
    if key.starts_with("projects/") {
        return key.rsplit_once("/cryptoKeyVersions").unwrap().0.to_owned();
    }
    last.to_owned()
}

fn cluster_state(project: &ProjectPlan, plan: &ClusterPlan, name: &str) -> ClusterState {
    ClusterState {
        sharded: plan.sharded,
        encryption: Some(if project.off || plan.flex {
            ClusterEncryption::None
        } else {
            ClusterEncryption::Provider(project.provider)
        }),
        backup_enabled: Some(plan.backups),
        pit_enabled: Some(plan.pit),
        dedicated: !plan.flex,
        ..cluster(name)
    }
}

fn schedule_of(plan: &ClusterPlan) -> Schedule {
    let retention = |days| {
        Some(Retention {
            unit: RetentionUnit::Days,
            value: days,
        })
    };
    Schedule {
        restore_window_days: Some(7),
        extra_retention: vec![ExtraRetention {
            frequency: String::from("daily"),
            days: plan.extra,
        }],
        copies: plan
            .copies
            .map(|days| CopySetting {
                items: (days > 0)
                    .then(|| CopyItem {
                        frequency: String::from("daily"),
                        retention: retention(days),
                    })
                    .into_iter()
                    .collect(),
                by_number: days == 0,
            })
            .into_iter()
            .collect(),
    }
}

fn jobs(project: &str, cluster: &str, plan: &ClusterPlan) -> Vec<RestoreJob> {
    let Some(job) = plan.job else {
        return Vec::new();
    };
    vec![RestoreJob {
        id: format!("job-{project}-{cluster}"),
        snapshot: Some(format!("s-{project}-{cluster}-0")),
        delivery: match job {
            0 => Delivery::Download,
            1 => Delivery::Automated,
            _ => Delivery::PointInTime,
        },
        finished_at: (job == 0).then(|| days(-1)),
        failed: false,
        cancelled: false,
        expired: false,
    }]
}

fn row(
    project: &str,
    cluster: &str,
    no: usize,
    of: &ClusterPlan,
    plan: &SnapPlan,
    key: &str,
) -> Snapshot {
    let mut row = snap_with(&format!("s-{project}-{cluster}-{no}"), |s| {
        s.shape = if of.flex {
            SnapshotShape::Shared
        } else if of.sharded.unwrap_or(true) {
            SnapshotShape::Sharded
        } else {
            SnapshotShape::ReplicaSet
        };
        s.status = match plan.status {
            1 => SnapshotStatus::Queued,
            2 => SnapshotStatus::InProgress,
            3 => SnapshotStatus::Failed,
            4 => SnapshotStatus::Unrecorded,
            5 => SnapshotStatus::Unrecognised(String::from("resting")),
            _ => SnapshotStatus::Completed,
        };
        s.created_at = Some(days(-plan.created).saturating_add(-7200));
        s.expires_at = plan.expires.map(minutes);
        s.copied = plan.copied;
        s.keys = match plan.spelled {
            _ if of.flex => KeyColumn::Absent,
            Spelled::Own => named(&[key]),
            Spelled::Bare => named(&[&bare(key)]),
            Spelled::Absent => KeyColumn::Absent,
            Spelled::Unknown => named(&["something else"]),
        };
        s.last_at = if plan.gone {
            // Too long ago to show anything now.
            days(-2)
        } else {
            minutes(SNAPSHOTS_AT)
        };
        s.first_at = s.last_at;
    });
    row.project = project_ref(project);
    cluster.clone_into(&mut row.cluster);
    row
}
