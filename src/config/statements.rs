//! The statements of `snapkey.toml`: dated, reasoned lines that stand for evidence. Refuses those
//! that contradict themselves or each other; whether evidence contradicts them is for `assess`.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::section::Section;
use crate::model::key_id::{Match, Provider, Spelling};
use crate::model::policy::{
    AbsentKey, CustomerKeys, Hold, KeyStatement, ProjectStatement, RetiredKey, Waiver,
};
use crate::model::verdict::Code;
use crate::model::{AwsRole, KeyId, Timestamp};

/// When a statement was made, and why.
fn dated(section: &mut Section<'_>) -> Option<(Timestamp, String)> {
    let stated = section.since("stated");
    let stated = section.required("stated", stated);
    let reason = section.text("reason");
    let reason = section.required("reason", reason);
    Some((stated?, reason?))
}

/// `[[key]]`, none of which gives one id two keys, and the roles in which AWS is asked about
/// some of them, no key having two.
pub(super) fn keys(top: &mut Section<'_>) -> (Vec<KeyStatement>, BTreeMap<KeyId, AwsRole>) {
    let (all, roles): (Vec<KeyStatement>, Vec<Option<AwsRole>>) =
        top.tables("key", key).into_iter().unzip();
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
    let mut asked_as: BTreeMap<KeyId, AwsRole> = BTreeMap::new();
    for (statement, role) in all.iter().zip(roles) {
        let Some(role) = role else { continue };
        if let Some(other) = asked_as.insert(statement.is.clone(), role.clone())
            && other != role
        {
            top.problem(
                "key",
                format!(
                    "`{}` is to be asked about as `{}` and `{}`, or with two external ids",
                    statement.is,
                    other.arn(),
                    role.arn()
                ),
            );
        }
    }
    (all, asked_as)
}

fn key(section: &mut Section<'_>) -> Option<(KeyStatement, Option<AwsRole>)> {
    let id = section.text("id");
    let id = section.required("id", id);
    let is = section.text("is");
    let is = section.required("is", is);
    let project = section.text("project");
    let dated = dated(section);
    let is = is.and_then(|is| {
        KeyId::from_str(&is)
            .inspect_err(|error| section.problem("is", error.to_string()))
            .ok()
    });
    let role = role(section, is.as_ref());
    let (id, is) = (id?, is?);
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
    let statement = KeyStatement {
        id,
        is,
        project,
        stated,
        reason,
    };
    Some((statement, role))
}

/// `role_arn` and `external_id`: the role in which AWS is asked about the key `is`.
fn role(section: &mut Section<'_>, is: Option<&KeyId>) -> Option<AwsRole> {
    const ARN: &str = "role_arn";
    const EXTERNAL_ID: &str = "external_id";
    let arn = section.text(ARN);
    let external_id = section.text(EXTERNAL_ID);
    if let Some(key) = is.filter(|key| key.aws().is_none()) {
        for (name, given) in [(ARN, &arn), (EXTERNAL_ID, &external_id)] {
            if given.is_some() {
                section.problem(
                    name,
                    format!("`{key}` is no AWS key; only those have roles"),
                );
            }
        }
        return None;
    }
    let Some(arn) = arn else {
        if external_id.is_some() {
            section.problem(EXTERNAL_ID, "there is no `role_arn` that it could be for");
        }
        return None;
    };
    let role = AwsRole::read(&arn)
        .inspect_err(|error| section.problem(ARN, error.to_string()))
        .ok()?;
    // Credentials of one partition are unknown in all others.
    if let Some(key) = is.and_then(KeyId::aws)
        && key.partition() != role.partition()
    {
        section.problem(
            ARN,
            format!("`{arn}` is of another partition than `{key}`, where it counts for nothing"),
        );
    }
    match external_id {
        None => Some(role),
        Some(external_id) => role
            .with_external_id(&external_id)
            .inspect_err(|error| section.problem(EXTERNAL_ID, error.to_string()))
            .ok(),
    }
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

/// `[[waiver]]`. Its date is when it ends; when it was written may be said besides.
pub(super) fn waiver(section: &mut Section<'_>) -> Option<Waiver> {
    let codes: Vec<(&str, Code)> = Code::ALL.iter().map(|code| (code.word(), *code)).collect();
    let code = section.word("code", &codes);
    let code = section.required("code", code);
    let subject = section.text("subject");
    let subject = section.required("subject", subject);
    let until = section.until("until");
    let until = section.required("until", until);
    let reason = section.text("reason");
    let reason = section.required("reason", reason);
    section.since("stated");
    if let Some(Code::WaiverUnused | Code::WaiverExpired) = code {
        section.problem("code", "is about waivers: set its level in [policy]");
        return None;
    }
    Some(Waiver {
        code: code?,
        subject: subject?,
        until: until?,
        reason: reason?,
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
