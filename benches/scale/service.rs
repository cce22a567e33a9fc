//! A service on loopback that takes its time for every answer, and what one call takes a client
//! that does nothing else: the least that a command which asks it can need.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How long something took, and how long it has to take at least.
pub(crate) struct Asked {
    pub(crate) took: Duration,
    pub(crate) least: Duration,
}

/// One request as it arrived.
pub(crate) struct Request {
    /// `GET /path?query HTTP/1.1`.
    pub(crate) line: String,
    pub(crate) body: String,
}

/// Status, kind of content and body.
pub(crate) type Answer = (u16, &'static str, String);

/// Starts a service that goes on for as long as this program.
pub(crate) fn serve(
    latency: Duration,
    answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || converse(stream, latency, &*answer));
        }
    });
    Ok(address)
}

/// Answers one request after the other until the client has gone.
fn converse(
    stream: TcpStream,
    latency: Duration,
    answer: &dyn Fn(&Request) -> Answer,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream.try_clone()?);
    let mut answers = stream;
    while let Some((line, body)) = message(&mut requests)? {
        thread::sleep(latency);
        let (status, content, body) = answer(&Request { line, body });
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {content}\r\ncontent-length: {length}\r\n\r\n"
        );
        answers.write_all((head + &body).as_bytes())?;
    }
    Ok(())
}

/// The first line and the body of a message; `None` at the end of the connection.
fn message(input: &mut impl BufRead) -> Result<Option<(String, String)>> {
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    while line != "\r\n" {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if first.is_empty() {
            line.trim_end().clone_into(&mut first);
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some((first, String::from_utf8(body)?)))
}

/// What one call takes a client that does nothing else, on a connection that is open: the median
/// of several.
pub(crate) fn one_call(service: SocketAddr, line: &str, body: &str) -> Result<Duration> {
    const CALLS: usize = 21;
    let stream = TcpStream::connect(service)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut requests = stream;
    let request = format!("{line}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut took = Vec::new();
    for _ in 0..CALLS {
        let started = Instant::now();
        requests.write_all(request.as_bytes())?;
        message(&mut answers)?.context("no answer")?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    took.get(CALLS / 2).copied().context("no call was made")
}
