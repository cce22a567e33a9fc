//! Where the token for a vault comes from: the order of Azure's own tools (Azure Identity,
//! "DefaultAzureCredential"): environment, workload identity, managed identity, Azure CLI, Azure
//! Developer CLI. What is configured on purpose (the first two) is final: when it fails, nothing
//! else is tried, or the answer would come from another identity than the one that was meant.
//!
//! Nothing of a provider's own error text is kept but its `AADSTS` number: the rest may repeat
//! what a helper printed.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::base64::decode_url_safe;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use azure_core::http::{AsyncRawResponse, ClientOptions, HttpClient, Request, Transport};
use azure_identity::{
    AzureCliCredential, AzureDeveloperCliCredential, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use futures::lock::Mutex;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::sdk::chain;
use crate::probe::text::redact;

/// Looks up an environment variable.
pub(in crate::probe) type Environment<'e> = &'e dyn Fn(&str) -> Option<OsString>;

/// For each way to a token. The command line tools start an interpreter.
const EACH_WITHIN: Duration = Duration::from_secs(10);
/// The metadata service of a machine answers at once or is not there.
const CONNECTED_WITHIN: Duration = Duration::from_secs(1);
/// A token is used this long before it is asked for again: less than the shortest life of one.
const REUSED: Duration = Duration::from_secs(240);

/// The clouds that vaults are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cloud {
    Public,
    Government,
    China,
}

impl Cloud {
    /// By the host name of a vault, whose last labels the grammar of key ids has checked.
    pub(super) fn of(host: &str) -> Self {
        if host.ends_with(".usgovcloudapi.net") {
            Self::Government
        } else if host.ends_with(".azure.cn") {
            Self::China
        } else {
            Self::Public
        }
    }

    fn configuration(self, environment: Environment<'_>) -> CloudConfiguration {
        match self {
            Self::Public => match text(environment, "AZURE_AUTHORITY_HOST") {
                Some(authority) => {
                    let mut custom = CustomConfiguration::default();
                    custom.authority_host = authority;
                    CloudConfiguration::Custom(custom)
                }
                None => CloudConfiguration::AzurePublic,
            },
            Self::Government => CloudConfiguration::AzureGovernment,
            Self::China => CloudConfiguration::AzureChina,
        }
    }
}

/// What a token for this vault is asked for: the domain of its host name.
pub(super) fn scope_of(host: &str) -> String {
    let domain = host.split_once('.').map_or(host, |(_vault, domain)| domain);
    format!("https://{domain}/.default")
}

/// One way to a token.
struct Step {
    name: &'static str,
    credential: Result<Arc<dyn TokenCredential>, String>,
    /// When it fails, no other is tried.
    is_final: bool,
}

/// The ways to a token in one cloud, tried in order until one gives one; from then on that one.
pub(super) struct Chain {
    steps: Vec<Step>,
    state: Mutex<State>,
    failed: OnceLock<String>,
    identity: OnceLock<String>,
}

#[derive(Default)]
struct State {
    chosen: Option<usize>,
    tokens: Vec<(String, AccessToken, Instant)>,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field(
                "steps",
                &self.steps.iter().map(|s| s.name).collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}

impl Chain {
    /// Whatever credential a caller made itself.
    pub(super) fn only(credential: Arc<dyn TokenCredential>) -> Self {
        Self::of(vec![Step {
            name: "the given credential",
            credential: Ok(credential),
            is_final: true,
        }])
    }

    /// As the environment and the machine have them. Nothing is asked yet.
    pub(super) fn found(
        cloud: Cloud,
        http: &reqwest::Client,
        link: &reqwest::Client,
        environment: Environment<'_>,
    ) -> Self {
        let options = ClientOptions {
            transport: Some(Transport::new(Arc::new(http.clone()))),
            cloud: Some(Arc::new(cloud.configuration(environment))),
            ..ClientOptions::default()
        };
        let mut steps = Vec::new();
        steps.extend(client_secret(environment, &options));
        steps.extend(workload_identity(environment, &options));
        steps.push(managed_identity(environment, link));
        steps.push(Step {
            name: "Azure CLI",
            credential: AzureCliCredential::new(None)
                .map(|credential| credential as Arc<dyn TokenCredential>)
                .map_err(|error| why(&error)),
            is_final: false,
        });
        steps.push(Step {
            name: "Azure Developer CLI",
            credential: AzureDeveloperCliCredential::new(None)
                .map(|credential| credential as Arc<dyn TokenCredential>)
                .map_err(|error| why(&error)),
            is_final: false,
        });
        Self::of(steps)
    }

