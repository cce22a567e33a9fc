//! The statements of `snapkey.toml`: dated, reasoned lines that stand for evidence. Refuses those
//! that contradict themselves or each other; whether evidence contradicts them is for `assess`.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::section::Section;
use crate::model::key_id::{Match, Provider, Spelling};
use crate::model::policy::{
    AbsentKey, CustomerKeys, Hold, KeyStatement, ProjectStatement, RetiredKey,
};
use crate::model::{KeyId, Timestamp};

/// When a statement was made, and why.
fn dated(section: &mut Section<'_>) -> Option<(Timestamp, String)> {
    let stated = section.since("stated");
    let stated = section.required("stated", stated);
    let reason = section.text("reason");
    let reason = section.required("reason", reason);
    Some((stated?, reason?))
}

/// `[[key]]`, none of which gives one id two keys.
pub(super) fn keys(top: &mut Section<'_>) -> Vec<KeyStatement> {
    let all = top.tables("key", key);
    let mut said: BTreeMap<(Spelling, Option<&str>), &KeyId> = BTreeMap::new();
    for statement in &all {
        // Two ways to spell one id are one id.
        let scope = (Spelling::read(&statement.id), statement.project.as_deref());
        if let Some(other) = said.insert(scope, &statement.is)
            && other != &statement.is
        {
            top.problem(
                "key",
                format!(
                    "`{}` is said to be `{other}` and `{}`",
                    statement.id, statement.is
                ),
            );
        }
    }
    all
}

fn key(section: &mut Section<'_>) -> Option<KeyStatement> {
    let id = section.text("id");
    let id = section.required("id", id);
    let is = section.text("is");
    let is = section.required("is", is);
    let project = section.text("project");
    let dated = dated(section);
    section.not_read("role_arn");
    section.not_read("external_id");
    let is = match KeyId::from_str(&is?) {
        Ok(is) => is,
        Err(error) => {
            section.problem("is", error.to_string());
            return None;
        }
    };
    let id = id?;
    let spelled = Spelling::read(&id);
    let fits = match &spelled {
        Spelling::AwsAlias(_) => {
            section.problem("id", points_elsewhere(&id));
            return None;
        }
        // The key map completes what is incomplete; it never overrides a complete spelling.
        Spelling::Complete(complete) => *complete == is,
        Spelling::AwsId { .. }
        | Spelling::AzureKey(_)
        | Spelling::AzureVersion(_)
        | Spelling::GcpKey(_)
        | Spelling::Opaque(_) => {
            spelled.compare(&Spelling::Complete(is.clone())) != Match::Different
        }
    };
    if !fits {
        section.problem("is", format!("`{is}` is another key than the id `{id}`"));
        return None;
    }
    let (stated, reason) = dated?;
    Some(KeyStatement {
        id,
        is,
        project,
        stated,
        reason,
    })
}

/// `[[project]]`, at most one for each project.
pub(super) fn projects(top: &mut Section<'_>) -> Vec<ProjectStatement> {
    let all = top.tables("project", project);
    let mut said = BTreeMap::new();
    for statement in &all {
        if said.insert(&statement.id, ()).is_some() {
            top.problem(
                "project",
                format!("two statements about `{}`", statement.id),
            );
        }
    }
    all
}

fn project(section: &mut Section<'_>) -> Option<ProjectStatement> {
    let id = section.text("id");
    let id = section.required("id", id);
    let says_something = section.has("customer_keys") || section.has("absent_key");
    let customer_keys = customer_keys(section);
    let absent_key = section.word(
        "absent_key",
        &[
            ("not-enabled", AbsentKey::NotEnabled),
            ("project-key", AbsentKey::ProjectKey),
        ],
    );
    let dated = dated(section);
    if !says_something {
        section.objection("says neither `customer_keys` nor `absent_key`");
    }
    let (stated, reason) = dated?;
    Some(ProjectStatement {
        id: id?,
        customer_keys,
        absent_key,
        stated,
        reason,
    })
}

/// `"none"` or a list of keys. An empty list says neither clearly.
fn customer_keys(section: &mut Section<'_>) -> Option<CustomerKeys> {
    const KEY: &str = "customer_keys";
    if !section.is_list(KEY) {
        return section
            .word(KEY, &[("none", ())])
            .map(|()| CustomerKeys::None);
    }
    let keys = section.texts(KEY);
    if keys.is_empty() {
        section.problem(
            KEY,
            "is an empty list; write \"none\" if the project has no key",
        );
        return None;
    }
    for key in &keys {
        refuse_alias(section, KEY, key);
    }
    Some(CustomerKeys::Only(keys))
}

/// `[[hold]]`
pub(super) fn hold(section: &mut Section<'_>) -> Option<Hold> {
    let key = section.text("key");
    let key = section.required("key", key);
    let until = section.until("until");
    let dated = dated(section);
    let key = key?;
    refuse_alias(section, "key", &key);
    let (stated, reason) = dated?;
    Some(Hold {
        key,
        until,
        stated,
        reason,
    })
}

/// `[[retired_key]]`
pub(super) fn retired_key(section: &mut Section<'_>) -> Option<RetiredKey> {
    let key = section.text("key");
    let key = section.required("key", key);
    let dated = dated(section);
    let key = key?;
    // An incomplete spelling says little: many KMIP UIDs look like the key ids of AWS.
    if let Spelling::Complete(complete) = Spelling::read(&key)
        && complete.provider() != Provider::Kmip
    {
        section.problem(
            "key",
            format!("`{key}` is no KMIP key; only those are held by running nodes"),
        );
    }
    let (stated, reason) = dated?;
    Some(RetiredKey {
        key,
        stated,
        reason,
    })
}

/// An alias can be pointed at another key on any day, so a statement about one says nothing.
fn refuse_alias(section: &mut Section<'_>, key: &str, spelled: &str) {
    if let Spelling::AwsAlias(_) = Spelling::read(spelled) {
        section.problem(key, points_elsewhere(spelled));
    }
}

fn points_elsewhere(alias: &str) -> String {
    format!("`{alias}` is an alias, which may point to another key tomorrow; name the key itself")
}
