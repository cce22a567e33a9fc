//! What a loose object is, told by its members alone: the shapes that users really have
//! (responses of the Atlas Administration API of every version, what the Atlas CLI and mongocli
//! print, recorded key answers, snapkey's own forms), and those that are not read.

use crate::ingest::lower;
use crate::ingest::node::Node;

/// The shape of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A page of a list.
    Page,
    Snapshot,
    Cluster,
    /// A Flex cluster or a serverless instance.
    SharedCluster,
    Project,
    Settings,
    Schedule,
    CompliancePolicy,
    RestoreJob,
    Event,
    /// A line of snapkey's own inventory form.
    OwnInventory,
    /// A line of snapkey's own form for key answers.
    OwnKeyAnswer,
    /// The answer of a provider's own command line: `aws kms describe-key`, `az keyvault key`,
    /// `gcloud kms keys versions`.
    RecordedKey,
    /// Known, and not needed.
    Unneeded(&'static str),
    /// Known, and not read.
    Refused(&'static str),
    Unknown,
}

const OPS_MANAGER: &str = "is of Ops Manager: Ops Manager inventories are not read yet";
const MANIFEST: &str = "is the manifest of a bundle: give the folder that it lies in";

/// Tells the shape of an object. The order matters: the more telling members come first.
pub(super) fn of(node: &Node) -> Shape {
    let has = |name: &str| node.has(name);
    let any = |names: &[&str]| names.iter().any(|name| node.has(name));
    let text = |name: &str| node.get(name).and_then(Node::as_text);
    if node.get("results").and_then(Node::as_list).is_some() {
        return Shape::Page;
    }
    if has("format") && any(&["requests", "base_url"]) {
        return Shape::Refused(MANIFEST);
    }
    if text("kind").is_some_and(|kind| !kind.contains('#')) {
        return Shape::OwnInventory;
    }
    if has("key") && has("condition") {
        return Shape::OwnKeyAnswer;
    }
    if has("KeyMetadata") {
        return Shape::RecordedKey;
    }
    if let Some(shape) = of_other_tools(node) {
        return shape;
    }
    if any(&["awsKms", "azureKeyVault", "googleCloudKms"]) {
        return Shape::Settings;
    }
    if any(&["policies", "referenceHourOfDay", "nextSnapshot"]) {
        return Shape::Schedule;
    }
    if any(&[
        "scheduledPolicyItems",
        "copyProtectionEnabled",
        "authorizedEmail",
    ]) {
        return Shape::CompliancePolicy;
    }
    if has("deliveryType") {
        return Shape::RestoreJob;
    }
    if any(&["exportBucketId", "exportStatus"]) {
        return Shape::Unneeded("export jobs");
    }
    if has("bucketName") {
        return Shape::Unneeded("export buckets");
    }
    if has("alertConfigId") {
        return Shape::Unneeded("alerts");
    }
    if has("eventTypeName") {
        return if has("created") && !any(&["notifications", "enabled"]) {
            Shape::Event
        } else {
            Shape::Unneeded("alert configurations")
        };
    }
    if any(&[
        "clusterType",
        "replicationSpecs",
        "stateName",
        "providerSettings",
    ]) {
        return if lower::is_shared_cluster(node) {
            Shape::SharedCluster
        } else {
            Shape::Cluster
        };
    }
    if is_snapshot(node) {
        return Shape::Snapshot;
    }
    if has("id") && has("name") {
        if has("orgId") {
            return Shape::Project;
        }
        if any(&["isDeleted", "skipDefaultAlertsSettings"]) || links_to_an_organization(node) {
            return Shape::Unneeded("organizations");
        }
    }
    Shape::Unknown
}

/// Ops Manager and the key tools of Azure and Google.
fn of_other_tools(node: &Node) -> Option<Shape> {
    let has = |name: &str| node.has(name);
    let any = |names: &[&str]| names.iter().any(|name| node.has(name));
    if has("restorable") && any(&["started", "timestamp"]) {
        return Some(Shape::Unneeded("checkpoints"));
    }
    if any(&[
        "parts",
        "lastOplogAppliedTimestamp",
        "snapshotIntervalHours",
        "encryptionKeyUUID",
        "storageEngineName",
        "batchId",
        "missingShards",
    ]) || (has("typeName") && any(&["clusterName", "replicaSetName"]))
        || (has("statusName") && has("groupId"))
        || (has("complete") && has("created"))
    {
        return Some(Shape::Refused(OPS_MANAGER));
    }
    let kid = |node: &Node| node.has("kid");
    if node.get("key").is_some_and(kid)
        || (has("attributes") && any(&["kid", "recoveryId", "scheduledPurgeDate"]))
    {
        return Some(Shape::RecordedKey);
    }
    let name = node.get("name").and_then(Node::as_text).unwrap_or_default();
    if name.contains("/cryptoKeyVersions/") {
        return Some(Shape::RecordedKey);
    }
    None
}

fn is_snapshot(node: &Node) -> bool {
    const TELLING: [&str; 10] = [
        "masterKeyUUID",
        "snapshotType",
        "frequencyType",
        "snapshotIds",
        "copyRegions",
        "expiresAt",
        "expiration",
        "scheduledTime",
        "serverlessInstanceName",
        "mongodVersion",
    ];
    if !node.has("id") {
        return node.has("snapshotType") || node.has("masterKeyUUID");
    }
    if TELLING.iter().any(|name| node.has(name)) {
        return true;
    }
    let kind = node.get("type").and_then(Node::as_text).unwrap_or_default();
    let kind = kind.to_ascii_lowercase().replace('_', "");
    matches!(kind.as_str(), "replicaset" | "shardedcluster")
        || (node.has("createdAt") && node.has("status"))
}

fn links_to_an_organization(node: &Node) -> bool {
    crate::ingest::answer::owner_of(node)
        .is_some_and(|owner| owner.org.is_some() && owner.group.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_told_by_their_members() {
        let table = [
            (r#"{"links":[],"results":[]}"#, Shape::Page),
            (
                r#"{"format":"snapkey-bundle/1","requests":[]}"#,
                Shape::Refused(MANIFEST),
            ),
            (
                r#"{"kind":"snapshot","id":"s","project":"p"}"#,
                Shape::OwnInventory,
            ),
            (
                r#"{"key":"k","condition":"enabled","at":"t"}"#,
                Shape::OwnKeyAnswer,
            ),
            (r#"{"KeyMetadata":{"KeyId":"k"}}"#, Shape::RecordedKey),
            (
                r#"{"attributes":{"enabled":true},"key":{"kid":"https://v/keys/k/1"}}"#,
                Shape::RecordedKey,
            ),
            (
                r#"{"attributes":{"enabled":true},"kid":"https://v/keys/k/1"}"#,
                Shape::RecordedKey,
            ),
            (
                r#"{"name":"projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1","state":"ENABLED"}"#,
                Shape::RecordedKey,
            ),
            (
                r#"{"id":"o","groupId":"g","parts":[{"typeName":"REPLICA_SET"}],"complete":true}"#,
                Shape::Refused(OPS_MANAGER),
            ),
            (
                r#"{"groupId":"1","clusterId":"1","statusName":"STARTED"}"#,
                Shape::Refused(OPS_MANAGER),
            ),
            (
                r#"{"id":"c","typeName":"REPLICA_SET","clusterName":"c"}"#,
                Shape::Refused(OPS_MANAGER),
            ),
            (
                r#"{"clusterId":"c","snapshotIntervalHours":6}"#,
                Shape::Refused(OPS_MANAGER),
            ),
            (
                r#"{"id":"c","restorable":true,"started":"t","parts":[]}"#,
                Shape::Unneeded("checkpoints"),
            ),
            (r#"{"awsKms":{"enabled":false}}"#, Shape::Settings),
            (r#"{"clusterName":"c","policies":[]}"#, Shape::Schedule),
            (
                r#"{"projectId":"p","scheduledPolicyItems":[],"restoreWindowDays":1}"#,
                Shape::CompliancePolicy,
            ),
            (
                r#"{"id":"j","deliveryType":"download","expiresAt":"t","snapshotId":"s"}"#,
                Shape::RestoreJob,
            ),
            (
                r#"{"id":"e","exportBucketId":"b","createdAt":"t"}"#,
                Shape::Unneeded("export jobs"),
            ),
            (
                r#"{"_id":"b","bucketName":"n"}"#,
                Shape::Unneeded("export buckets"),
            ),
            (
                r#"{"id":"a","alertConfigId":"c","eventTypeName":"X","created":"t"}"#,
                Shape::Unneeded("alerts"),
            ),
            (
                r#"{"id":"a","eventTypeName":"X","created":"t","notifications":[]}"#,
                Shape::Unneeded("alert configurations"),
            ),
            (
                r#"{"id":"e","eventTypeName":"X","created":"t"}"#,
                Shape::Event,
            ),
            (
                r#"{"id":"c","name":"c","clusterType":"REPLICASET"}"#,
                Shape::Cluster,
            ),
            (
                r#"{"name":"f","clusterType":"REPLICASET","providerSettings":{"providerName":"FLEX"}}"#,
                Shape::SharedCluster,
            ),
            (r#"{"id":"s","masterKeyUUID":"k"}"#, Shape::Snapshot),
            (r#"{"id":"s","type":"REPLICA_SET"}"#, Shape::Snapshot),
            (
                r#"{"id":"s","createdAt":"t","status":"queued"}"#,
                Shape::Snapshot,
            ),
            (
                r#"{"id":"f","scheduledTime":"t","expiration":"t"}"#,
                Shape::Snapshot,
            ),
            (r#"{"id":"p","name":"n","orgId":"o"}"#, Shape::Project),
            (
                r#"{"id":"o","name":"n","isDeleted":false}"#,
                Shape::Unneeded("organizations"),
            ),
            (
                r#"{"id":"o","name":"n","links":[{"href":"/api/atlas/v2/orgs/o"}]}"#,
                Shape::Unneeded("organizations"),
            ),
            ("{}", Shape::Unknown),
            (r#"{"name":"package","version":"1"}"#, Shape::Unknown),
        ];
        for (json, shape) in table {
            assert_eq!(of(&Node::read(json.as_bytes()).unwrap()), shape, "{json}");
        }
    }
}