    fn of(steps: Vec<Step>) -> Self {
        Self {
            steps,
            state: Mutex::default(),
            failed: OnceLock::new(),
            identity: OnceLock::new(),
        }
    }

    /// Gets a token before anything is asked, so that waiting for one is not taken for a slow
    /// vault. What failed once is not tried again for each of ten thousand keys.
    ///
    /// # Errors
    /// What was tried and how it went, in words of snapkey's own.
    pub(super) async fn ready(&self, scope: &str) -> Result<(), String> {
        match self.token(scope, None).await {
            Ok(_token) => Ok(()),
            Err(_told) => Err(self.failed().unwrap_or_default()),
        }
    }

    /// Why there is no token, if that is so.
    pub(super) fn failed(&self) -> Option<String> {
        self.failed.get().cloned()
    }

    /// Tenant and object id of who asks, as the token says.
    pub(super) fn identity(&self) -> Option<String> {
        self.identity.get().cloned()
    }

    async fn token(
        &self,
        scope: &str,
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let mut state = self.state.lock().await;
        if let Some(failed) = self.failed.get() {
            return Err(Error::with_message(ErrorKind::Credential, failed.clone()));
        }
        state
            .tokens
            .retain(|(_, _, since)| since.elapsed() < REUSED);
        if let Some((_, token, _)) = state.tokens.iter().find(|(of, _, _)| of == scope) {
            return Ok(token.clone());
        }
        let mut tried = Vec::new();
        for (no, step) in self.steps.iter().enumerate() {
            if state.chosen.is_some_and(|chosen| chosen != no) {
                continue;
            }
            let got = match &step.credential {
                Err(why) => Err(why.clone()),
                Ok(credential) => {
                    let scopes = [scope];
                    let ask = credential.get_token(&scopes, options.clone());
                    match timeout(EACH_WITHIN, ask).await {
                        Ok(Ok(token)) => Ok(token),
                        Ok(Err(error)) => Err(why(&error)),
                        Err(_elapsed) => Err("no answer in time".to_owned()),
                    }
                }
            };
            match got {
                Ok(token) => {
                    state.chosen = Some(no);
                    if let Some(identity) = identity_of(token.token.secret()) {
                        self.identity.get_or_init(|| identity);
                    }
                    let kept = (scope.to_owned(), token.clone(), Instant::now());
                    state.tokens.push(kept);
                    return Ok(token);
                }
                Err(why) => tried.push(format!("{}: {why}", step.name)),
            }
            if step.is_final {
                break;
            }
        }
        let failed = format!("no token could be had ({})", tried.join("; "));
        let failed = self.failed.get_or_init(|| failed).clone();
        Err(Error::with_message(ErrorKind::Credential, failed))
    }
}

#[async_trait]
impl TokenCredential for Chain {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        match scopes {
            [scope] => self.token(scope, options).await,
            _ => Err(Error::with_message(
                ErrorKind::Credential,
                "a token is asked for one scope",
            )),
        }
    }
}

/// A token for one vault's domain and for nothing else: what the vault's challenge names cannot
/// widen it.
#[derive(Debug)]
pub(super) struct ForVault {
    pub(super) chain: Arc<Chain>,
    pub(super) scope: String,
}

#[async_trait]
impl TokenCredential for ForVault {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if scopes != [self.scope.as_str()] {
            return Err(Error::with_message(
                ErrorKind::Other,
                format!(
                    "the vault asks for a token for `{}`, which is not its own domain",
                    redact(&scopes.join(" "))
                ),
            ));
        }
        self.chain.get_token(scopes, options).await
    }
}

fn text(environment: Environment<'_>, name: &str) -> Option<String> {
    let value = environment(name)?.into_string().ok()?;
    (!value.is_empty()).then_some(value)
}

/// `EnvironmentCredential`: an application with a secret. A certificate would need a second TLS
/// library, a password is not supported by Azure any more.
fn client_secret(environment: Environment<'_>, options: &ClientOptions) -> Option<Step> {
    let tenant = text(environment, "AZURE_TENANT_ID")?;
    let client = text(environment, "AZURE_CLIENT_ID")?;
    let credential = match text(environment, "AZURE_CLIENT_SECRET") {
        Some(secret) => {
            let options = ClientSecretCredentialOptions {
                client_options: options.clone(),
            };
            ClientSecretCredential::new(&tenant, client, Secret::new(secret), Some(options))
                .map(|credential| credential as Arc<dyn TokenCredential>)
                .map_err(|error| why(&error))
        }
        None => {
            text(environment, "AZURE_CLIENT_CERTIFICATE_PATH")?;
            Err(
                "a client certificate is not supported: use a client secret, a workload or \
                 managed identity, or `az login`"
                    .to_owned(),
            )
        }
    };
    Some(Step {
        name: "environment",
        credential,
        is_final: true,
    })
}

