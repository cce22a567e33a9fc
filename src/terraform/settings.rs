//! What a change of an Atlas project's encryption at rest does to the keys that the project has:
//! one block for each provider, of which Atlas uses the one that is enabled.

use serde_json::Value;

use super::resource::Step;
use super::values::{Block, Body, Field, Shift, Side};
use super::{Action, Keys, Successor};
use crate::model::Spelling;

/// Each block, and the attribute in it that names the key.
const BLOCKS: [(&str, &str); 3] = [
    ("aws_kms_config", "customer_master_key_id"),
    ("azure_key_vault_config", "key_identifier"),
    ("google_cloud_kms_config", "key_version_resource_id"),
];

/// Deleting the resource turns the project's encryption at rest off, and replacing it does so
/// before it is turned on again, in this project or another. Forgetting it changes nothing in
/// Atlas.
pub(super) fn judge(step: Step, body: &Body<'_>) -> Vec<(Action, Keys)> {
    if step == Step::Nothing {
        return Vec::new();
    }
    let untold = |why: &str| vec![(gravest(step), Keys::Unknown(why.to_owned()))];
    if !body.before.is_there() {
        return untold("the plan does not say what was there before");
    }
    let has_none = BLOCKS
        .iter()
        .all(|(block, _)| matches!(body.before.block(block), Block::Absent));
    if has_none {
        return untold("the plan has no block that names a key");
    }
    BLOCKS
        .iter()
        .filter_map(|(block, id)| provider(step, body, block, id))
        .collect()
}

fn gravest(step: Step) -> Action {
    match step {
        Step::Forget => Action::Forget,
        Step::Nothing | Step::Update | Step::Delete | Step::Replace | Step::Untold => {
            Action::Detach
        }
    }
}

/// What becomes of the key of one provider; `None` if the project had none, or keeps it.
fn provider(step: Step, body: &Body<'_>, block: &str, id: &str) -> Option<(Action, Keys)> {
    let old = match body.before.block(block) {
        Block::None => return None,
        Block::One(old) => old,
        Block::Absent => {
            let nowhere = step == Step::Update && matches!(body.after.block(block), Block::Absent);
            let why = format!("the plan has no `{block}`");
            return (!nowhere).then(|| (gravest(step), Keys::Unknown(why)));
        }
        Block::Open => {
            let why = format!("`{block}` is not one block");
            return Some((gravest(step), Keys::Unknown(why)));
        }
    };
    match (old.field("enabled"), old.field(id)) {
        // Off before: whatever is named there is not the project's.
        (Field::Known(Value::Bool(false)), _) | (Field::Null, Field::Null) => return None,
        (Field::Absent | Field::Null | Field::Known(_) | Field::AfterApply, _) => {}
    }
    let key = old.id(id);
    let action = match step {
        Step::Update => updated(old, body.after.block(block), key.as_deref().ok(), id)?,
        Step::Nothing | Step::Delete | Step::Replace | Step::Forget | Step::Untold => gravest(step),
    };
    let keys = match key {
        Ok(key) => Keys::One(key.to_owned()),
        Err(why) => Keys::Unknown(why),
    };
    Some((action, keys))
}

/// `None`: the project keeps the key.
fn updated(old: Side<'_>, after: Block<'_>, key: Option<&str>, id: &str) -> Option<Action> {
    let new = match after {
        Block::One(new) => new,
        Block::Absent | Block::None | Block::Open => return Some(Action::Detach),
    };
    match Shift::between(old.field("enabled"), new.field("enabled")) {
        Shift::Same | Shift::To(Value::Bool(true)) => {}
        Shift::To(_) | Shift::Unset | Shift::Open => return Some(Action::Detach),
    }
    if new.field(id) == Field::Null {
        return Some(Action::Detach);
    }
    let to = match (key, new.id(id)) {
        (_, Err(why)) => Successor::Unknown(why),
        (Some(key), Ok(successor)) if Spelling::read(key) == Spelling::read(successor) => {
            if keeps_region(old, new, key) {
                return None;
            }
            Successor::Unknown(format!(
                "the region moves, and `{id}` names a key in the region"
            ))
        }
        (_, Ok(successor)) => Successor::Known(successor.to_owned()),
    };
    Some(Action::Rotate { to })
}

/// Whether one spelling means one key before and after: a bare AWS id is completed by the region
/// beside it.
fn keeps_region(old: Side<'_>, new: Side<'_>, key: &str) -> bool {
    let spelling = Spelling::read(key);
    if spelling.complete().is_some() {
        return true;
    }
    match (old.field("region"), new.field("region")) {
        (Field::Known(Value::String(old)), Field::Known(Value::String(new))) => {
            spelling.clone().with_region(old) == spelling.with_region(new)
        }
        (old, new) => Shift::between(old, new) == Shift::Same,
    }
}
