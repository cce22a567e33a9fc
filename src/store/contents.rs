//! What readings say, on its way out: one SELECT per table. Owns reading the tables `content` and
//! its children; `content` writes them.

use std::sync::Arc;

use rusqlite::Connection;

use super::error::StoreError;
use super::lowered::Cells;
use super::numbered::Numbered;
use crate::model::Provider;
use crate::model::reading::{
    ClusterEncryption, ClusterState, CompliancePolicy, Content, CopyItem, CopySetting, Declared,
    DeclaredKind, Delivery, Event, ExtraRetention, KeySettings, ListedProject, RestoreJob,
    Retention, RetentionUnit, Schedule,
};

/// Every content by its number. Each table is read once from end to end: with thousands of contents
/// that is far cheaper than asking for the rows of each.
pub(super) fn load(conn: &Connection) -> Result<Numbered<Arc<Content>>, StoreError> {
    let mut contents = Contents::heads(conn)?;
    contents.lists(conn)?;
    contents.schedules(conn)?;
    contents.inventories(conn)?;
    Ok(contents.0.map(Arc::new))
}

/// Contents that are being put together.
struct Contents(Numbered<Content>);

impl Contents {
    fn heads(conn: &Connection) -> Result<Self, StoreError> {
        let mut heads = conn.prepare_cached(
            "SELECT no, kind, restore_window_days, since FROM content ORDER BY no",
        )?;
        let mut rows = heads.query([])?;
        let mut contents = Numbered::new();
        while let Some(row) = rows.next()? {
            let cells = Cells {
                table: "content",
                row,
            };
            contents.push(cells.get(0)?, empty(&cells)?);
        }
        Ok(Self(contents))
    }

    fn lists(&mut self, conn: &Connection) -> Result<(), StoreError> {
        self.fill(
            conn,
            "listed_project",
            "SELECT content, id, name FROM listed_project ORDER BY content, position",
            |content, cells| {
                let Content::Projects(projects) = content else {
                    return Err(misplaced(cells));
                };
                projects.push(ListedProject {
                    id: cells.get(1)?,
                    name: cells.get(2)?,
                });
                Ok(())
            },
        )?;
        self.fill(
            conn,
            "cluster_state",
            "SELECT content, id, name, sharded, state, encryption, encryption_text,
             backup_enabled, pit_enabled, paused, dedicated, version, instance_size
             FROM cluster_state ORDER BY content, position",
            |content, cells| {
                let (Content::Clusters {
                    clusters,
                    deleted_included: _,
                }
                | Content::SharedClusters(clusters)) = content
                else {
                    return Err(misplaced(cells));
                };
                clusters.push(ClusterState {
                    id: cells.get(1)?,
                    name: cells.get(2)?,
                    sharded: cells.get(3)?,
                    state: cells.get(4)?,
                    encryption: encryption(cells)?,
                    backup_enabled: cells.get(7)?,
                    pit_enabled: cells.get(8)?,
                    paused: cells.get(9)?,
                    dedicated: cells.get(10)?,
                    version: cells.get(11)?,
                    instance_size: cells.get(12)?,
                });
                Ok(())
            },
        )?;
        self.fill(
            conn,
            "key_settings",
            "SELECT content, provider, enabled, key, region, valid
             FROM key_settings ORDER BY content, position",
            |content, cells| {
                let Content::Settings(settings) = content else {
                    return Err(misplaced(cells));
                };
                settings.push(KeySettings {
                    provider: cells.word(1, &Provider::ALL, Provider::word)?,
                    enabled: cells.get(2)?,
                    key: cells.get(3)?,
                    region: cells.get(4)?,
                    valid: cells.get(5)?,
                });
                Ok(())
            },
        )?;
        self.fill(
            conn,
            "event",
            "SELECT content, at, kind FROM event ORDER BY content, position",
            |content, cells| {
                let Content::Events { events, since: _ } = content else {
                    return Err(misplaced(cells));
                };
                events.push(Event {
                    at: cells.time(1)?,
                    kind: cells.get(2)?,
                });
                Ok(())
            },
        )?;
        self.fill(
            conn,
            "restore_job",
            "SELECT content, id, snapshot, delivery, delivery_text, finished_at, failed,
             cancelled, expired FROM restore_job ORDER BY content, position",
            |content, cells| {
                let Content::RestoreJobs(jobs) = content else {
                    return Err(misplaced(cells));
                };
                jobs.push(RestoreJob {
                    id: cells.get(1)?,
                    snapshot: cells.get(2)?,
                    delivery: delivery(cells)?,
                    finished_at: cells.opt_time(5)?,
                    failed: cells.get(6)?,
                    cancelled: cells.get(7)?,
                    expired: cells.get(8)?,
                });
                Ok(())
            },
        )
    }

