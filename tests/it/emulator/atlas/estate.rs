//! What the service holds: organisations, projects, clusters and what hangs on them. Tests put it
//! together, and change it while somebody reads.

use serde_json::{Value, json};

/// What the credential may in a project, each more than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// The project is on the list and refuses everything else.
    Nothing,
    ReadOnly,
    BackupManager,
    Owner,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Estate {
    pub(crate) projects: Vec<Project>,
}

#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) org: String,
    pub(crate) role: Role,
    /// Encryption at rest.
    pub(crate) settings: Value,
    /// Any number may bear one name: a deleted one's snapshots stay when another takes its name.
    pub(crate) clusters: Vec<Cluster>,
    /// `{"created", "eventTypeName"}`.
    pub(crate) events: Vec<Value>,
    pub(crate) policy: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    ReplicaSet,
    Sharded,
    Flex,
}

#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) form: Form,
    /// Terminated with its backups kept: on the list only where deleted ones are asked for.
    pub(crate) deleted: bool,
    /// Merged over what an ordinary cluster shows; `null` removes a field.
    pub(crate) fields: Value,
    pub(crate) snapshots: Vec<Value>,
    /// What its snapshot lists are answered with instead.
    pub(crate) no_snapshots: Option<(u16, &'static str)>,
    /// Merged over an ordinary schedule; `None` is answered with 404.
    pub(crate) schedule: Option<Value>,
    pub(crate) jobs: Vec<Value>,
}

/// An id of 24 hexadecimal digits.
pub(crate) fn id(kind: u32, number: usize) -> String {
    format!("66aa{kind:04x}{number:016x}")
}

impl Project {
    /// Of organisation 1, without customer keys; the credential owns it.
    pub(crate) fn new(number: usize, name: &str) -> Self {
        Self {
            id: id(1, number),
            name: name.to_owned(),
            org: id(0, 1),
            role: Role::Owner,
            settings: json!({
                "awsKms": {"enabled": false},
                "azureKeyVault": {"enabled": false},
                "googleCloudKms": {"enabled": false},
                "enabledForSearchNodes": false,
            }),
            clusters: Vec::new(),
            events: Vec::new(),
            policy: None,
        }
    }

    /// Its key from now on.
    pub(crate) fn set_aws_key(&mut self, arn: &str) {
        let region = arn.split(':').nth(3).unwrap_or_default();
        self.settings["awsKms"] = json!({
            "enabled": true,
            "customerMasterKeyID": arn,
            "region": region.to_ascii_uppercase().replace('-', "_"),
            "roleId": id(9, 1),
            "requirePrivateNetworking": false,
            "valid": true,
        });
    }

    pub(crate) fn with_aws_key(mut self, arn: &str) -> Self {
        self.set_aws_key(arn);
        self
    }

    pub(crate) fn with(mut self, cluster: Cluster) -> Self {
        self.clusters.push(cluster);
        self
    }

    /// The cluster that answers to a name: a running one before a deleted one.
    pub(super) fn cluster(&self, name: &str) -> Option<&Cluster> {
        let of_name = || self.clusters.iter().filter(|c| c.name == name);
        of_name().find(|c| !c.deleted).or_else(|| of_name().next())
    }

    pub(crate) fn cluster_mut(&mut self, name: &str) -> &mut Cluster {
        let found = self.clusters.iter_mut().find(|c| c.name == name);
        found.unwrap_or_else(|| panic!("no cluster {name}"))
    }
}

impl Cluster {
    /// A dedicated cluster under AWS with backups and without point-in-time restore.
    pub(crate) fn new(number: usize, name: &str, form: Form) -> Self {
        Self {
            id: id(2, number),
            name: name.to_owned(),
            form,
            deleted: false,
            fields: json!({}),
            snapshots: Vec::new(),
            no_snapshots: None,
            schedule: Some(json!({})),
            jobs: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, snapshot: Value) -> Self {
        self.snapshots.push(snapshot);
        self
    }

    /// With fields of its own.
    pub(crate) fn showing(mut self, fields: Value) -> Self {
        self.fields = fields;
        self
    }
}

/// A completed daily snapshot; the shape follows its cluster when it is shown.
pub(crate) fn snapshot(number: usize, created: &str, expires: &str, key: Option<&str>) -> Value {
    let mut snapshot = json!({
        "id": id(3, number),
        "status": "completed",
        "snapshotType": "scheduled",
        "frequencyType": "daily",
        "createdAt": created,
        "expiresAt": expires,
        "mongodVersion": "8.0.16",
        "policyItems": [id(4, 1)],
        "storageSizeBytes": 4_294_967_296_u64,
    });
    if let Some(key) = key {
        snapshot["masterKeyUUID"] = key.into();
    }
    snapshot
}

/// Puts fields over an object; `null` removes one.
pub(super) fn merge(object: &mut Value, over: &Value) {
    if let (Some(fields), Some(over)) = (object.as_object_mut(), over.as_object()) {
        for (name, value) in over {
            if value.is_null() {
                fields.remove(name);
            } else {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
}
