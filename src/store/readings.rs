//! Who said what when: roots, projects, runs and readings, in and out. What a reading says is in
//! `content`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::error::StoreError;
use super::lowered::{
    Cells, Fingerprint, find, find_or_add, flag, opt_text, opt_word, position, text, time,
};
use super::numbered::Numbered;
use super::{content, contents};
use crate::model::evidence::Root;
use crate::model::reading::{Content, Earlier, Gap, Outcome, Scope};
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
pub(super) fn projects(conn: &Connection) -> Result<Numbered<Arc<ProjectRef>>, StoreError> {
    let mut select = conn.prepare_cached("SELECT no, id, base_url FROM project ORDER BY no")?;
    let mut rows = select.query([])?;
    let mut projects = Numbered::new();
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "project",
            row,
        };
        let project = ProjectRef {
            id: cells.get(1)?,
            base_url: cells.get(2)?,
        };
        projects.push(cells.get(0)?, Arc::new(project));
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
///
/// A project is known by a reading of it, or by a snapshot. `later_exists`: of some only things are
/// known that were not yet by then, so those without a reading are left out.
pub(super) fn load(
    conn: &Connection,
    as_of: Timestamp,
    later_exists: bool,
) -> Result<Read, StoreError> {
    let contents = contents::load(conn)?;
    let roots = roots(conn)?;
    let projects = projects(conn)?;
    let runs = runs(conn)?;
    let ids: Vec<Arc<str>> = projects.iter().map(|p| Arc::from(p.id.as_str())).collect();
    let [mut clusters, mut identities] = [Shared::default(), Shared::default()];
    let none = || std::iter::repeat_with(|| None);
    let mut of_roots: Vec<Option<Gathered>> = none().take(roots.len()).collect();
    let mut of_projects: Vec<Option<Gathered>> = none().take(projects.len()).collect();
    let mut select = conn.prepare_cached(
        "SELECT no, root, project, run, content, cluster, at, identity, outcome, digest, gap,
         status, code, confirmed FROM reading WHERE at <= ?1",
    )?;
    let mut rows = select.query(params![as_of.unix()])?;
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "reading",
            row,
        };
        let (root_place, root) = named(&cells, &roots, 1)?;
        let project_place = match cells.get::<Option<i64>>(2)? {
            None => None,
            Some(no) => Some(place(&cells, &projects, no)?),
        };
        let dated = Dated {
            digest: cells.get(9)?,
            reading: Reading {
                root: Arc::clone(root),
                project: project_place.and_then(|place| ids.get(place).cloned()),
                cluster: clusters.cell(&cells, 5)?,
                at: cells.time(6)?,
                run: Arc::clone(named(&cells, &runs, 3)?.1),
                identity: identities.cell(&cells, 7)?,
                outcome: outcome(&cells)?,
                content: Arc::clone(named(&cells, &contents, 4)?.1),
                before: Vec::new(),
            },
        };
        let of_root = of_roots.get_mut(root_place);
        let of_root = of_root.map(|of| of.get_or_insert_default());
        let of_project = project_place.and_then(|place| of_projects.get_mut(place));
        match of_project.map(|of| of.get_or_insert_default()).or(of_root) {
            Some(readings) => readings.add(dated),
            None => return Err(cells.corrupt("it has no place")),
        }
    }
    let mut read = Read {
        roots: Vec::new(),
        projects: BTreeMap::new(),
    };
    for (id, lists) in roots.values().zip(of_roots) {
        if let Some(lists) = lists {
            let lists = lists.in_order();
            let id = RootId::clone(&id);
            read.roots.push(Root { id, lists });
        }
    }
    let of_projects = projects.values().zip(of_projects);
    let mut of_projects: Vec<(ProjectRef, Gathered)> = of_projects
        .filter_map(|(project, readings)| {
            let without = || (!later_exists).then(Gathered::default);
            Some((Arc::unwrap_or_clone(project), readings.or_else(without)?))
        })
        .collect();
    // A map is cheap to build of what is sorted.
    of_projects.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    for (project, readings) in of_projects {
        read.projects.insert(project, readings.in_order());
    }
    read.roots
        .sort_unstable_by(|one, other| one.id.cmp(&other.id));
    name_projects(&mut read);
    Ok(read)
}

/// Projects that a root or one of its lists names belong to the estate even if nothing of them was
/// ever read.
fn name_projects(read: &mut Read) {
    for Root { id: root, lists } in &read.roots {
        let asked = match &root.scope {
            Scope::Projects(ids) => ids.as_slice(),
            Scope::AllVisible | Scope::Org(_) => &[],
        };
        let listed = lists.iter().flat_map(|list| {
            if let Content::Projects(listed) = &*list.content {
                listed.as_slice()
            } else {
                &[]
            }
        });
        let mut project = ProjectRef {
            id: String::new(),
            base_url: root.base_url.clone(),
        };
        for id in asked.iter().chain(listed.map(|project| &project.id)) {
            project.id.clone_from(id);
            // Mostly it has readings.
            if !read.projects.contains_key(&project) {
                read.projects.insert(project.clone(), Vec::new());
            }
        }
    }
}

