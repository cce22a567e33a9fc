//! AWS KMS and STS over HTTP: `DescribeKey`, `ListKeyRotations`, `DescribeCustomKeyStores` and
//! `GetKeyLastUsage` in AWS JSON 1.1, `GetCallerIdentity` and `AssumeRole` in the query protocol. One address stands for
//! every region: the region asked is the one that the request was signed for.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::channel::oneshot;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The account whose credentials every request carries.
pub(crate) const ACCOUNT: &str = "111122223333";

/// A key as `DescribeKey` shows it, and what goes wrong when it is asked about.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Merged over an ordinary enabled key's `KeyMetadata`; `null` removes a field.
    pub(crate) metadata: Value,
    /// Pages of `ListKeyRotations`.
    pub(crate) rotations: Vec<Vec<Value>>,
    /// What happens to the next `DescribeKey` calls, one each; then it answers.
    pub(crate) next: VecDeque<Fault>,
    /// What happens to every `DescribeKey` call.
    pub(crate) always: Option<Fault>,
    /// What happens to every `ListKeyRotations` call.
    pub(crate) rotations_fault: Option<Fault>,
    /// What `GetKeyLastUsage` answers; nothing: the service has no such call.
    pub(crate) last_use: Option<Value>,
}

impl Key {
    pub(crate) fn new(metadata: Value) -> Self {
        Self {
            metadata,
            rotations: vec![Vec::new()],
            next: VecDeque::new(),
            always: None,
            rotations_fault: None,
            last_use: None,
        }
    }

    pub(crate) fn in_state(state: &str) -> Self {
        Self::new(json!({"KeyState": state, "Enabled": state == "Enabled"}))
    }

    pub(crate) fn failing(fault: Fault) -> Self {
        Self {
            always: Some(fault),
            ..Self::in_state("Enabled")
        }
    }
}

/// One way in which an answer does not come about.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// An exception named in the body, as KMS does it.
    Exception {
        status: u16,
        code: String,
        message: String,
    },
    /// An exception named in `x-amzn-ErrorType` only, its body empty.
    HeaderException { status: u16, code: String },
    /// This body instead of the answer, whole.
    Body { status: u16, body: String },
    /// The answer cut after half of its announced length, and the connection reset.
    Reset,
    /// The connection closed without a byte.
    HangUp,
    /// The answer, one byte at a time, with a pause before each.
    Trickle(Duration),
    /// No answer at all.
    Silence,
}

