//! Who said what when: roots, projects, runs and readings, in and out. What a reading says is in
//! `content`.

use std::collections::{BTreeMap, HashMap};

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::content;
use super::contents::Contents;
use super::error::StoreError;
use super::lowered::{
    Cells, Fingerprint, find, find_or_add, flag, opt_text, opt_word, position, text, time,
};
use crate::model::evidence::Root;
use crate::model::reading::{Content, Gap, Outcome, Scope};
use crate::model::{ProjectRef, Reading, RootId, Source, Timestamp};

/// Keeps a reading; false when the store already has it. `import` is asked for the number of the
/// import only if it is new.
pub(super) fn keep(
    conn: &Connection,
    reading: &Reading,
    import: impl FnOnce() -> Result<i64, StoreError>,
) -> Result<bool, StoreError> {
    let (root, root_digest) = keep_root(conn, &reading.root)?;
    let (content, content_digest) = content::keep(conn, &reading.content)?;
    let outcome = lower_outcome(&reading.outcome);
    let digest = {
        let mut digest = Fingerprint::default();
        digest.row(
            "reading",
            &[
                root_digest,
                opt_text(reading.project.as_ref()),
                opt_text(reading.cluster.as_ref()),
                time(reading.at),
                text(&reading.run),
                opt_text(reading.identity.as_ref()),
                content_digest,
            ],
        );
        digest.row("outcome", &outcome);
        digest.finish()
    };
    let known = find(
        conn,
        "SELECT no FROM reading WHERE digest = ?1",
        params![digest],
    )?;
    if known.is_some() {
        return Ok(false);
    }
    let project = match &reading.project {
        None => None,
        Some(id) => Some(project_no(conn, id, &reading.root.base_url)?),
    };
    let run = find_or_add(
        conn,
        "SELECT no FROM run WHERE text = ?1",
        "INSERT INTO run (text) VALUES (?1)",
        &[&reading.run],
    )?;
    let [word, gap, status, code, confirmed] = outcome;
    conn.prepare_cached(
        "INSERT INTO reading (digest, import, root, project, cluster, at, run, identity, outcome,
         gap, status, code, confirmed, content)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .insert(params![
        digest,
        import()?,
        root,
        project,
        reading.cluster,
        reading.at.unix(),
        run,
        reading.identity,
        word,
        gap,
        status,
        code,
        confirmed,
        content
    ])?;
    Ok(true)
}

/// `outcome`, `gap`, `status`, `code`, `confirmed`.
fn lower_outcome(outcome: &Outcome) -> [Value; 5] {
    let (word, gap, refused) = match outcome {
        Outcome::Whole => ("whole", None, None),
        Outcome::Partial(gap) => ("partial", Some(gap.word()), None),
        Outcome::Refused {
            status,
            code,
            confirmed,
        } => ("refused", None, Some((*status, code.as_ref(), *confirmed))),
    };
    let (status, code, confirmed) = match refused {
        None => (Value::Null, Value::Null, Value::Null),
        Some((status, code, confirmed)) => (
            Value::Integer(i64::from(status)),
            opt_text(code),
            flag(confirmed),
        ),
    };
    [text(word), opt_word(gap), status, code, confirmed]
}

