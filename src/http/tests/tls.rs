//! TLS is always verified; a private authority can be added to those of the system.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::http::SetupError;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server whose certificate is for `name`.
fn server(issuer: &Authority, name: &str) -> Server {
    let pair = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&pair, issuer).unwrap();
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .unwrap();
    Server::start_tls(Arc::new(config), |request| {
        challenge(request, "n1").unwrap_or_else(Reply::ok)
    })
}

fn trusting(url: &str, pem: Option<&str>) -> Settings {
    let mut settings = settings(url, key());
    settings.ca_pem = pem.map(|pem| pem.as_bytes().to_vec());
    settings
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_named() {
    let (own, other) = (authority("own"), authority("other"));
    let server = server(&own, "127.0.0.1");
    let both = format!("# two of them\n{}{}", other.pem(), own.pem());
    for pem in [own.pem(), both] {
        let client = client(trusting(&server.url(), Some(&pem)));
        assert_eq!(get(&client, GROUPS).await.status, Some(200));
    }
}

#[tokio::test]
async fn whom_nobody_vouches_for_is_not_talked_to() {
    let (own, other) = (authority("own"), authority("other"));
    let server = server(&own, "127.0.0.1");
    for pem in [None, Some(other.pem())] {
        let client = client(trusting(&server.url(), pem.as_deref()));
        let answer = get(&client, GROUPS).await;
        let text = answer.failure.unwrap().to_string();
        assert_eq!(answer.status, None);
        assert!(
            text.starts_with("cannot connect: invalid peer certificate")
                && text.ends_with("UnknownIssuer (a private authority is named with `ca_file`)"),
            "{text}"
        );
    }
    assert!(server.log().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let own = authority("own");
    let server = server(&own, "atlas.example");
    let client = client(trusting(&server.url(), Some(&own.pem())));
    let text = get(&client, GROUPS).await.failure.unwrap().to_string();
    assert!(text.contains("not valid for"), "{text}");
    assert!(server.log().is_empty());
}

#[tokio::test]
async fn localhost_by_name_is_this_machine() {
    let own = authority("own");
    let server = server(&own, "localhost");
    let url = format!("https://localhost:{}", server.port());
    let client = client(trusting(&url, Some(&own.pem())));
    assert_eq!(get(&client, GROUPS).await.status, Some(200));
}

#[tokio::test]
async fn a_server_without_tls_is_told_nothing() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut first = [0; 1];
        stream.read_exact(&mut first).unwrap();
        stream.write_all(b"HTTP/1.1 400 X\r\n\r\n").unwrap();
        first
    });
    let client = client(trusting(&url, Some(&authority("own").pem())));
    let text = get(&client, GROUPS).await.failure.unwrap().to_string();
    assert!(text.starts_with("cannot connect: "), "{text}");
    // The first byte of a handshake. That there was one attempt shows in the listener's being gone.
    assert_eq!(thread.join().unwrap(), [0x16]);
    assert!(!text.contains("refused"), "{text}");
}

#[test]
fn an_authority_that_is_none_is_named_before_anything_is_sent() {
    let broken = "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n";
    let cut = "-----BEGIN CERTIFICATE-----\nhunter2";
    for pem in ["", "hunter2", broken, cut] {
        let refused = Client::new(trusting("https://atlas.example", Some(pem)));
        let Err(error) = refused else {
            panic!("taken: {pem}");
        };
        assert!(matches!(error, SetupError::Authority(_)), "{error}");
        assert!(!error.to_string().contains(MARK), "{error}");
    }
}
