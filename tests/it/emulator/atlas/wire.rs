//! Bytes: HTTP/1.1 requests read off a connection, answers written to it, and what a fault leaves
//! of an answer.

use std::collections::BTreeMap;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Fault;
use super::answer::Answer;

/// A request as it came in, header names in lower case.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Message {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// The next request; `None` once the client has gone. `unread` keeps what came too early.
pub(super) async fn read(
    stream: &mut TcpStream,
    unread: &mut Vec<u8>,
) -> io::Result<Option<Message>> {
    let end = loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&unread[..end]).into_owned();
    unread.drain(..end + 4);
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    while unread.len() < length {
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
    let body = unread.drain(..length).collect();
    Ok(Some(Message {
        method,
        target,
        headers,
        body,
    }))
}

fn bytes(answer: &Answer) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} X\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", answer.body.len()));
    [head.as_bytes(), &answer.body].concat()
}

/// Sends the answer, or what a fault leaves of it. `false`: the connection is over.
pub(super) async fn send(
    stream: &mut TcpStream,
    answer: &Answer,
    fault: Option<&Fault>,
) -> io::Result<bool> {
    let whole = bytes(answer);
    match fault {
        None | Some(Fault::Status(..) | Fault::TooMany(_) | Fault::Body(_)) => {
            stream.write_all(&whole).await?;
            Ok(true)
        }
        Some(Fault::Cut) => {
            let kept = whole.len() - answer.body.len().div_ceil(2);
            stream.write_all(&whole[..kept]).await?;
            stream.shutdown().await?;
            Ok(false)
        }
        Some(Fault::Reset) => {
            stream.set_zero_linger()?;
            Ok(false)
        }
        Some(Fault::Silence) => {
            // Until the client gives up.
            let mut rest = [0; 64];
            while stream.read(&mut rest).await? > 0 {}
            Ok(false)
        }
    }
}