    fn schedules(&mut self, conn: &Connection) -> Result<(), StoreError> {
        self.fill(
            conn,
            "extra_retention",
            "SELECT content, frequency, days FROM extra_retention ORDER BY content, position",
            |content, cells| {
                let Content::Schedule(schedule) = content else {
                    return Err(misplaced(cells));
                };
                schedule.extra_retention.push(ExtraRetention {
                    frequency: cells.get(1)?,
                    days: cells.get(2)?,
                });
                Ok(())
            },
        )?;
        self.fill(
            conn,
            "copy_setting",
            "SELECT content, by_number FROM copy_setting ORDER BY content, position",
            |content, cells| {
                let Content::Schedule(schedule) = content else {
                    return Err(misplaced(cells));
                };
                schedule.copies.push(CopySetting {
                    items: Vec::new(),
                    by_number: cells.get(1)?,
                });
                Ok(())
            },
        )?;
        self.fill(
            conn,
            "copy_item",
            "SELECT content, setting, frequency, unit, value
             FROM copy_item ORDER BY content, setting, position",
            |content, cells| {
                let Content::Schedule(schedule) = content else {
                    return Err(misplaced(cells));
                };
                let setting = usize::try_from(cells.get::<u32>(1)?)
                    .ok()
                    .and_then(|setting| schedule.copies.get_mut(setting))
                    .ok_or_else(|| cells.corrupt("no such copy setting"))?;
                setting.items.push(CopyItem {
                    frequency: cells.get(2)?,
                    retention: retention(cells)?,
                });
                Ok(())
            },
        )
    }

    fn inventories(&mut self, conn: &Connection) -> Result<(), StoreError> {
        self.fill(
            conn,
            "declared",
            "SELECT content, kind, cluster, id, until FROM declared ORDER BY content, position",
            |content, cells| {
                let Content::Inventory(lines) = content else {
                    return Err(misplaced(cells));
                };
                lines.push(Declared {
                    kind: cells.word(1, &DeclaredKind::ALL, DeclaredKind::word)?,
                    cluster: cells.get(2)?,
                    id: cells.get(3)?,
                    keys: Vec::new(),
                    until: cells.opt_time(4)?,
                });
                Ok(())
            },
        )?;
        self.fill(
            conn,
            "declared_key",
            "SELECT content, line, spelling FROM declared_key ORDER BY content, line, position",
            |content, cells| {
                let Content::Inventory(lines) = content else {
                    return Err(misplaced(cells));
                };
                let line = usize::try_from(cells.get::<u32>(1)?)
                    .ok()
                    .and_then(|line| lines.get_mut(line))
                    .ok_or_else(|| cells.corrupt("no such line"))?;
                line.keys.push(cells.get(2)?);
                Ok(())
            },
        )
    }

    /// Hands each row of a child table to the content that it belongs to.
    fn fill(
        &mut self,
        conn: &Connection,
        table: &'static str,
        select: &str,
        mut add: impl FnMut(&mut Content, &Cells<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut select = conn.prepare_cached(select)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let cells = Cells { table, row };
            let content = self
                .0
                .get_mut(cells.get(0)?)
                .ok_or_else(|| cells.corrupt("no such content"))?;
            add(content, &cells)?;
        }
        Ok(())
    }
}

/// The content of a `content` row, its lists still empty.
fn empty(cells: &Cells<'_>) -> Result<Content, StoreError> {
    let restore_window_days = cells.get(2)?;
    Ok(match cells.str(1)? {
        "projects" => Content::Projects(Vec::new()),
        "project" => Content::Project,
        "clusters" => Content::Clusters {
            deleted_included: false,
            clusters: Vec::new(),
        },
        "clusters-with-deleted" => Content::Clusters {
            deleted_included: true,
            clusters: Vec::new(),
        },
        "shared-clusters" => Content::SharedClusters(Vec::new()),
        "snapshots" => Content::Snapshots,
        "sharded-snapshots" => Content::ShardedSnapshots,
        "shared-snapshots" => Content::SharedSnapshots,
        "schedule" => Content::Schedule(Schedule {
            restore_window_days,
            extra_retention: Vec::new(),
            copies: Vec::new(),
        }),
        "settings" => Content::Settings(Vec::new()),
        "events" => Content::Events {
            since: cells.opt_time(3)?,
            events: Vec::new(),
        },
        "restore-jobs" => Content::RestoreJobs(Vec::new()),
        "compliance-policy" => Content::CompliancePolicy(CompliancePolicy {
            restore_window_days,
        }),
        "inventory" => Content::Inventory(Vec::new()),
        unknown => return Err(cells.unknown_word(unknown)),
    })
}

fn encryption(cells: &Cells<'_>) -> Result<Option<ClusterEncryption>, StoreError> {
    let Some(word) = cells.get::<Option<String>>(5)? else {
        return Ok(None);
    };
    Ok(Some(match word.as_str() {
        "none" => ClusterEncryption::None,
        "unrecognised" => ClusterEncryption::Unrecognised(cells.get(6)?),
        _provider => ClusterEncryption::Provider(cells.word(5, &Provider::ALL, Provider::word)?),
    }))
}

fn delivery(cells: &Cells<'_>) -> Result<Delivery, StoreError> {
    Ok(match cells.str(3)? {
        "automated" => Delivery::Automated,
        "download" => Delivery::Download,
        "point-in-time" => Delivery::PointInTime,
        "unrecognised" => Delivery::Unrecognised(cells.get(4)?),
        unknown => return Err(cells.unknown_word(unknown)),
    })
}

fn retention(cells: &Cells<'_>) -> Result<Option<Retention>, StoreError> {
    match cells.get::<Option<u32>>(4)? {
        None => Ok(None),
        Some(value) => Ok(Some(Retention {
            unit: cells.word(3, &RetentionUnit::ALL, RetentionUnit::word)?,
            value,
        })),
    }
}

fn misplaced(cells: &Cells<'_>) -> StoreError {
    cells.corrupt("it belongs to a content of another kind")
}
