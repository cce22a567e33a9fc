//! Azure Key Vault and Managed HSM over TLS, with the token endpoint of Entra ID beside them: one
//! address stands for every vault of every cloud, told apart by the `Host` of a request. It also
//! takes `CONNECT`, so that a program finds it as its HTTPS proxy.

mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use self::wire::{Answer, Message, certified, serve};

/// What every vault takes for a token, besides those of the token endpoint.
pub(crate) const TOKEN: &str = "a-token-of-the-test";
/// The secret that the token endpoint takes.
pub(crate) const CLIENT_SECRET: &str = "Qx8~test.client-secret_of.the-emulator99";
/// The tenant of every vault.
pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
/// Who the tokens of the token endpoint are of.
pub(crate) const OBJECT: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

/// Versions on a page of a list.
const PAGE: usize = 25;

/// The three questions about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Route {
    List,
    Show,
    Deleted,
}

/// A key with all its versions, and what goes wrong when it is asked about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Key {
    pub(crate) versions: Vec<Version>,
    /// The key is soft-deleted: merged over an ordinary `DeletedKeyBundle`.
    pub(crate) deleted: Option<Value>,
    /// What happens to the next questions of a kind, one each; then it answers.
    pub(crate) next: VecDeque<(Route, Fault)>,
    /// What happens to every question of a kind.
    pub(crate) always: BTreeMap<Route, Fault>,
}

/// One version; each value is merged over an ordinary one, `null` removes a field.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) attributes: Value,
    pub(crate) jwk: Value,
}

impl Version {
    pub(crate) fn new(id: &str, attributes: Value, jwk: Value) -> Self {
        Self {
            id: id.to_owned(),
            attributes,
            jwk,
        }
    }
}

impl Key {
    /// One enabled version.
    pub(crate) fn enabled(id: &str) -> Self {
        Self::of(vec![Version::new(id, json!({}), json!({}))])
    }

    pub(crate) fn of(versions: Vec<Version>) -> Self {
        Self {
            versions,
            ..Self::default()
        }
    }

    /// Every question fails in this way.
    pub(crate) fn failing(id: &str, fault: &Fault) -> Self {
        let mut key = Self::enabled(id);
        for route in [Route::List, Route::Show, Route::Deleted] {
            key.always.insert(route, fault.clone());
        }
        key
    }
}

/// One way in which an answer does not come about.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// An error in Key Vault's words.
    Error {
        status: u16,
        code: &'static str,
        inner: Option<&'static str>,
        message: String,
        headers: &'static str,
    },
    /// This body instead of the answer, whole.
    Body { status: u16, body: String },
    /// The answer cut after half of it, and the connection closed without a farewell.
    Cut,
    /// The connection closed without a byte.
    HangUp,
    /// The answer, one byte at a time, with a pause before each.
    Trickle(Duration),
    /// No answer at all.
    Silence,
}

impl Fault {
    pub(crate) fn error(status: u16, code: &'static str, inner: Option<&'static str>) -> Self {
        Self::Error {
            status,
            code,
            inner,
            message: String::new(),
            headers: "",
        }
    }

    pub(crate) fn saying(
        status: u16,
        code: &'static str,
        inner: Option<&'static str>,
        message: &str,
    ) -> Self {
        Self::Error {
            status,
            code,
            inner,
            message: message.to_owned(),
            headers: "",
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::error(404, "KeyNotFound", None)
    }

    pub(crate) fn body(status: u16, body: &str) -> Self {
        Self::Body {
            status,
            body: body.to_owned(),
        }
    }
}

/// One request that arrived, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) host: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) authorized: bool,
}

#[derive(Debug)]
struct World {
    /// By host and name.
    keys: BTreeMap<(String, String), Key>,
    /// Keys that are not there have empty lists instead of none.
    empty_lists: bool,
    /// What vaults answer to who comes without a token; `None`: as they should.
    challenge: Option<String>,
    /// The `Date` of every answer.
    date: String,
    latency: Duration,
    log: Vec<Request>,
    answering: usize,
    most_at_once: usize,
}

