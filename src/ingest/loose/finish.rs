//! The end of a loose file: its lists become readings, whole only where the user said so and it
//! can be believed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Loose;
use super::group::{Group, GroupKey};
use crate::ingest::error::IngestError;
use crate::ingest::kind::Kind;
use crate::ingest::report::{UselessInput, quoted};
use crate::ingest::rows;
use crate::model::intake::Intake;
use crate::model::reading::{
    Content, Gap, ListedProject, Outcome, RootId, Scope, Source as RootSource,
};
use crate::model::{Reading, Timestamp};

impl<I: Intake> Loose<'_, '_, I> {
    /// Hands over what was gathered, and accounts for the file.
    pub(super) fn finish(mut self) -> Result<(), IngestError<I::Error>> {
        if !self.useful {
            let first = self.rejects.into_iter().next();
            let reason = first.map_or_else(
                || {
                    let empty = "holds an empty list that does not say of what";
                    let nothing = "holds no records";
                    if self.lists { empty } else { nothing }.to_owned()
                },
                |reject| match reject.record.as_str() {
                    "" => reject.reason,
                    record => format!("{record} {}", reject.reason),
                },
            );
            self.shared.report.useless_inputs.push(UselessInput {
                file: self.file.to_owned(),
                reason,
            });
            return Ok(());
        }
        self.shared.report.useful_inputs += 1;
        let held = std::mem::take(&mut self.rejects);
        held.into_iter()
            .for_each(|held| self.shared.report.reject(held));
        for (key, mut group) in std::mem::take(&mut self.groups) {
            let base_url = self.shared.base_url.to_owned();
            let outcome = self.outcome_of(&base_url, &key, &group)?;
            rows::settle(&mut group.content);
            self.keep(
                base_url,
                key.project,
                key.cluster,
                self.at,
                outcome,
                group.content,
            )
            .map_err(IngestError::Intake)?;
        }
        self.finish_inventories()
    }

    fn outcome_of(
        &mut self,
        base_url: &str,
        key: &GroupKey,
        group: &Group,
    ) -> Result<Outcome, IngestError<I::Error>> {
        if let Some(flaw) = self.flaw {
            return Ok(Outcome::Partial(flaw));
        }
        if !self.shared.options.complete {
            return Ok(Outcome::Partial(Gap::LooseFile));
        }
        let outcome = group
            .outcome()
            .map_err(|why| self.not_complete(key, &why))?;
        if outcome == Outcome::Whole
            && !self.shared.given.insert((base_url.to_owned(), key.clone()))
        {
            return Err(self.not_complete(key, "is given twice"));
        }
        Ok(outcome)
    }

    fn not_complete(&self, key: &GroupKey, why: &str) -> IngestError<I::Error> {
        let of = key.cluster.as_ref().or(key.project.as_ref());
        let of = of
            .map(|of| format!(" of {}", quoted(of)))
            .unwrap_or_default();
        let list = key.kind.name();
        let file = self.file;
        IngestError::Usage(format!(
            "`--complete` is refused for `{file}`: the {list}{of} {why}"
        ))
    }

    fn finish_inventories(&mut self) -> Result<(), IngestError<I::Error>> {
        let mut listed: BTreeMap<String, (Timestamp, Vec<ListedProject>)> = BTreeMap::new();
        for (project, inventory) in std::mem::take(&mut self.inventories) {
            let key = GroupKey {
                kind: Kind::Group,
                project: Some(project.id.clone()),
                cluster: None,
            };
            let mut group = Group::new(Kind::Group, None);
            group.count_all(inventory.snapshots);
            let outcome = self.outcome_of(&project.base_url, &key, &group)?;
            let root = listed.entry(project.base_url.clone());
            let (oldest, projects) = root.or_insert_with(|| (inventory.at, Vec::new()));
            *oldest = inventory.at.min(*oldest);
            projects.push(ListedProject {
                id: project.id.clone(),
                name: None,
            });
            let mut declared = inventory.declared;
            declared.sort_unstable();
            declared.dedup();
            let content = Content::Inventory(declared);
            self.keep(
                project.base_url,
                Some(project.id),
                None,
                inventory.at,
                outcome,
                content,
            )
            .map_err(IngestError::Intake)?;
        }
        for (base_url, (at, projects)) in listed {
            let outcome = match (self.flaw, self.shared.options.complete) {
                (Some(flaw), _) => Outcome::Partial(flaw),
                (None, true) => Outcome::Whole,
                (None, false) => Outcome::Partial(Gap::LooseFile),
            };
            self.keep(
                base_url,
                None,
                None,
                at,
                outcome,
                Content::Projects(projects),
            )
            .map_err(IngestError::Intake)?;
        }
        Ok(())
    }

    pub(super) fn keep(
        &mut self,
        base_url: String,
        project: Option<String>,
        cluster: Option<String>,
        at: Timestamp,
        outcome: Outcome,
        content: Content,
    ) -> Result<(), I::Error> {
        self.shared.report.readings += 1;
        self.shared.intake.reading(&Reading {
            root: Arc::new(RootId {
                source: RootSource::Files,
                base_url,
                scope: Scope::AllVisible,
            }),
            project: project.map(Arc::from),
            cluster: cluster.map(Arc::from),
            at,
            run: Arc::clone(&self.run),
            identity: None,
            outcome,
            content: Arc::new(content),
            before: Vec::new(),
        })
    }
}
