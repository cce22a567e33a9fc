//! A pass-through in front of a real server that remembers which calls went by.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes pass unchanged in both directions; what clients sent is kept.
pub(crate) struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// What clients sent on each connection that is closed.
    connections: Vec<Vec<u8>>,
    open: usize,
}

impl Proxy {
    /// Listens on a free loopback port for as long as the process lives.
    pub(crate) fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let kept = Arc::clone(&seen);
        let _detached = std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if let Ok(server) = TcpStream::connect(upstream) {
                    lock(&kept).open += 1;
                    pass(&client, &server, Some(Arc::clone(&kept)));
                    pass(&server, &client, None);
                }
            }
        });
        Ok(Self { address, seen })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request that went by, sorted: the word after `x-amz-target:`, or the `Action` of a
    /// form, or all of it if it has neither. Waits until the clients have gone.
    pub(crate) fn calls(&self) -> Vec<String> {
        let patience = Instant::now() + Duration::from_secs(10);
        while lock(&self.seen).open > 0 {
            assert!(
                Instant::now() < patience,
                "a client's connection is still open"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let seen = lock(&self.seen);
        let mut calls: Vec<String> = Vec::new();
        for connection in &seen.connections {
            let mut rest = String::from_utf8_lossy(connection).into_owned();
            while !rest.is_empty() {
                let request = first_of(&rest);
                calls.push(name_of(request));
                rest = rest.split_off(request.len());
            }
        }
        calls.sort();
        calls
    }
}

/// The first request: its head, and as much body as the head announces (a GET announces none).
/// What has no head is one request to its end.
fn first_of(rest: &str) -> &str {
    let length = |head: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse::<usize>().ok())
    };
    rest.split_once("\r\n\r\n")
        .and_then(|(head, _)| rest.get(..head.len() + 4 + length(head).unwrap_or(0)))
        .unwrap_or(rest)
}

fn name_of(request: &str) -> String {
    let target = request.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-amz-target")
            .then(|| value.trim())
    });
    let action = || request.split_once("Action=")?.1.split('&').next();
    target.or_else(action).unwrap_or(request).to_owned()
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass(from: &TcpStream, to: &TcpStream, keep: Option<Arc<Mutex<Seen>>>) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else {
        return;
    };
    let _detached = std::thread::spawn(move || {
        let mut own: Vec<u8> = Vec::new();
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if keep.is_some() {
                own.extend_from_slice(&buffer[..read]);
            }
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        if let Some(keep) = keep {
            let mut seen = lock(&keep);
            seen.connections.push(own);
            seen.open -= 1;
        }
        let _closed = to.shutdown(Shutdown::Write);
    });
}
