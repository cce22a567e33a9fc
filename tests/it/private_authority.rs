//! A key service whose certificate a private authority signed: `ca_file` of `snapkey.toml` makes
//! it one that is trusted, and nothing else does.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::support::aws::{SECRET, arn, uuid};
use crate::support::cmd::{Place, ran};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A key service on loopback, for as long as the process lives: every key is enabled, nobody has
/// an identity.
fn serve(signed_by: &Authority) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, signed_by).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let _detached = std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            let _detached = std::thread::spawn(move || answer(stream, config));
        }
    });
    address
}

/// Answers requests until the client has gone; one that does not trust the certificate goes
/// during the handshake.
fn answer(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(tls, stream);
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while let read @ 1.. = stream.read(&mut buffer)? {
        request.extend_from_slice(&buffer[..read]);
        // The only answer that is asked for follows the only body with a key in it.
        let text = String::from_utf8_lossy(&request).into_owned();
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let (status, answer) = if body.starts_with("Action=") {
            (403, json!({"__type": "AccessDeniedException"}))
        } else if let Ok(asked) = serde_json::from_str::<Value>(body) {
            let id = &asked["KeyId"];
            let metadata = json!({"Arn": id, "KeyId": uuid(1), "KeyState": "Enabled",
                "AWSAccountId": "111122223333", "KeyUsage": "ENCRYPT_DECRYPT",
                "KeySpec": "SYMMETRIC_DEFAULT", "Enabled": true, "CreationDate": 1_700_000_000, "KeyManager": "CUSTOMER", "Origin": "AWS_KMS"});
            (200, json!({"KeyMetadata": metadata}))
        } else {
            continue;
        };
        request.clear();
        let answer = answer.to_string();
        let length = answer.len();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all((head + &answer).as_bytes())?;
        stream.flush()?;
    }
    Ok(())
}

/// Asks a key service about one key; what is trusted besides `ca_file` is `roots` alone.
fn probe(
    service: SocketAddr,
    ca_file: Option<&str>,
    roots: &Authority,
) -> crate::support::cmd::Ran {
    let place = Place::new();
    let known = json!({"key": arn(1), "condition": "enabled", "at": "2020-01-01T00:00:00Z"});
    let file = place.write("keys.ndjson", &format!("{known}\n"));
    let ingested = place.run(&["ingest", file.to_str().unwrap()]);
    assert_eq!(ingested.code, 0, "{}", ingested.stderr);
    let system = place.write("system.pem", &roots.pem());
    if let Some(pem) = ca_file {
        place.write("snapkey.toml", "ca_file = \"ca.pem\"\n");
        place.write("ca.pem", pem);
    }
    let mut command = place.command();
    command
        .args(["probe", &arn(1)])
        .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_ENDPOINT_URL", format!("https://{service}"))
        .env("SSL_CERT_FILE", system);
    ran(command.output().unwrap())
}

#[test]
fn an_authority_in_the_configuration_is_trusted_besides_those_of_the_system() {
    let [system, private, stranger, namesake] =
        ["system", "private", "stranger", "private"].map(authority);
    let bundle = format!("# two authorities\n{}{}", stranger.pem(), private.pem());
    // (signed by, ca_file, why it is not trusted)
    let table: [(&Authority, Option<&str>, Option<&str>); 7] = [
        (&private, Some(&private.pem()), None),
        (&private, Some(&bundle), None),
        (&system, Some(&private.pem()), None),
        (&system, None, None),
        (&private, Some(&stranger.pem()), Some("UnknownIssuer")),
        (&private, Some(&namesake.pem()), Some("BadSignature")),
        (&private, None, Some("UnknownIssuer")),
    ];
    for (no, (signed_by, ca_file, distrusted)) in table.into_iter().enumerate() {
        let ran = probe(serve(signed_by), ca_file, &system);
        let told = |text: &str| assert!(ran.stdout.contains(text), "{no} {text}: {ran:?}");
        match distrusted {
            None => {
                assert_eq!(ran.code, 0, "{no}: {ran:?}");
                told("enabled ");
            }
            Some(why) => {
                assert_eq!(ran.code, 3, "{no}: {ran:?}");
                told("unknown (unreachable)");
                told(&format!("invalid peer certificate: {why}"));
            }
        }
    }
}

#[test]
fn an_authority_that_cannot_be_used_is_no_reason_to_trust_less_or_more() {
    let [system, private] = ["system", "private"].map(authority);
    let key = private.key().serialize_pem();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    for (pem, why) in [
        ("", "holds no certificate"),
        (key.as_str(), "holds no certificate"),
        (broken, "certificate 1 in it cannot be used"),
        (&format!("{}{broken}", private.pem()), "certificate 2"),
        (cut, "is no PEM"),
    ] {
        let ran = probe(serve(&private), Some(pem), &system);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (2, ""),
            "{why}: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains("`ca.pem`"), "{}", ran.stderr);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert!(!ran.stderr.contains("AAAA"), "{}", ran.stderr);
    }
    let place = Place::new();
    place.write("snapkey.toml", "ca_file = \"missing.pem\"\n");
    let file = place.write(
        "keys.ndjson",
        &format!(
            "{}\n",
            json!({"key": arn(1), "condition": "enabled", "at": "2020-01-01T00:00:00Z"})
        ),
    );
    assert_eq!(place.run(&["ingest", file.to_str().unwrap()]).code, 0);
    let ran = place.run(&["probe", &arn(1)]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("missing.pem"), "{}", ran.stderr);
}
