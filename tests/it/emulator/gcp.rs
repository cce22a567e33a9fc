//! Google Cloud KMS over HTTP: `ListCryptoKeyVersions`, `GetCryptoKeyVersion`, `GetCryptoKey` and
//! `ListRetiredResources` of the v1 REST interface, and a token endpoint. Enums are numbers when
//! the client asks for `enum-encoding=int`, as the service does it.

mod enums;
mod fault;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use futures::channel::oneshot;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use self::enums::encode;

pub(crate) use self::fault::Fault;

/// The token that the token endpoint gives out.
pub(crate) const TOKEN: &str = "ya29.a0EmulatorQ-x_7Yz012345678901234567890";

/// A key with its versions, and what goes wrong when it is asked about.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Merged over an ordinary `CryptoKey`; `null` removes a field.
    pub(crate) metadata: Value,
    /// By number; merged over an ordinary enabled `CryptoKeyVersion`.
    pub(crate) versions: BTreeMap<u64, Value>,
    /// What happens to the next calls of an operation, one each (`None`: it answers); then it
    /// answers.
    pub(crate) next: BTreeMap<&'static str, VecDeque<Option<Fault>>>,
    /// What happens to every call of an operation.
    pub(crate) always: BTreeMap<&'static str, Fault>,
}

pub(crate) const LIST: &str = "ListCryptoKeyVersions";
pub(crate) const GET_VERSION: &str = "GetCryptoKeyVersion";
pub(crate) const GET_KEY: &str = "GetCryptoKey";
pub(crate) const RETIRED: &str = "ListRetiredResources";
pub(crate) const LOGIN: &str = "token";

impl Key {
    /// Its versions 1, 2 and so on.
    pub(crate) fn new(versions: impl IntoIterator<Item = Value>) -> Self {
        Self {
            metadata: json!({}),
            versions: (1..).zip(versions).collect(),
            next: BTreeMap::new(),
            always: BTreeMap::new(),
        }
    }

    pub(crate) fn in_state(state: &str) -> Self {
        Self::new([json!({"state": state})])
    }

    pub(crate) fn with(mut self, metadata: Value) -> Self {
        self.metadata = metadata;
        self
    }

    pub(crate) fn failing(mut self, operation: &'static str, fault: Fault) -> Self {
        self.always.insert(operation, fault);
        self
    }

    pub(crate) fn failing_first(
        mut self,
        operation: &'static str,
        faults: Vec<Option<Fault>>,
    ) -> Self {
        self.next.insert(operation, faults.into());
        self
    }

    fn fault(&mut self, operation: &str) -> Option<Fault> {
        match self.next.get_mut(operation).and_then(VecDeque::pop_front) {
            Some(next) => next,
            None => self.always.get(operation).cloned(),
        }
    }
}

/// One request that arrived, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) operation: &'static str,
    /// Without `/v1/`.
    pub(crate) name: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) authorization: Option<String>,
}

#[derive(Debug, Default)]
struct World {
    keys: BTreeMap<String, Key>,
    retired: Vec<Value>,
    retired_fault: Option<Fault>,
    login_fault: Option<Fault>,
    page: Option<usize>,
    endless: bool,
    words: bool,
    log: Vec<Request>,
}

/// The running service; it stops when dropped.
pub(crate) struct Gcp {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Gcp {
    /// Starts on a free port, on a thread of its own: it also serves programs that block.
    pub(crate) fn start() -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&world);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            world,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a key, by its name.
    pub(crate) fn put(&self, name: &str, key: Key) {
        self.world().keys.insert(name.to_owned(), key);
    }

    /// Leaves the records of deleted keys.
    pub(crate) fn retire(&self, resources: Vec<Value>) {
        self.world().retired = resources;
    }

    pub(crate) fn fail_retired(&self, fault: Fault) {
        self.world().retired_fault = Some(fault);
    }