impl Fault {
    /// With the status that KMS sends for nearly every fault of a client.
    pub(crate) fn exception(code: &str, message: &str) -> Self {
        Self::Exception {
            status: 400,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    pub(crate) fn with_status(status: u16, code: &str) -> Self {
        Self::Exception {
            status,
            code: code.to_owned(),
            message: String::new(),
        }
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
    /// `TrentService.DescribeKey`, `GetCallerIdentity`.
    pub(crate) operation: String,
    pub(crate) region: String,
    pub(crate) key: Option<String>,
    pub(crate) body: Value,
    /// The access key id that it was signed with: of a role, what [`signer_of`] gives.
    pub(crate) signer: String,
}

/// A role as `AssumeRole` knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Role {
    pub(crate) external_id: Option<String>,
    /// What happens to every `AssumeRole`.
    pub(crate) fault: Option<Fault>,
}

/// The access key id that `AssumeRole` gives out for a role.
pub(crate) fn signer_of(role: &str) -> String {
    let name = role.rsplit('/').next().unwrap_or_default();
    format!("ASIA{}", name.replace('-', "").to_uppercase())
}

#[derive(Debug, Default)]
struct World {
    keys: BTreeMap<String, Key>,
    roles: BTreeMap<String, Role>,
    /// Custom key stores, as they are listed or not.
    stores: BTreeMap<String, Result<Value, Fault>>,
    identity_fault: Option<Fault>,
    latency: Duration,
    log: Vec<Request>,
    answering: usize,
    most_at_once: usize,
}

/// The running service; it stops when dropped.
pub(crate) struct Aws {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Aws {
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

    /// Puts a key, by its ARN.
    pub(crate) fn put(&self, arn: &str, key: Key) {
        self.world().keys.insert(arn.to_owned(), key);
    }

    /// Puts a custom key store, by its id, as it is listed or as asking about it fails.
    pub(crate) fn put_store(&self, id: &str, store: Result<Value, Fault>) {
        self.world().stores.insert(id.to_owned(), store);
    }

    /// Puts a role, by its ARN.
    pub(crate) fn put_role(&self, arn: &str, role: Role) {
        self.world().roles.insert(arn.to_owned(), role);
    }

    /// What happens to every `GetCallerIdentity`.
    pub(crate) fn fail_identity(&self, fault: Fault) {
        self.world().identity_fault = Some(fault);
    }

    /// How long every answer takes.
    pub(crate) fn set_latency(&self, latency: Duration) {
        self.world().latency = latency;
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

    /// The most KMS requests that were ever being answered at the same time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.world().most_at_once
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }
}

impl Drop for Aws {
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
    while let Some(message) = read_message(&mut stream).await? {
        let (answer, fault) = {
            let mut world = lock(&world);
            world.answering += 1;
            world.most_at_once = world.most_at_once.max(world.answering);
            world.answer(&message)
        };
        let latency = lock(&world).latency;
        tokio::time::sleep(latency).await;
        let sent = send(&mut stream, answer, fault).await;
        lock(&world).answering -= 1;
        if !sent? {
            return Ok(());
        }
    }
    Ok(())
}

/// A request's head in lower-case names, and its body.
struct Message {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

async fn read_message(stream: &mut TcpStream) -> io::Result<Option<Message>> {
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
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(Message { headers, body }))
}

/// A whole HTTP answer before any fault is done to it.
struct Answer {
    status: u16,
    content_type: &'static str,
    error_type: Option<String>,
    body: String,
}

impl Answer {
    fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            content_type: "application/x-amz-json-1.1",
            error_type: None,
            body: body.to_string(),
        }
    }

    fn xml(status: u16, body: &str) -> Self {
        Self {
            status,
            content_type: "text/xml",
            error_type: None,
            body: body.to_owned(),
        }
    }

    fn exception(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({"__type": code, "message": message}))
    }

    fn bytes(&self) -> Vec<u8> {
        let error_type = match &self.error_type {
            Some(code) => format!("x-amzn-ErrorType: {code}\r\n"),
            None => String::new(),
        };
        format!(
            "HTTP/1.1 {} X\r\ncontent-type: {}\r\n{error_type}content-length: {}\r\n\r\n{}",
            self.status,
            self.content_type,
            self.body.len(),
            self.body
        )
        .into_bytes()
    }
}