/// The running service; it stops when dropped.
pub(crate) struct Azure {
    address: SocketAddr,
    ca_pem: String,
    world: Arc<Mutex<World>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Azure {
    /// Starts on a free port with a certificate authority of its own.
    pub(crate) fn start() -> Self {
        let (config, ca_pem) = certified();
        let world = Arc::new(Mutex::new(World {
            keys: BTreeMap::new(),
            empty_lists: false,
            challenge: None,
            date: "Sun, 01 Nov 2026 06:00:00 GMT".to_owned(),
            latency: Duration::ZERO,
            log: Vec::new(),
            answering: 0,
            most_at_once: 0,
        }));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let (served, stop) = (Arc::clone(&world), Arc::clone(&stopped));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (world, config) = (Arc::clone(&served), Arc::clone(&config));
                let _detached = std::thread::spawn(move || {
                    // A client that goes away in the middle is its own affair.
                    let _ended = serve(stream, config, &world);
                });
            }
        });
        Self {
            address,
            ca_pem,
            world,
            stopped,
            thread: Some(thread),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// For `HTTPS_PROXY`.
    pub(crate) fn proxy_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Puts a key, by its URL without a version.
    pub(crate) fn put(&self, url: &str, key: Key) {
        let rest = url.strip_prefix("https://").unwrap();
        let (host, name) = rest.split_once("/keys/").unwrap();
        self.world()
            .keys
            .insert((host.to_owned(), name.to_owned()), key);
    }

    pub(crate) fn set_empty_lists(&self) {
        self.world().empty_lists = true;
    }

    pub(crate) fn set_challenge(&self, challenge: &str) {
        self.world().challenge = Some(challenge.to_owned());
    }

    pub(crate) fn set_date(&self, date: &str) {
        date.clone_into(&mut self.world().date);
    }

    /// How long every answer takes.
    pub(crate) fn set_latency(&self, latency: Duration) {
        self.world().latency = latency;
    }

    pub(crate) fn log(&self) -> Vec<Request> {
        self.world().log.clone()
    }

    /// How often a path was asked for with a token, query left out.
    pub(crate) fn count(&self, path: &str) -> usize {
        let world = self.world();
        let of_it =
            |request: &&Request| request.authorized && request.path.split('?').next() == Some(path);
        world.log.iter().filter(of_it).count()
    }

    /// The most requests that were ever being answered at the same time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.world().most_at_once
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }
}

impl Drop for Azure {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _woken = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn answer(&mut self, message: &Message) -> (Answer, Option<Fault>) {
        let host = message.headers.get("host").cloned().unwrap_or_default();
        let bearer = message.headers.get("authorization");
        let token = bearer.and_then(|header| header.strip_prefix("Bearer "));
        self.log.push(Request {
            method: message.method.clone(),
            host: host.clone(),
            path: message.path.clone(),
            authorized: token.is_some(),
        });
        if host.starts_with("login.") {
            return (token_for(message), None);
        }
        if !message.path.contains("api-version=") {
            let text = "api-version must be specified";
            return (Answer::error(400, "BadParameter", None, text), None);
        }
        if !token.is_some_and(|token| token == TOKEN || token == jwt()) {
            return (self.challenge(&host), None);
        }
        let (path, query) = message.path.split_once('?').unwrap_or_default();
        let mut parts = path.trim_matches('/').split('/');
        let (kind, name, rest) = (parts.next(), parts.next(), parts.next());
        let name = name.unwrap_or_default();
        let route = match (kind, rest) {
            (Some("keys"), Some("versions")) => Route::List,
            (Some("keys"), Some(_)) => Route::Show,
            (Some("deletedkeys"), None) => Route::Deleted,
            _ => {
                return (
                    Answer::error(404, "NotFound", None, "no such resource"),
                    None,
                );
            }
        };
        let empty = route == Route::List && self.empty_lists;
        let gone = || match empty {
            true => Answer::json(200, &json!({"value": [], "nextLink": null})),
            false => Answer::error(404, "KeyNotFound", None, "was not found in this key vault"),
        };
        let Some(key) = self.keys.get_mut(&(host.clone(), name.to_owned())) else {
            return (gone(), None);
        };
        let scripted = match key.next.front() {
            Some((of, _)) if *of == route => key.next.pop_front().map(|(_, fault)| fault),
            Some(_) | None => None,
        };
        let fault = scripted.or_else(|| key.always.get(&route).cloned());
        let base = format!("https://{host}/keys/{name}");
        let answer = match (route, &key.deleted) {
            (Route::Deleted, Some(over)) => deleted(&host, name, key, over),
            (Route::Deleted, None) | (Route::List | Route::Show, Some(_)) => gone(),
            (Route::List, None) => list(&base, key, query),
            (Route::Show, None) => {
                let version = key.versions.iter().find(|v| Some(v.id.as_str()) == rest);
                match version {
                    Some(version) => Answer::json(200, &bundle(&base, version)),
                    None => gone(),
                }
            }
        };
        (answer, fault)
    }