fn keep_root(conn: &Connection, root: &RootId) -> Result<(i64, Value), StoreError> {
    let (scope, org, projects): (_, _, &[String]) = match &root.scope {
        Scope::AllVisible => ("all-visible", None, &[]),
        Scope::Org(org) => ("org", Some(org), &[]),
        Scope::Projects(projects) => ("projects", None, projects),
    };
    let head = [
        text(root.source.word()),
        text(&root.base_url),
        text(scope),
        opt_text(org),
    ];
    let projects: Vec<Value> = projects.iter().map(|id| text(id)).collect();
    let digest = {
        let mut digest = Fingerprint::default();
        digest.row("root", &head).row("root_project", &projects);
        digest.finish()
    };
    if let Some(no) = find(
        conn,
        "SELECT no FROM root WHERE digest = ?1",
        params![digest],
    )? {
        return Ok((no, digest));
    }
    let [source, base_url, scope, org] = head;
    let no = conn
        .prepare_cached(
            "INSERT INTO root (digest, source, base_url, scope, org) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .insert(params![digest, source, base_url, scope, org])?;
    for (index, id) in projects.into_iter().enumerate() {
        conn.prepare_cached("INSERT INTO root_project (root, position, id) VALUES (?1, ?2, ?3)")?
            .execute(params![no, position(index), id])?;
    }
    Ok((no, digest))
}

/// The number of a project, which is added if it is new.
pub(super) fn project_no(conn: &Connection, id: &str, base_url: &str) -> Result<i64, StoreError> {
    find_or_add(
        conn,
        "SELECT no FROM project WHERE id = ?1 AND base_url = ?2",
        "INSERT INTO project (id, base_url) VALUES (?1, ?2)",
        &[id, base_url],
    )
}

/// Every project by its number.
pub(super) fn projects(conn: &Connection) -> Result<HashMap<i64, ProjectRef>, StoreError> {
    let mut select = conn.prepare_cached("SELECT no, id, base_url FROM project")?;
    let mut rows = select.query([])?;
    let mut projects = HashMap::new();
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "project",
            row,
        };
        let project = ProjectRef {
            id: cells.get(1)?,
            base_url: cells.get(2)?,
        };
        projects.insert(cells.get(0)?, project);
    }
    Ok(projects)
}

/// Everything that was read at or before `as_of`, by root and by project.
pub(super) struct Read {
    pub(super) roots: Vec<Root>,
    pub(super) projects: BTreeMap<ProjectRef, Vec<Reading>>,
}

/// Readings come in order of time, kind, cluster and digest: the same evidence gives the same
/// order, whatever was imported first.
pub(super) fn load(conn: &Connection, as_of: Timestamp) -> Result<Read, StoreError> {
    let mut contents = Contents::load(conn)?;
    let mut uses = uses(conn, as_of)?;
    let roots = roots(conn)?;
    let projects = projects(conn)?;
    let runs = runs(conn)?;
    let mut select = conn.prepare_cached(
        "SELECT no, root, project, run, content, cluster, at, identity, outcome, gap, status,
         code, confirmed, digest FROM reading WHERE at <= ?1",
    )?;
    let mut rows = select.query(params![as_of.unix()])?;
    let mut lists: BTreeMap<RootId, Vec<Dated>> = BTreeMap::new();
    let mut of_projects: BTreeMap<ProjectRef, Vec<Dated>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "reading",
            row,
        };
        let root: &RootId = named(&cells, &roots, 1)?;
        let project = match cells.get::<Option<i64>>(2)? {
            None => None,
            Some(_) => Some(named(&cells, &projects, 2)?),
        };
        let content_no = cells.get(4)?;
        let content = contents
            .get(content_no)
            .ok_or_else(|| cells.corrupt("no such content"))?;
        let dated = Dated {
            digest: cells.get(13)?,
            reading: Reading {
                root: root.clone(),
                project: project.map(|project| project.id.clone()),
                cluster: cells.get(5)?,
                at: cells.time(6)?,
                run: named(&cells, &runs, 3)?.clone(),
                identity: cells.get(7)?,
                outcome: outcome(&cells)?,
                content: content.clone(),
            },
        };
        name_projects(root, content, &mut of_projects);
        let of_root = lists.entry(root.clone()).or_default();
        match project {
            None => of_root.push(dated),
            Some(project) => of_projects.entry(project.clone()).or_default().push(dated),
        }
        if let Some(left) = uses.get_mut(&content_no) {
            *left -= 1;
            if *left == 0 {
                contents.forget(content_no);
            }
        }
    }
    Ok(Read {
        roots: lists
            .into_iter()
            .map(|(id, lists)| Root {
                id,
                lists: in_order(lists),
            })
            .collect(),
        projects: of_projects
            .into_iter()
            .map(|(project, readings)| (project, in_order(readings)))
            .collect(),
    })
}

