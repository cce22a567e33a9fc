//! An HTTP/1.1 server on a thread of its own that leaves every answer to a function.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query.
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Request {
    /// Empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Whole {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// The first half of a whole answer, then the end of the connection.
    Cut,
    /// The end of the connection without a byte.
    HangUp,
    /// Nothing, until the client gives up.
    Silence,
}

impl Reply {
    pub(super) fn body(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Whole {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// An empty list.
    pub(super) fn ok() -> Self {
        Self::body(200, "{\"results\": []}")
    }

    pub(super) fn error(status: u16, code: &str) -> Self {
        let body = format!("{{\"error\": {status}, \"errorCode\": \"{code}\"}}");
        Self::body(status, body)
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Whole { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

type Handler = Box<dyn FnMut(&Request) -> Reply + Send>;

/// Puts a connection into TLS, or leaves it as it is.
type Wrap = dyn Fn(TcpStream) -> io::Result<Box<dyn Stream>> + Send + Sync;

pub(super) trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// The running server; it takes no more connections once dropped.
pub(super) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    log: Arc<Mutex<Vec<Request>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(handler: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        Self::run("http", handler, |stream| Ok(Box::new(stream)))
    }

    pub(super) fn start_tls(
        config: Arc<rustls::ServerConfig>,
        handler: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Self {
        Self::run("https", handler, move |stream| {
            let connection =
                rustls::ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            Ok(Box::new(rustls::StreamOwned::new(connection, stream)))
        })
    }

    fn run(
        scheme: &'static str,
        handler: impl FnMut(&Request) -> Reply + Send + 'static,
        wrap: impl Fn(TcpStream) -> io::Result<Box<dyn Stream>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let handler: Arc<Mutex<Handler>> = Arc::new(Mutex::new(Box::new(handler)));
        let wrap: Arc<Wrap> = Arc::new(wrap);
        let thread = std::thread::spawn({
            let (log, stopping) = (Arc::clone(&log), Arc::clone(&stopping));
            move || {
                while let Ok((stream, _)) = listener.accept() {
                    if stopping.load(Ordering::SeqCst) {
                        return;
                    }
                    let (handler, log, wrap) =
                        (Arc::clone(&handler), Arc::clone(&log), Arc::clone(&wrap));
                    let _detached = std::thread::spawn(move || {
                        // A client that goes away is no failure of the test.
                        let _ended =
                            wrap(stream).and_then(|mut stream| serve(&mut *stream, &handler, &log));
                    });
                }
            }
        });
        Self {
            address,
            scheme,
            log,
            stopping,
            thread: Some(thread),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn log(&self) -> Vec<Request> {
        lock(&self.log).clone()
    }

    /// How many requests there were for a path, its query included.
    pub(super) fn count(&self, path: &str) -> usize {
        let of_it = |request: &&Request| request.path == path;
        lock(&self.log).iter().filter(of_it).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes up the thread that waits for a connection.
        let _woken = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(
    stream: &mut dyn Stream,
    handler: &Mutex<Handler>,
    log: &Mutex<Vec<Request>>,
) -> io::Result<()> {
    while let Some(request) = read(stream)? {
        lock(log).push(request.clone());
        let reply = lock(handler)(&request);
        match reply {
            Reply::Whole {
                status,
                headers,
                body,
            } => {
                let mut head = format!("HTTP/1.1 {status} X\r\n");
                for (name, value) in &headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                let chunked = headers.iter().any(|(name, _)| name == "Transfer-Encoding");
                if !chunked {
                    head.push_str(&format!("Content-Length: {}\r\n", body.len()));
                }
                head.push_str("\r\n");
                stream.write_all(&[head.as_bytes(), &body].concat())?;
                stream.flush()?;
            }
            Reply::Cut => {
                stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 30\r\n\r\n{\"results\": [")?;
                return stream.flush();
            }
            Reply::HangUp => return Ok(()),
            Reply::Silence => {
                let _given_up = stream.read(&mut [0; 1]);
                return Ok(());
            }
        }
    }
    Ok(())
}

fn read(stream: &mut dyn Stream) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&buffer[..read]);
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(None);
        }
        body.extend_from_slice(&buffer[..read]);
    }
    Ok(Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }))
}