struct Dated {
    /// Breaks ties.
    digest: [u8; 32],
    reading: Reading,
}

impl Dated {
    fn order(&self) -> (Timestamp, &'static str, Option<&str>, &[u8; 32]) {
        let reading = &self.reading;
        (
            reading.at,
            reading.content.word(),
            reading.cluster.as_deref(),
            &self.digest,
        )
    }
}

/// The readings of a project, or of a root.
#[derive(Default)]
struct Gathered {
    readings: Vec<Dated>,
    /// Of what was read again and again, the newest of each: so few that they are looked through.
    newest: Vec<Dated>,
}

impl Gathered {
    fn add(&mut self, mut dated: Dated) {
        if dated.reading.content.earlier() == Earlier::Count {
            self.readings.push(dated);
            return;
        }
        for known in &mut self.newest {
            // Mostly the new one is later.
            if known.order() <= dated.order() {
                if dated.reading.supersedes(&mut known.reading) {
                    *known = dated;
                    return;
                }
            } else if known.reading.supersedes(&mut dated.reading) {
                return;
            }
        }
        self.newest.push(dated);
    }

    fn in_order(mut self) -> Vec<Reading> {
        self.readings.append(&mut self.newest);
        self.readings
            .sort_unstable_by(|one, other| one.order().cmp(&other.order()));
        let readings = self.readings.into_iter();
        let mut readings: Vec<Reading> = readings.map(|dated| dated.reading).collect();
        // It may have taken over the room of what it was made of, and stays.
        readings.shrink_to_fit();
        readings
    }
}

/// What the number in a column stands for, and where that stands.
fn named<'n, T>(
    cells: &Cells<'_>,
    names: &'n Numbered<T>,
    column: usize,
) -> Result<(usize, &'n T), StoreError> {
    let no = cells.get(column)?;
    let place = place(cells, names, no)?;
    let name = names.at(place).ok_or_else(|| missing(cells, no))?;
    Ok((place, name))
}

fn place<T>(cells: &Cells<'_>, names: &Numbered<T>, no: i64) -> Result<usize, StoreError> {
    names.place(no).ok_or_else(|| missing(cells, no))
}

fn missing(cells: &Cells<'_>, no: i64) -> StoreError {
    cells.corrupt(format!("it refers to the missing row {no}"))
}

fn outcome(cells: &Cells<'_>) -> Result<Outcome, StoreError> {
    Ok(match cells.str(8)? {
        "whole" => Outcome::Whole,
        "partial" => Outcome::Partial(cells.word(10, &Gap::ALL, Gap::word)?),
        "refused" => Outcome::Refused {
            status: cells.get(11)?,
            code: cells.get(12)?,
            confirmed: cells.get(13)?,
        },
        unknown => return Err(cells.unknown_word(unknown)),
    })
}

/// Texts of a column that many readings share.
#[derive(Default)]
struct Shared {
    known: HashSet<Arc<str>>,
    /// Neighbors mostly have the same.
    last: Option<Arc<str>>,
}

impl Shared {
    fn cell(&mut self, cells: &Cells<'_>, column: usize) -> Result<Option<Arc<str>>, StoreError> {
        let Some(text) = cells.opt_str(column)? else {
            return Ok(None);
        };
        if self.last.as_deref() != Some(text) {
            let known = self.known.get(text).cloned();
            let shared = known.unwrap_or_else(|| Arc::from(text));
            self.known.insert(Arc::clone(&shared));
            self.last = Some(shared);
        }
        Ok(self.last.clone())
    }
}

pub(super) fn roots(conn: &Connection) -> Result<Numbered<Arc<RootId>>, StoreError> {
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
    let mut select =
        conn.prepare_cached("SELECT no, source, base_url, scope, org FROM root ORDER BY no")?;
    let mut rows = select.query([])?;
    let mut roots = Numbered::new();
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
        roots.push(no, Arc::new(root));
    }
    Ok(roots)
}

fn runs(conn: &Connection) -> Result<Numbered<Arc<str>>, StoreError> {
    let mut select = conn.prepare_cached("SELECT no, text FROM run ORDER BY no")?;
    let mut rows = select.query([])?;
    let mut runs = Numbered::new();
    while let Some(row) = rows.next()? {
        let cells = Cells { table: "run", row };
        runs.push(cells.get(0)?, Arc::from(cells.str(1)?));
    }
    Ok(runs)
}