/// Sends the answer, or what a fault leaves of it. `false`: the connection is over.
async fn send(stream: &mut TcpStream, answer: Answer, fault: Option<Fault>) -> io::Result<bool> {
    let bytes = answer.bytes();
    match fault {
        None => stream.write_all(&bytes).await?,
        Some(Fault::Exception {
            status,
            code,
            message,
        }) => {
            let answer = Answer::exception(status, &code, &message);
            stream.write_all(&answer.bytes()).await?;
        }
        Some(Fault::HeaderException { status, code }) => {
            let answer = Answer {
                error_type: Some(code),
                ..Answer::json(status, &json!({}))
            };
            stream.write_all(&answer.bytes()).await?;
        }
        Some(Fault::Body { status, body }) => {
            let answer = Answer {
                status,
                body,
                ..answer
            };
            stream.write_all(&answer.bytes()).await?;
        }
        Some(Fault::Reset) => {
            stream
                .write_all(&bytes[..bytes.len() - answer.body.len() / 2])
                .await?;
            stream.flush().await?;
            stream.set_zero_linger()?;
            return Ok(false);
        }
        Some(Fault::HangUp) => return Ok(false),
        Some(Fault::Trickle(pause)) => {
            for byte in bytes {
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
    fn answer(&mut self, message: &Message) -> (Answer, Option<Fault>) {
        let [signer, _, region] = signed_by(message);
        let Some(operation) = message.headers.get("x-amz-target") else {
            return self.security_token(message, signer, region);
        };
        let body: Value = serde_json::from_slice(&message.body).unwrap_or(Value::Null);
        let asked = body["KeyId"].as_str().unwrap_or_default().to_owned();
        self.log.push(Request {
            operation: operation.clone(),
            region: region.clone(),
            key: Some(asked.clone()),
            body: body.clone(),
            signer,
        });
        if operation == "TrentService.DescribeCustomKeyStores" {
            return self.key_store(body["CustomKeyStoreId"].as_str().unwrap_or_default());
        }
        if asked
            .split(':')
            .nth(3)
            .is_some_and(|of_arn| of_arn != region)
        {
            let text = format!("Invalid arn {region}");
            return (Answer::exception(400, "NotFoundException", &text), None);
        }
        let arn = match asked.starts_with("arn:") {
            true => asked,
            false => format!("arn:aws:kms:{region}:{ACCOUNT}:key/{asked}"),
        };
        let Some(key) = self.keys.get_mut(&arn) else {
            let text = format!("Key '{arn}' does not exist");
            return (Answer::exception(400, "NotFoundException", &text), None);
        };
        match operation.as_str() {
            "TrentService.DescribeKey" => {
                let fault = key.next.pop_front().or_else(|| key.always.clone());
                let answer = json!({"KeyMetadata": metadata(&arn, &key.metadata)});
                (Answer::json(200, &answer), fault)
            }
            "TrentService.ListKeyRotations" => {
                let answer = rotations(&key.rotations, &body);
                (Answer::json(200, &answer), key.rotations_fault.clone())
            }
            "TrentService.GetKeyLastUsage" if key.last_use.is_some() => {
                let mut answer = json!({"KeyId": arn});
                if let (Some(fields), Some(told)) = (
                    answer.as_object_mut(),
                    key.last_use.as_ref().and_then(Value::as_object),
                ) {
                    fields.extend(told.clone());
                }
                (Answer::json(200, &answer), None)
            }
            _ => (
                Answer::exception(400, "UnknownOperationException", operation),
                None,
            ),
        }
    }

    fn key_store(&self, id: &str) -> (Answer, Option<Fault>) {
        match self.stores.get(id) {
            Some(Ok(store)) => {
                let mut listed = json!({"CustomKeyStoreId": id, "CustomKeyStoreName": "hsm"});
                if let (Some(fields), Some(over)) = (listed.as_object_mut(), store.as_object()) {
                    fields.extend(over.clone());
                }
                let answer = json!({"CustomKeyStores": [listed], "Truncated": false});
                (Answer::json(200, &answer), None)
            }
            Some(Err(fault)) => (Answer::json(200, &json!({})), Some(fault.clone())),
            None => {
                let code = "CustomKeyStoreNotFoundException";
                (Answer::exception(400, code, id), None)
            }
        }
    }

    /// STS: a form in, XML out.
    fn security_token(
        &mut self,
        message: &Message,
        signer: String,
        region: String,
    ) -> (Answer, Option<Fault>) {
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(&message.body)
            .into_owned()
            .collect();
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        self.log.push(Request {
            operation: field("Action"),
            region,
            key: None,
            body: json!(form),
            signer: signer.clone(),
        });
        if field("Action") == "AssumeRole" {
            return self.assume_role(&field("RoleArn"), &field("ExternalId"));
        }
        // Who signs as a role is in it.
        let role = self.roles.keys().find(|role| signer_of(role) == signer);
        let assumed = match role {
            Some(role) => assumed(role, "snapkey"),
            None => format!("arn:aws:sts::{ACCOUNT}:assumed-role/auditor/session-1"),
        };
        let account = assumed.split(':').nth(4).unwrap_or_default().to_owned();
        let answer = Answer::xml(
            200,
            &format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <GetCallerIdentityResult><Arn>{assumed}</Arn>\
                 <UserId>AROAEXAMPLE:session-1</UserId><Account>{account}</Account>\
                 </GetCallerIdentityResult></GetCallerIdentityResponse>"
            ),
        );
        (answer, self.identity_fault.clone())
    }

    fn assume_role(&self, arn: &str, external_id: &str) -> (Answer, Option<Fault>) {
        let trusted = self
            .roles
            .get(arn)
            .filter(|role| role.external_id.as_deref().unwrap_or_default() == external_id);
        let Some(role) = trusted else {
            let refused = format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
                 <Type>Sender</Type><Code>AccessDenied</Code><Message>User: \
                 arn:aws:iam::{ACCOUNT}:user/u is not authorized to perform: sts:AssumeRole on \
                 resource: {arn}</Message></Error></ErrorResponse>"
            );
            return (Answer::xml(403, &refused), None);
        };
        let answer = format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleResult><Credentials><AccessKeyId>{}</AccessKeyId>\
             <SecretAccessKey>secret-of-the-session</SecretAccessKey>\
             <SessionToken>token-of-the-session</SessionToken>\
             <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
             <AssumedRoleUser><Arn>{}</Arn><AssumedRoleId>AROA:snapkey</AssumedRoleId>\
             </AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>",
            signer_of(arn),
            assumed(arn, "snapkey"),
        );
        (Answer::xml(200, &answer), role.fault.clone())
    }
}

