use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use azure_core::time::OffsetDateTime;

use super::*;

/// Gives a token, or fails with a text that must not be repeated.
#[derive(Debug)]
struct Scripted {
    token: Option<&'static str>,
    asked: AtomicUsize,
}

impl Scripted {
    fn new(token: Option<&'static str>) -> Arc<Self> {
        Arc::new(Self {
            token,
            asked: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl TokenCredential for Scripted {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.token {
            Some(token) => Ok(AccessToken::new(token, OffsetDateTime::UNIX_EPOCH)),
            None => Err(Error::with_message(
                ErrorKind::Credential,
                "helper printed hunter2; AADSTS7000215: Invalid client secret hunter2",
            )),
        }
    }
}

fn step(name: &'static str, credential: &Arc<Scripted>, is_final: bool) -> Step {
    Step {
        name,
        credential: Ok(Arc::clone(credential) as Arc<dyn TokenCredential>),
        is_final,
    }
}

const SCOPE: &str = "https://vault.azure.net/.default";

#[tokio::test]
async fn the_first_way_that_gives_a_token_is_kept() {
    let (no, yes, never) = (
        Scripted::new(None),
        Scripted::new(Some("token")),
        Scripted::new(Some("other")),
    );
    let chain = Chain::of(vec![
        step("first", &no, false),
        step("second", &yes, false),
        step("third", &never, false),
    ]);
    for scope in [SCOPE, SCOPE, "https://managedhsm.azure.net/.default"] {
        let token = chain.get_token(&[scope], None).await.unwrap();
        assert_eq!(token.token.secret(), "token");
    }
    let asked = [&no, &yes, &never].map(|c| c.asked.load(Ordering::SeqCst));
    assert_eq!(asked, [1, 2, 0], "once for each scope, and nobody else");
}

#[tokio::test]
async fn what_is_configured_on_purpose_is_final() {
    let (no, other) = (Scripted::new(None), Scripted::new(Some("token")));
    let chain = Chain::of(vec![
        step("environment", &no, true),
        step("Azure CLI", &other, false),
    ]);
    let why = chain.ready(SCOPE).await.unwrap_err();
    assert_eq!(
        why,
        "no token could be had (environment: refused with AADSTS7000215)"
    );
    assert_eq!(other.asked.load(Ordering::SeqCst), 0, "another identity");
    // Nor is it tried again for each of ten thousand keys.
    assert!(chain.ready(SCOPE).await.is_err());
    assert_eq!(no.asked.load(Ordering::SeqCst), 1);
    assert_eq!(chain.failed(), Some(why));
}

#[tokio::test]
async fn a_vault_gets_a_token_for_its_own_domain_only() {
    let credential = Scripted::new(Some("token"));
    let for_vault = ForVault {
        chain: Arc::new(Chain::only(
            Arc::clone(&credential) as Arc<dyn TokenCredential>
        )),
        scope: scope_of("payments.vault.azure.net"),
    };
    assert!(for_vault.get_token(&[SCOPE], None).await.is_ok());
    for other in [
        "https://azure.net/.default",
        "https://net/.default",
        "https://management.azure.com/.default",
        "https://vault.azure.cn/.default",
    ] {
        assert!(
            for_vault.get_token(&[other], None).await.is_err(),
            "{other}"
        );
    }
    assert_eq!(credential.asked.load(Ordering::SeqCst), 1);
}

#[test]
fn the_cloud_and_the_scope_follow_from_the_host() {
    use Cloud::{China, Government, Public};
    let table = [
        (
            "a.vault.azure.net",
            Public,
            "https://vault.azure.net/.default",
        ),
        (
            "a.managedhsm.azure.net",
            Public,
            "https://managedhsm.azure.net/.default",
        ),
        (
            "a.vault.usgovcloudapi.net",
            Government,
            "https://vault.usgovcloudapi.net/.default",
        ),
        (
            "a.managedhsm.usgovcloudapi.net",
            Government,
            "https://managedhsm.usgovcloudapi.net/.default",
        ),
        ("a.vault.azure.cn", China, "https://vault.azure.cn/.default"),
        (
            "a.managedhsm.azure.cn",
            China,
            "https://managedhsm.azure.cn/.default",
        ),
    ];
    for (host, cloud, scope) in table {
        assert_eq!(Cloud::of(host), cloud, "{host}");
        assert_eq!(scope_of(host), scope, "{host}");
    }
}

fn found(variables: &[(&str, &str)]) -> Vec<(&'static str, bool, bool)> {
    let variables: BTreeMap<String, OsString> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
        .collect();
    let environment = |name: &str| variables.get(name).cloned();
    let http = crate::probe::azure::sdk::https(None).unwrap();
    let link = machines_own_link().unwrap();
    Chain::found(Cloud::Public, &http, &link, &environment)
        .steps
        .iter()
        .map(|step| (step.name, step.is_final, step.credential.is_ok()))
        .collect()
}

/// The order of Azure's own tools.
#[test]
fn the_environment_decides_what_is_tried() {
    let machine = [
        ("managed identity", false, true),
        ("Azure CLI", false, true),
        ("Azure Developer CLI", false, true),
    ];
    assert_eq!(found(&[]), machine);
    assert_eq!(
        found(&[("AZURE_CLIENT_ID", "c"), ("AZURE_TENANT_ID", "t")]),
        machine
    );
    let app = [("AZURE_CLIENT_ID", "c"), ("AZURE_TENANT_ID", "t")];
    let with = |name, value| {
        let mut all = app.to_vec();
        all.push((name, value));
        found(&all)[0]
    };
    assert_eq!(
        with("AZURE_CLIENT_SECRET", "s"),
        ("environment", true, true)
    );
    assert_eq!(with("AZURE_CLIENT_SECRET", ""), machine[0]);
    assert_eq!(
        with("AZURE_CLIENT_CERTIFICATE_PATH", "c.pem"),
        ("environment", true, false)
    );
    assert_eq!(
        with("AZURE_FEDERATED_TOKEN_FILE", "/nowhere/token"),
        ("workload identity", true, false)
    );
}

/// On a machine without a metadata service the next way is tried at once.
#[tokio::test]
async fn a_metadata_service_that_is_not_there_is_not_tried_again() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", free.local_addr().unwrap());
    drop(free);
    let http = FailsFast(reqwest::Client::builder().no_proxy().build().unwrap());
    let request = Request::new(url.parse().unwrap(), azure_core::http::Method::Get);
    let error = http.execute_request(&request).await.unwrap_err();
    assert_eq!(
        *error.kind(),
        ErrorKind::Credential,
        "no kind that is retried"
    );
    assert_eq!(why(&error), "not reachable");
}

#[test]
fn who_asks_is_told_by_the_token_or_not_at_all() {
    // {"tid":"11111111-2222-3333-4444-555555555555","oid":"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"}
    let claims = azure_core::base64::encode_url_safe(
        r#"{"tid":"11111111-2222-3333-4444-555555555555","oid":"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee","aud":"x"}"#,
    );
    assert_eq!(
        identity_of(&format!("e30.{claims}.sig")).as_deref(),
        Some("11111111-2222-3333-4444-555555555555/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
    );
    let odd = azure_core::base64::encode_url_safe(r#"{"tid":"a b","oid":"x"}"#);
    for token in [
        "",
        "opaque",
        "a.b.c",
        &format!("e30.{odd}.sig"),
        "e30.e30.sig",
    ] {
        assert_eq!(identity_of(token), None, "{token}");
    }
}
