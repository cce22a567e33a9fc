//! How a vault speaks: certificates, TLS, `CONNECT`, HTTP messages, and what a fault leaves of an
//! answer.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::{Fault, World, lock};

/// Certificates for the vaults of all clouds and for the token endpoints, of an authority whose
/// certificate is given too.
pub(super) fn certified() -> (Arc<ServerConfig>, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // A name of its own: OpenSSL calls a certificate whose issuer has its own name self-signed.
    let name = "the authority of the test";
    authority.distinguished_name.push(DnType::CommonName, name);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let names = [
        "*.vault.azure.net",
        "*.vault.azure.cn",
        "*.vault.usgovcloudapi.net",
        "*.managedhsm.azure.net",
        "*.managedhsm.azure.cn",
        "*.managedhsm.usgovcloudapi.net",
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.chinacloudapi.cn",
    ];
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(names.map(str::to_owned))
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    (Arc::new(config), authority.as_ref().pem())
}

/// One connection, kept alive until the client closes it or a fault ends it.
pub(super) fn serve(
    mut stream: TcpStream,
    config: Arc<ServerConfig>,
    world: &Mutex<World>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    if stream.peek(&mut first)? == 1 && first[0] == b'C' {
        read_head(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    }
    let tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(tls, stream);
    while let Some(message) = read_message(&mut stream)? {
        let (answer, fault) = {
            let mut world = lock(world);
            world.answering += 1;
            world.most_at_once = world.most_at_once.max(world.answering);
            world.answer(&message)
        };
        let (latency, date) = {
            let world = lock(world);
            (world.latency, world.date.clone())
        };
        std::thread::sleep(latency);
        let sent = send(&mut stream, &answer, fault, &date);
        lock(world).answering -= 1;
        if !sent? {
            return Ok(());
        }
    }
    Ok(())
}

/// A request's first line, its head in lower-case names, and its body.
pub(super) struct Message {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

fn read_head(stream: &mut impl Read) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

fn read_message(stream: &mut impl Read) -> io::Result<Option<Message>> {
    let Some(head) = read_head(stream)? else {
        return Ok(None);
    };
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (first.next(), first.next());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|l| l.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(Some(Message {
        method: method.unwrap_or_default().to_owned(),
        path: path.unwrap_or_default().to_owned(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }))
}

/// A whole HTTP answer before any fault is done to it.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: String::new(),
            body: body.to_string(),
        }
    }

    pub(super) fn error(status: u16, code: &str, inner: Option<&str>, message: &str) -> Self {
        let mut error = json!({"code": code, "message": message});
        if let Some(inner) = inner {
            error["innererror"] = json!({"code": inner});
        }
        Self::json(status, &json!({"error": error}))
    }

    fn bytes(&self, date: &str) -> Vec<u8> {
        format!(
            "HTTP/1.1 {} X\r\ncontent-type: application/json; charset=utf-8\r\ndate: {date}\r\n\
             x-ms-keyvault-region: westeurope\r\n{}content-length: {}\r\n\r\n{}",
            self.status,
            self.headers,
            self.body.len(),
            self.body
        )
        .into_bytes()
    }
}

type Tls = StreamOwned<ServerConnection, TcpStream>;

/// Sends the answer, or what a fault leaves of it. `false`: the connection is over.
fn send(stream: &mut Tls, answer: &Answer, fault: Option<Fault>, date: &str) -> io::Result<bool> {
    let bytes = answer.bytes(date);
    match fault {
        None => stream.write_all(&bytes)?,
        Some(Fault::Error {
            status,
            code,
            inner,
            message,
            headers,
        }) => {
            let mut answer = Answer::error(status, code, inner, &message);
            headers.clone_into(&mut answer.headers);
            stream.write_all(&answer.bytes(date))?;
        }
        Some(Fault::Body { status, body }) => {
            let answer = Answer {
                status,
                headers: String::new(),
                body,
            };
            stream.write_all(&answer.bytes(date))?;
        }
        Some(Fault::Cut) => {
            stream.write_all(&bytes[..bytes.len() - answer.body.len() / 2])?;
            stream.flush()?;
            stream.sock.shutdown(std::net::Shutdown::Both)?;
            return Ok(false);
        }
        Some(Fault::HangUp) => return Ok(false),
        Some(Fault::Trickle(pause)) => {
            for byte in bytes {
                std::thread::sleep(pause);
                stream.write_all(&[byte])?;
                stream.flush()?;
            }
        }
        Some(Fault::Silence) => {
            // Until the client gives up.
            let mut rest = [0; 64];
            while stream.read(&mut rest)? > 0 {}
            return Ok(false);
        }
    }
    stream.flush()?;
    Ok(true)
}