fn workload_identity(environment: Environment<'_>, options: &ClientOptions) -> Option<Step> {
    let file = text(environment, "AZURE_FEDERATED_TOKEN_FILE")?;
    let mut workload = WorkloadIdentityCredentialOptions {
        client_id: text(environment, "AZURE_CLIENT_ID"),
        tenant_id: text(environment, "AZURE_TENANT_ID"),
        token_file_path: Some(PathBuf::from(file)),
        ..WorkloadIdentityCredentialOptions::default()
    };
    workload.credential_options.client_options = options.clone();
    Some(Step {
        name: "workload identity",
        credential: WorkloadIdentityCredential::new(Some(workload))
            .map(|credential| credential as Arc<dyn TokenCredential>)
            .map_err(|error| why(&error)),
        is_final: true,
    })
}

/// HTTP to the metadata service, which is on the machine's own link: no proxy, and no waiting where
/// there is none.
///
/// # Errors
/// When no client can be made at all.
pub(super) fn machines_own_link() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECTED_WITHIN)
        .build()
        .map_err(|error| chain(&error))
}

/// The identity of the machine, or the one that `AZURE_CLIENT_ID` picks.
fn managed_identity(environment: Environment<'_>, link: &reqwest::Client) -> Step {
    let options = ManagedIdentityCredentialOptions {
        user_assigned_id: text(environment, "AZURE_CLIENT_ID").map(UserAssignedId::ClientId),
        client_options: ClientOptions {
            transport: Some(Transport::new(Arc::new(FailsFast(link.clone())))),
            ..ClientOptions::default()
        },
    };
    Step {
        name: "managed identity",
        credential: ManagedIdentityCredential::new(Some(options))
            .map(|credential| credential as Arc<dyn TokenCredential>)
            .map_err(|error| why(&error)),
        is_final: false,
    }
}

/// A machine without the metadata service is known by the first connection that fails; the
/// credential would try again for more than a minute.
#[derive(Debug)]
struct FailsFast(reqwest::Client);

#[async_trait]
impl HttpClient for FailsFast {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let answer = self.0.execute_request(request).await;
        answer.map_err(|error| match error.kind() {
            ErrorKind::Connection => {
                Error::with_error(ErrorKind::Credential, error, "could not connect")
            }
            ErrorKind::HttpResponse { .. }
            | ErrorKind::Io
            | ErrorKind::DataConversion
            | ErrorKind::Credential
            | ErrorKind::Other => error,
        })
    }
}

/// Why a way to a token failed, in words that repeat nothing of what it printed.
fn why(error: &Error) -> String {
    let mut all = String::new();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        all.push_str(&error.to_string());
        all.push('\n');
        cause = error.source();
    }
    if let Some(at) = all.find("AADSTS") {
        let number: String = all[at..]
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .take(16)
            .collect();
        return format!("refused with {number}");
    }
    let lower = all.to_ascii_lowercase();
    let says = |sign: &str| lower.contains(sign);
    let why = if says("az login") || says("azd auth login") || says("not logged in") {
        "not logged in"
    } else if says("not found") || says("no such file") {
        "not there"
    } else if says("not been assigned") {
        "this machine has no such identity"
    } else if says("error sending request") || says("connect") || says("timed out") {
        "not reachable"
    } else if says("isn't supported") {
        "of a kind that is not supported"
    } else {
        "failed"
    };
    why.to_owned()
}

/// `TENANT/OBJECT` of an access token. Who asked is worth knowing, never worth failing for: a
/// token that cannot be read tells nothing.
fn identity_of(token: &str) -> Option<String> {
    let claims = token.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&decode_url_safe(claims).ok()?).ok()?;
    let text = |name: &str| {
        let value = claims.get(name)?.as_str()?;
        let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        (plain && (1..=64).contains(&value.len())).then(|| value.to_owned())
    };
    Some(format!(
        "{}/{}",
        text("tid")?,
        text("oid").or_else(|| text("appid"))?
    ))
}

#[cfg(test)]
mod tests;
