//! The things of the estate as the API shows them.

use serde_json::{Value, json};

use super::Quirks;
use super::estate::{Cluster, Form, Project, id, merge};

pub(super) fn project(project: &Project, quirks: &Quirks) -> Value {
    let path = format!("/api/atlas/v2/groups/{}", project.id);
    let dedicated = project.clusters.iter().filter(|c| !c.deleted).count();
    json!({
        "clusterCount": dedicated,
        "created": "2025-02-11T09:14:03Z",
        "id": project.id,
        "links": [quirks.link(&path, "self")],
        "name": project.name,
        "orgId": project.org,
        "tags": [],
        "withDefaultAlertsSettings": true,
    })
}

/// With the secrets that the service keeps for itself, if it lets them slip.
pub(super) fn settings(project: &Project, quirks: &Quirks) -> Value {
    let mut settings = project.settings.clone();
    let fields = [
        ("awsKms", "accessKeyID"),
        ("awsKms", "secretAccessKey"),
        ("azureKeyVault", "clientID"),
        ("azureKeyVault", "secret"),
        ("googleCloudKms", "serviceAccountKey"),
    ];
    for (block, field) in fields {
        if let Some(secret) = quirks.secret(field) {
            settings[block][field] = secret;
        }
    }
    settings
}

pub(super) fn cluster(cluster: &Cluster, project: &Project, quirks: &Quirks) -> Value {
    let path = format!(
        "/api/atlas/v2/groups/{}/clusters/{}",
        project.id, cluster.name
    );
    let kind = match cluster.form {
        Form::ReplicaSet | Form::Flex => "REPLICASET",
        Form::Sharded => "SHARDED",
    };
    let shards = if cluster.form == Form::Sharded { 2 } else { 1 };
    let spec = |number: usize| {
        json!({
            "id": id(5, number),
            "regionConfigs": [{
                "electableSpecs": {"diskSizeGB": 40.0, "instanceSize": "M30", "nodeCount": 3},
                "priority": 7,
                "providerName": "AWS",
                "regionName": "US_EAST_1",
            }],
            "zoneId": id(6, 1),
            "zoneName": "Zone 1",
        })
    };
    let specs: Vec<Value> = (1..=shards).map(spec).collect();
    let host = format!("{}.k3v9x.mongodb.net", cluster.name);
    let mut shown = json!({
        "backupEnabled": true,
        "clusterType": kind,
        "connectionStrings": {"standardSrv": format!("mongodb+srv://{host}")},
        "createDate": "2025-02-12T10:00:00Z",
        "encryptionAtRestProvider": "AWS",
        "groupId": project.id,
        "id": cluster.id,
        "internalClusterRole": "NONE",
        "labels": [],
        "links": [quirks.link(&path, "self")],
        "mongoDBMajorVersion": "8.0",
        "mongoDBVersion": "8.0.16",
        "name": cluster.name,
        "paused": false,
        "pitEnabled": false,
        "replicationSpecs": specs,
        "stateName": "IDLE",
        "terminationProtectionEnabled": false,
    });
    merge(&mut shown, &cluster.fields);
    shown
}

/// As the list for all clusters shows it.
pub(super) fn snapshot(
    snapshot: &Value,
    cluster: &Cluster,
    project: &Project,
    quirks: &Quirks,
) -> Value {
    let of_cluster = format!(
        "/api/atlas/v2/groups/{}/clusters/{}",
        project.id, cluster.name
    );
    let no = snapshot["id"].as_str().unwrap_or_default();
    let mut shown = json!({
        "links": [
            quirks.link(&format!("{of_cluster}/backup/snapshots/{no}"), "self"),
            quirks.link(&of_cluster, "https://cloud.mongodb.com/cluster"),
        ],
    });
    if cluster.form == Form::Sharded {
        shown["type"] = "shardedCluster".into();
    } else {
        merge(
            &mut shown,
            &json!({
                "type": "replicaSet",
                "cloudProvider": "AWS",
                "copyRegions": [],
                "replicaSetName": cluster.name,
            }),
        );
    }
    merge(&mut shown, snapshot);
    shown
}

/// As the list of sharded ones shows it: with its members, which carry no key.
pub(super) fn sharded(shown: &mut Value, cluster: &Cluster) {
    let member = |number: usize| {
        let no = id(7, number);
        json!({"id": no, "cloudProvider": "AWS",
            "replicaSetName": format!("{}-shard-{number}", cluster.name)})
    };
    let members: Vec<Value> = (0..2).map(member).collect();
    let ids: Vec<Value> = members.iter().map(|m| m["id"].clone()).collect();
    merge(
        shown,
        &json!({"members": members, "snapshotIds": ids, "configServerType": "EMBEDDED"}),
    );
}

pub(super) fn schedule(schedule: &Value, cluster: &Cluster) -> Value {
    let mut shown = json!({
        "autoExportEnabled": false,
        "clusterId": cluster.id,
        "clusterName": cluster.name,
        "copyPolicyItemsEnabled": false,
        "copySettings": [],
        "extraRetentionSettings": [],
        "policies": [{"id": id(4, 0), "policyItems": [{
            "id": id(4, 1),
            "frequencyType": "daily",
            "frequencyInterval": 1,
            "retentionUnit": "days",
            "retentionValue": 7,
        }]}],
        "referenceHourOfDay": 1,
        "referenceMinuteOfHour": 0,
        "restoreWindowDays": 7,
    });
    merge(&mut shown, schedule);
    shown
}

/// A job, with the links to its files, which are keys to them as long as they live.
pub(super) fn job(job: &Value, quirks: &Quirks) -> Value {
    let mut shown = json!({
        "cancelled": false,
        "deliveryType": "automated",
        "deliveryUrl": [],
        "expired": false,
        "failed": false,
    });
    merge(&mut shown, job);
    if let (Some(url), Some(part)) = (quirks.secret("deliveryUrl"), quirks.secret("downloadUrl")) {
        shown["deliveryUrl"] = json!([url]);
        shown["components"] = json!([{"replicaSetName": "shard-0", "downloadUrl": part}]);
    }
    shown
}

pub(super) fn event(event: &Value, number: usize, project: &Project) -> Value {
    let mut shown = json!({
        "groupId": project.id,
        "id": id(8, number),
        "isGlobalAdmin": false,
        "links": [],
        "orgId": project.org,
    });
    merge(&mut shown, event);
    shown
}

/// A flex cluster; it never carries a customer key.
pub(super) fn flex(cluster: &Cluster, project: &Project) -> Value {
    let mut shown = json!({
        "backupSettings": {"enabled": true},
        "clusterType": "REPLICASET",
        "createDate": "2026-03-02T13:10:00Z",
        "groupId": project.id,
        "id": cluster.id,
        "mongoDBVersion": "8.0.16",
        "name": cluster.name,
        "providerSettings": {
            "backingProviderName": "AWS",
            "diskSizeGB": 5.0,
            "providerName": "FLEX",
            "regionName": "US_EAST_1",
        },
        "stateName": "IDLE",
    });
    merge(&mut shown, &cluster.fields);
    shown
}

/// A flex cluster's snapshot has names of its own for everything.
pub(super) fn flex_snapshot(snapshot: &Value) -> Value {
    let status = snapshot["status"].as_str().unwrap_or_default();
    json!({
        "expiration": snapshot["expiresAt"],
        "finishTime": snapshot["createdAt"],
        "id": snapshot["id"],
        "mongoDBVersion": "8.0.16",
        "scheduledTime": snapshot["createdAt"],
        "startTime": snapshot["createdAt"],
        "status": status.to_ascii_uppercase(),
    })
}
