//! The Atlas Administration API, version 2: an estate with its projects, clusters and snapshots, behind
//! both logins, with exact versions, pages, roles, the oddities that recordings show, and faults on
//! demand. It changes nothing for whoever asks: every answer is to a GET, but for the two calls of
//! the OAuth login. Its clock is the real one unless a test sets it askew.

mod answer;
pub(crate) mod estate;
pub(crate) mod login;
mod route;
mod serve;
mod show;
mod tests;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::channel::oneshot;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use estate::Estate;
use login::{Auth, Logins};

/// What every secret has in common, so that one search finds any of them.
pub(crate) const MARK: &str = "hunter2";
/// Public and private half.
pub(crate) const API_KEY: (&str, &str) = ("kqfvmzbt", "hunter2-7f1c-4be2-9d3a-private-key");
pub(crate) const SERVICE_ACCOUNT: (&str, &str) = (
    "mdb_sa_id_66aa00000000000000000001",
    "mdb_sa_sk_hunter2-Kx7vR2mQ",
);
const TOKEN_MARK: &str = "hunter2-token";

/// One way in which an answer does not come about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// No answer until the client gives up.
    Silence,
    /// The connection reset without a byte.
    Reset,
    /// Half of the announced body, then the end of the connection.
    Cut,
    /// An error with this status and code.
    Status(u16, &'static str),
    /// 429, with the seconds of `Retry-After` if any.
    TooMany(Option<u32>),
    /// Status 200 with this body.
    Body(&'static str),
}

/// A fault of the requests of one name.
#[derive(Clone, Debug)]
struct Rule {
    name: String,
    /// Requests of that name that pass first.
    skip: usize,
    /// Requests that it then befalls.
    times: usize,
    fault: Fault,
}

/// One request that arrived, in order, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) accept: String,
    pub(crate) auth: Auth,
    /// `None`: nothing came back.
    pub(crate) status: Option<u16>,
}

impl Request {
    /// The same for the same request of another run: without the date from which events are wanted.
    pub(crate) fn name(&self) -> String {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let kept = query
            .split('&')
            .filter(|pair| !pair.starts_with("minDate="));
        let query: Vec<&str> = kept.collect();
        format!("{} {path}?{}", self.method, query.join("&"))
    }
}

/// What the service does otherwise than a client may expect.
#[derive(Clone, Debug)]
pub(crate) struct Quirks {
    /// What it takes for its own host in `links`.
    pub(crate) host: String,
    /// `totalCount` is 0 and there is no `next`, on full pages too.
    pub(crate) uncounted: bool,
    /// `Deprecation` and `Sunset` on every answer.
    pub(crate) deprecated: bool,
    /// `Ratelimit-Remaining`.
    pub(crate) rate_left: Option<u32>,
    /// How far its clock is from the real one.
    pub(crate) clock: TimeDelta,
    /// The client's address is not on the access list.
    pub(crate) address_refused: bool,
    /// How a missing role is answered: 401 or 403.
    pub(crate) role_status: u16,
    /// Secrets stand in every field in which the API may send one.
    pub(crate) secrets: bool,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            host: "https://cloud.mongodb.com".to_owned(),
            uncounted: false,
            deprecated: false,
            rate_left: None,
            clock: TimeDelta::zero(),
            address_refused: false,
            role_status: 403,
            secrets: false,
        }
    }
}

impl Quirks {
    fn link(&self, path: &str, rel: &str) -> Value {
        json!({"href": format!("{}{path}", self.host), "rel": rel})
    }

    fn secret(&self, field: &str) -> Option<Value> {
        self.secrets
            .then(|| json!(format!("{MARK}-{field}-kY9+/Zq==")))
    }
}

/// Done to the estate before the `nth` request (from 1) whose target holds `needle`.
struct Change {
    needle: String,
    nth: usize,
    change: Box<dyn FnOnce(&mut Estate) + Send>,
}