    fn challenge(&self, host: &str) -> Answer {
        let domain = host.split_once('.').map_or(host, |(_, domain)| domain);
        let usual = || {
            format!(
                "Bearer authorization=\"https://login.microsoftonline.com/{TENANT}\", \
                 resource=\"https://{domain}\""
            )
        };
        let challenge = self.challenge.clone().unwrap_or_else(usual);
        let text = "AKV10000: Request is missing a Bearer or PoP token.";
        let mut answer = Answer::error(401, "Unauthorized", None, text);
        if !challenge.is_empty() {
            answer.headers = format!("www-authenticate: {challenge}\r\n");
        }
        answer
    }
}

/// The token endpoint: an application with its secret, as a form.
fn token_for(message: &Message) -> Answer {
    let field = |name: &str| {
        url::form_urlencoded::parse(message.body.as_bytes())
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let asked = message.path.starts_with(&format!("/{TENANT}/"));
    let granted = asked
        && field("grant_type") == "client_credentials"
        && field("client_secret") == CLIENT_SECRET
        && field("scope").ends_with("/.default");
    if granted {
        let body = json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599,
            "access_token": jwt()});
        return Answer::json(200, &body);
    }
    let text = format!(
        "AADSTS7000215: Invalid client secret provided: {}",
        field("client_secret")
    );
    let body = json!({"error": "invalid_client", "error_description": text,
        "error_codes": [7_000_215]});
    Answer::json(401, &body)
}

/// An unsigned token that says whose it is.
pub(crate) fn jwt() -> String {
    let part = |claims: &Value| azure_core::base64::encode_url_safe(claims.to_string());
    let head = part(&json!({"alg": "none", "typ": "JWT"}));
    let claims = part(&json!({"tid": TENANT, "oid": OBJECT, "aud": "https://vault.azure.net"}));
    format!("{head}.{claims}.c2lnbmF0dXJl")
}

fn list(base: &str, key: &Key, query: &str) -> Answer {
    let page = query
        .split('&')
        .find_map(|pair| {
            pair.strip_prefix("$skiptoken=")
                .or(pair.strip_prefix("%24skiptoken="))
        })
        .and_then(|number| number.parse::<usize>().ok())
        .unwrap_or(0);
    let items: Vec<Value> = key
        .versions
        .iter()
        .skip(page * PAGE)
        .take(PAGE)
        .map(|version| {
            json!({"kid": format!("{base}/{}", version.id),
                "attributes": attributes(&version.attributes), "tags": {}})
        })
        .collect();
    let next = (key.versions.len() > (page + 1) * PAGE).then(|| {
        let base = base.replacen(".net/", ".net:443/", 1);
        format!(
            "{base}/versions?api-version=7.4&$skiptoken={}&maxresults={PAGE}",
            page + 1
        )
    });
    Answer::json(200, &json!({"value": items, "nextLink": next}))
}

fn bundle(base: &str, version: &Version) -> Value {
    let mut jwk = json!({"kid": format!("{base}/{}", version.id), "kty": "RSA",
        "key_ops": ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"],
        "n": "AQAB", "e": "AQAB"});
    merge(&mut jwk, &version.jwk);
    json!({"key": jwk, "attributes": attributes(&version.attributes), "tags": {}})
}

fn deleted(host: &str, name: &str, key: &Key, over: &Value) -> Answer {
    let base = format!("https://{host}/keys/{name}");
    let mut deleted = match key.versions.last() {
        Some(version) => bundle(&base, version),
        None => json!({}),
    };
    deleted["recoveryId"] = json!(format!("https://{host}/deletedkeys/{name}"));
    deleted["deletedDate"] = json!(1_793_426_400);
    deleted["scheduledPurgeDate"] = json!(1_801_202_400);
    merge(&mut deleted, over);
    Answer::json(200, &deleted)
}

fn attributes(over: &Value) -> Value {
    let mut attributes = json!({"enabled": true, "created": 1_700_000_000,
        "updated": 1_700_000_000, "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": 90});
    merge(&mut attributes, over);
    attributes
}

fn merge(into: &mut Value, over: &Value) {
    if let (Some(fields), Some(over)) = (into.as_object_mut(), over.as_object()) {
        for (name, value) in over {
            if value.is_null() {
                fields.remove(name);
            } else {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
}