/// How many readings up to `as_of` say the same.
fn uses(conn: &Connection, as_of: Timestamp) -> Result<HashMap<i64, i64>, StoreError> {
    let mut select = conn
        .prepare_cached("SELECT content, count(*) FROM reading WHERE at <= ?1 GROUP BY content")?;
    let uses = select.query_map(params![as_of.unix()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(uses.collect::<Result<_, _>>()?)
}

/// Projects that a reading names belong to the estate even if nothing of them was ever read.
fn name_projects(
    root: &RootId,
    content: &Content,
    projects: &mut BTreeMap<ProjectRef, Vec<Dated>>,
) {
    let asked = match &root.scope {
        Scope::Projects(ids) => ids.as_slice(),
        Scope::AllVisible | Scope::Org(_) => &[],
    };
    let listed = if let Content::Projects(listed) = content {
        listed.as_slice()
    } else {
        &[]
    };
    for id in asked.iter().chain(listed.iter().map(|project| &project.id)) {
        projects
            .entry(ProjectRef {
                id: id.clone(),
                base_url: root.base_url.clone(),
            })
            .or_default();
    }
}

struct Dated {
    /// Breaks ties.
    digest: [u8; 32],
    reading: Reading,
}

fn in_order(mut readings: Vec<Dated>) -> Vec<Reading> {
    fn key(dated: &Dated) -> (Timestamp, &'static str, Option<&str>, [u8; 32]) {
        let reading = &dated.reading;
        (
            reading.at,
            reading.content.word(),
            reading.cluster.as_deref(),
            dated.digest,
        )
    }
    readings.sort_unstable_by(|one, other| key(one).cmp(&key(other)));
    let mut readings: Vec<Reading> = readings.into_iter().map(|dated| dated.reading).collect();
    readings.shrink_to_fit();
    readings
}

/// What the number in a column stands for.
fn named<'n, T>(
    cells: &Cells<'_>,
    names: &'n HashMap<i64, T>,
    column: usize,
) -> Result<&'n T, StoreError> {
    let no = cells.get::<i64>(column)?;
    names
        .get(&no)
        .ok_or_else(|| cells.corrupt(format!("it refers to the missing row {no}")))
}

fn outcome(cells: &Cells<'_>) -> Result<Outcome, StoreError> {
    Ok(match cells.str(8)? {
        "whole" => Outcome::Whole,
        "partial" => Outcome::Partial(cells.word(9, &Gap::ALL, Gap::word)?),
        "refused" => Outcome::Refused {
            status: cells.get(10)?,
            code: cells.get(11)?,
            confirmed: cells.get(12)?,
        },
        unknown => return Err(cells.unknown_word(unknown)),
    })
}

pub(super) fn roots(conn: &Connection) -> Result<HashMap<i64, RootId>, StoreError> {
    let mut asked: HashMap<i64, Vec<String>> = HashMap::new();
    let mut select =
        conn.prepare_cached("SELECT root, id FROM root_project ORDER BY root, position")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "root_project",
            row,
        };
        asked.entry(cells.get(0)?).or_default().push(cells.get(1)?);
    }
    let mut select = conn.prepare_cached("SELECT no, source, base_url, scope, org FROM root")?;
    let mut rows = select.query([])?;
    let mut roots = HashMap::new();
    while let Some(row) = rows.next()? {
        let cells = Cells { table: "root", row };
        let no = cells.get(0)?;
        let scope = match cells.str(3)? {
            "all-visible" => Scope::AllVisible,
            "org" => Scope::Org(cells.get(4)?),
            "projects" => Scope::Projects(asked.remove(&no).unwrap_or_default()),
            unknown => return Err(cells.unknown_word(unknown)),
        };
        let root = RootId {
            source: cells.word(1, &Source::ALL, Source::word)?,
            base_url: cells.get(2)?,
            scope,
        };
        roots.insert(no, root);
    }
    Ok(roots)
}

fn runs(conn: &Connection) -> Result<HashMap<i64, String>, StoreError> {
    let mut select = conn.prepare_cached("SELECT no, text FROM run")?;
    let mut rows = select.query([])?;
    let mut runs = HashMap::new();
    while let Some(row) = rows.next()? {
        let cells = Cells { table: "run", row };
        runs.insert(cells.get(0)?, cells.get(1)?);
    }
    Ok(runs)
}