    /// What happens to every request for a token.
    pub(crate) fn fail_login(&self, fault: Fault) {
        self.world().login_fault = Some(fault);
    }

    /// Entries of a list that stand on one page at most.
    pub(crate) fn set_page(&self, entries: usize) {
        self.world().page = Some(entries);
    }

    /// Every page of a list names another one.
    pub(crate) fn never_end_lists(&self) {
        self.world().endless = true;
    }

    /// Enums as words, whatever the client asks for.
    pub(crate) fn send_words(&self) {
        self.world().words = true;
    }

    pub(crate) fn log(&self) -> Vec<Request> {
        self.world().log.clone()
    }

    /// How often an operation was asked for.
    pub(crate) fn count(&self, operation: &str) -> usize {
        let world = self.world();
        let of_it = |request: &&Request| request.operation == operation;
        world.log.iter().filter(of_it).count()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }
}

impl Drop for Gcp {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, world: Arc<Mutex<World>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _detached = tokio::spawn(serve(stream, Arc::clone(&world)));
    }
}

/// One connection, kept alive until the client closes it or a fault ends it.
async fn serve(mut stream: TcpStream, world: Arc<Mutex<World>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(request) = read_request(&mut stream).await? {
        let (body, fault) = lock(&world).answer(request);
        if !send(&mut stream, body, fault).await? {
            return Ok(());
        }
    }
    Ok(())
}

async fn read_request(stream: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let headers: BTreeMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    let mut words = head.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let url = url::Url::parse("http://x").unwrap().join(target).unwrap();
    let name = url.path().trim_start_matches("/v1/").to_owned();
    Ok(Some(Request {
        method,
        operation: operation_of(&name),
        name,
        query: url.query_pairs().into_owned().collect(),
        authorization: headers.get("authorization").cloned(),
    }))
}

fn operation_of(name: &str) -> &'static str {
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        ["projects", _, "locations", _, "retiredResources"] => RETIRED,
        [
            "projects",
            _,
            "locations",
            _,
            "keyRings",
            _,
            "cryptoKeys",
            _,
        ] => GET_KEY,
        [
            "projects",
            _,
            "locations",
            _,
            "keyRings",
            _,
            "cryptoKeys",
            _,
            "cryptoKeyVersions",
        ] => LIST,
        [
            "projects",
            _,
            "locations",
            _,
            "keyRings",
            _,
            "cryptoKeys",
            _,
            "cryptoKeyVersions",
            _,
        ] => GET_VERSION,
        ["", "token"] => LOGIN,
        _ => "?",
    }
}