/// Everything that tests may turn.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) estate: Estate,
    pub(crate) logins: Logins,
    pub(crate) quirks: Quirks,
    /// How long every answer takes.
    pub(crate) latency: Duration,
    rules: Vec<Rule>,
    changes: Vec<Change>,
    log: Vec<Request>,
}

impl World {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        now() + self.quirks.clock
    }

    /// Hands out tokens that nobody revokes.
    pub(crate) fn litter(&mut self, tokens: usize) {
        let now = self.now();
        self.logins.litter(tokens, now);
    }

    /// Tokens that are neither revoked nor expired.
    pub(crate) fn live_tokens(&self) -> usize {
        self.logins.live_tokens(self.now())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the service's clock runs like everybody's"
)]
fn now() -> DateTime<Utc> {
    Utc::now()
}

#[derive(Default)]
struct Shared {
    world: Mutex<World>,
    logged: Condvar,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running service; it stops when dropped.
pub(crate) struct Atlas {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Atlas {
    /// Starts on a free port, on a thread of its own: it also serves programs that block.
    pub(crate) fn start(estate: Estate) -> Self {
        let shared = Arc::new(Shared::default());
        shared.world().estate = estate;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
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
            shared,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// To turn something; nothing is answered meanwhile.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// Lets requests of a name fail: `times` of them, after `skip`.
    pub(crate) fn fail(&self, name: &str, skip: usize, times: usize, fault: Fault) {
        self.world().rules.push(Rule {
            name: name.to_owned(),
            skip,
            times,
            fault,
        });
    }

    /// Changes the estate right before the `nth` request (from 1) whose target holds `needle`.
    pub(crate) fn before(
        &self,
        needle: &str,
        nth: usize,
        change: impl FnOnce(&mut Estate) + Send + 'static,
    ) {
        self.world().changes.push(Change {
            needle: needle.to_owned(),
            nth,
            change: Box::new(change),
        });
    }

    /// Changes the estate right now.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Estate)) {
        change(&mut self.world().estate);
    }

    pub(crate) fn log(&self) -> Vec<Request> {
        self.world().log.clone()
    }

    /// Forgets the log, what was to fail and what was to change.
    pub(crate) fn calm(&self) {
        let mut world = self.world();
        world.log.clear();
        world.rules.clear();
        world.changes.clear();
    }

    /// Waits until a request whose target holds `needle` has arrived.
    pub(crate) fn wait_for(&self, needle: &str) {
        let came = |log: &[Request]| log.iter().any(|r| r.target.contains(needle));
        assert!(self.wait_until(came), "nobody asked for {needle}");
    }

    /// Waits until so many requests have arrived.
    pub(crate) fn wait_for_requests(&self, count: usize) {
        let came = |log: &[Request]| log.len() >= count;
        assert!(self.wait_until(came), "nobody asked {count} times");
    }

    fn wait_until(&self, holds: impl Fn(&[Request]) -> bool) -> bool {
        let patience = Duration::from_secs(60);
        let lacks = |world: &mut World| !holds(&world.log);
        let waited = self
            .shared
            .logged
            .wait_timeout_while(self.world(), patience, lacks);
        let (_world, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }
}

impl Drop for Atlas {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _detached = tokio::spawn(serve(stream, Arc::clone(&shared)));
    }
}

/// One connection, kept alive until the client closes it or a fault ends it.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut unread = Vec::new();
    while let Some(message) = wire::read(&mut stream, &mut unread).await? {
        let (answer, fault, latency) = {
            let mut world = shared.world();
            let (answer, fault) = world.answer(&message);
            let silent = matches!(fault, Some(Fault::Silence | Fault::Reset));
            world.log.push(Request {
                auth: Logins::kind(&message),
                accept: message.header("accept").unwrap_or_default().to_owned(),
                status: (!silent).then_some(answer.status),
                method: message.method,
                target: message.target,
            });
            (answer, fault, world.latency)
        };
        shared.logged.notify_all();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if !wire::send(&mut stream, &answer, fault.as_ref()).await? {
            return Ok(());
        }
    }
    Ok(())
}