/// The principal of a session in a role.
fn assumed(role: &str, session: &str) -> String {
    let account = role.split(':').nth(4).unwrap_or_default();
    let name = role.rsplit('/').next().unwrap_or_default();
    format!("arn:aws:sts::{account}:assumed-role/{name}/{session}")
}

/// Access key id, date and region of `Credential=ID/DATE/REGION/…` in the `Authorization` header.
fn signed_by(message: &Message) -> [String; 3] {
    let scope = message
        .headers
        .get("authorization")
        .and_then(|header| header.split("Credential=").nth(1));
    let part = |number| {
        let part = scope.and_then(|scope| scope.split('/').nth(number));
        part.unwrap_or("unsigned").to_owned()
    };
    [part(0), part(1), part(2)]
}

fn metadata(arn: &str, over: &Value) -> Value {
    let id = arn.rsplit('/').next().unwrap_or_default();
    let mut metadata = json!({
        "Arn": arn,
        "AWSAccountId": arn.split(':').nth(4).unwrap_or_default(),
        "KeyId": id,
        "CreationDate": 1_700_000_000.25,
        "Description": "",
        "Enabled": true,
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyManager": "CUSTOMER",
        "MultiRegion": id.starts_with("mrk-"),
        "Origin": "AWS_KMS",
    });
    if let (Some(fields), Some(over)) = (metadata.as_object_mut(), over.as_object()) {
        for (name, value) in over {
            if value.is_null() {
                fields.remove(name);
            } else {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
    metadata
}

/// The page that the request's marker names.
fn rotations(pages: &[Vec<Value>], request: &Value) -> Value {
    let page: usize = request["Marker"]
        .as_str()
        .and_then(|marker| marker.strip_prefix("page-"))
        .and_then(|number| number.parse().ok())
        .unwrap_or(0);
    let entries = pages.get(page).cloned().unwrap_or_default();
    if page + 1 < pages.len() {
        json!({"Rotations": entries, "Truncated": true, "NextMarker": format!("page-{}", page + 1)})
    } else {
        json!({"Rotations": entries, "Truncated": false})
    }
}