fn http(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json; charset=UTF-8\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn error_body(status: u16, code: &str, message: &str, details: &[Value]) -> String {
    let error = json!({"code": status, "message": message, "status": code, "details": details});
    json!({ "error": error }).to_string()
}

/// Sends the answer, or what a fault leaves of it. `false`: the connection is over.
async fn send(
    stream: &mut TcpStream,
    answer: Result<Value, String>,
    fault: Option<Fault>,
) -> io::Result<bool> {
    let whole = match &answer {
        Ok(body) => http(200, &body.to_string()),
        Err(missing) => http(404, &error_body(404, "NOT_FOUND", missing, &[])),
    };
    match fault {
        None => stream.write_all(whole.as_bytes()).await?,
        Some(Fault::Error {
            status,
            code,
            message,
            details,
        }) => {
            let body = error_body(status, &code, &message, &details);
            stream.write_all(http(status, &body).as_bytes()).await?;
        }
        Some(Fault::Body { status, body }) => {
            stream.write_all(http(status, &body).as_bytes()).await?;
        }
        Some(Fault::Reset) => {
            let cut = whole.len() - 20;
            stream.write_all(&whole.as_bytes()[..cut]).await?;
            stream.flush().await?;
            stream.set_zero_linger()?;
            return Ok(false);
        }
        Some(Fault::HangUp) => return Ok(false),
        Some(Fault::Noise) => {
            stream
                .write_all(b"\x16\x03\x01\x00\x00 no HTTP\r\n\r\n")
                .await?;
            return Ok(false);
        }
        Some(Fault::Trickle(pause)) => {
            for byte in whole.bytes() {
                tokio::time::sleep(pause).await;
                stream.write_all(&[byte]).await?;
            }
        }
        Some(Fault::Silence) => {
            // Until the client gives up.
            let mut rest = [0; 64];
            while stream.read(&mut rest).await? > 0 {}
            return Ok(false);
        }
    }
    Ok(true)
}

impl World {
    /// The answer, or the text of "not found"; and what goes wrong with it.
    fn answer(&mut self, request: Request) -> (Result<Value, String>, Option<Fault>) {
        let numbers = !self.words
            && request
                .query
                .get("$alt")
                .is_some_and(|alt| alt.contains("enum-encoding=int"));
        self.log.push(request.clone());
        if request.operation == LOGIN {
            let token = json!({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"});
            return (Ok(token), self.login_fault.clone());
        }
        if request.operation == RETIRED {
            let list = self.page_of(&self.retired, "retiredResources", &request);
            return (Ok(list), self.retired_fault.clone());
        }
        let (name, number) = match request.name.split_once("/cryptoKeyVersions") {
            Some((name, number)) => (name, number.trim_start_matches('/').parse().ok()),
            None => (request.name.as_str(), None),
        };
        let Some(key) = self.keys.get_mut(name) else {
            return (Err(format!("CryptoKey {name} not found.")), None);
        };
        let fault = key.fault(request.operation);
        let version = |number: u64, over: &Value| {
            let mut version = json!({
                "name": format!("{name}/cryptoKeyVersions/{number}"),
                "state": "ENABLED",
                "protectionLevel": "SOFTWARE",
                "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION",
                "createTime": "2025-03-04T05:06:07.890123456Z",
                "generateTime": "2025-03-04T05:06:07.890123456Z",
            });
            merge(&mut version, over);
            encode(&mut version, numbers);
            version
        };
        let answer = match (request.operation, number) {
            (GET_KEY, _) => {
                let mut metadata = json!({
                    "name": name,
                    "purpose": "ENCRYPT_DECRYPT",
                    "createTime": "2025-03-04T05:06:07.890123456Z",
                    "destroyScheduledDuration": "2592000s",
                    "versionTemplate": {
                        "protectionLevel": 1, "algorithm": 1,
                    },
                });
                merge(&mut metadata, &key.metadata);
                encode(&mut metadata, numbers);
                Ok(metadata)
            }
            (GET_VERSION, Some(number)) => match key.versions.get(&number) {
                Some(over) => Ok(version(number, over)),
                None => Err(format!("CryptoKeyVersion {} not found.", request.name)),
            },
            (LIST, _) => {
                let versions: Vec<Value> = key
                    .versions
                    .iter()
                    .map(|(number, over)| version(*number, over))
                    .collect();
                Ok(self.page_of(&versions, "cryptoKeyVersions", &request))
            }
            (_, _) => Err(format!("{} not found.", request.name)),
        };
        (answer, fault)
    }

    /// The page that the request's token names.
    fn page_of(&self, entries: &[Value], field: &str, request: &Request) -> Value {
        let asked = |name: &str| request.query.get(name).map(String::as_str);
        let most = asked("pageSize").and_then(|size| size.parse().ok());
        let most = self.page.or(most).unwrap_or(100);
        let start: usize = asked("pageToken")
            .and_then(|token| token.strip_prefix("from-"))
            .and_then(|start| start.parse().ok())
            .unwrap_or(0);
        let end = entries.len().min(start + most);
        let mut page = json!({"totalSize": entries.len()});
        // An empty list is no field at all.
        if start < end {
            page[field] = Value::Array(entries[start..end].to_vec());
        }
        if end < entries.len() || self.endless {
            page["nextPageToken"] = json!(format!("from-{end}"));
        }
        page
    }
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
