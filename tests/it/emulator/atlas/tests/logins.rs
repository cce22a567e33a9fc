//! Who gets in, and who does not.

use reqwest::StatusCode;
use serde_json::json;

use super::{V1, Visitor, estate};
use crate::emulator::atlas::estate::Role;
use crate::emulator::atlas::login::{Auth, Digested, MOST_TOKENS, REALM, digest_response, fields};
use crate::emulator::atlas::{API_KEY, Atlas, Request, SERVICE_ACCOUNT};

#[test]
fn roles_and_addresses_are_refused() {
    let atlas = Atlas::start(estate());
    let visitor = Visitor::new(&atlas);
    let jobs = || visitor.group("/clusters/main/backup/restoreJobs", V1).0;
    let policy = || {
        let accept = "application/vnd.atlas.2023-10-01+json";
        visitor.group("/backupCompliancePolicy", accept).0
    };
    let settings = || visitor.group("/encryptionAtRest", V1).0;
    for (role, expected) in [
        (Role::Owner, [200, 200, 200]),
        (Role::BackupManager, [200, 200, 403]),
        (Role::ReadOnly, [200, 403, 403]),
        (Role::Nothing, [403, 403, 403]),
    ] {
        atlas.change(|estate| estate.projects[0].role = role);
        assert_eq!([settings(), jobs(), policy()], expected, "{role:?}");
    }
    atlas.world().quirks.role_status = 401;
    assert_eq!(settings(), 401);
    assert_eq!(visitor.get("groups", V1).0, 200);
    atlas.world().quirks.address_refused = true;
    let (status, body) = visitor.get("groups", V1);
    assert_eq!(
        (status, &body["errorCode"]),
        (403, &json!("IP_ADDRESS_NOT_ON_ACCESS_LIST"))
    );
    assert!(!visitor.token().is_empty(), "a token is had from anywhere");
}

#[test]
fn a_digest_is_checked_and_its_nonce_goes_stale() {
    // RFC 2617, section 3.5.
    let of_rfc = digest_response(&Digested {
        user: "Mufasa",
        realm: "testrealm@host.com",
        password: "Circle Of Life",
        method: "GET",
        uri: "/dir/index.html",
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        nc: "00000001",
        cnonce: "0a4f113b",
    });
    assert_eq!(of_rfc, "6629fae49393a05397450978507c4ef1");

    let atlas = Atlas::start(estate());
    atlas.world().logins.nonce_uses = 2;
    let visitor = Visitor::new(&atlas);
    let target = "/api/atlas/v2/groups";
    let ask = |authorization: Option<String>| {
        let mut request = visitor
            .client
            .get(format!("{}{target}", visitor.base))
            .header("accept", V1);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = visitor.send(request).unwrap();
        let challenge = response.headers().get("www-authenticate");
        let challenge = challenge.map(|c| c.to_str().unwrap().to_owned());
        (response.status(), challenge.unwrap_or_default())
    };
    let nonce_of =
        |challenge: &str| fields(challenge.trim_start_matches("Digest "))["nonce"].clone();
    let signed = |nonce: &str, nc: &str, password: &str| {
        let response = digest_response(&Digested {
            user: API_KEY.0,
            realm: REALM,
            password,
            method: "GET",
            uri: target,
            nonce,
            nc,
            cnonce: "c1",
        });
        let (user, realm) = (API_KEY.0, REALM);
        Some(format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", \
             qop=auth, nc={nc}, cnonce=\"c1\", response=\"{response}\", algorithm=MD5"
        ))
    };
    let (status, challenge) = ask(None);
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let nonce = nonce_of(&challenge);
    let (status, refused) = ask(signed(&nonce, "00000001", "wrong"));
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(refused.contains("stale=false"), "{refused}");
    let private = API_KEY.1;
    assert_eq!(ask(signed(&nonce, "00000001", private)).0, StatusCode::OK);
    let (status, replayed) = ask(signed(&nonce, "00000001", private));
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(replayed.contains("stale=true"), "{replayed}");
    assert_eq!(ask(signed(&nonce, "00000002", private)).0, StatusCode::OK);
    let (status, used_up) = ask(signed(&nonce, "00000003", private));
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(used_up.contains("stale=true"), "{used_up}");
    assert_eq!(
        ask(signed(&nonce_of(&used_up), "00000001", private)).0,
        StatusCode::OK
    );
    assert_eq!(
        ask(signed("made-up", "00000001", private)).0,
        StatusCode::UNAUTHORIZED
    );

    // A client that others wrote gets through all the same, mid-list too.
    for _ in 0..5 {
        assert_eq!(visitor.get("groups", V1).0, 200);
    }
    let of_digest = |r: &Request| r.auth == Auth::Digest;
    assert!(atlas.log().iter().any(of_digest));
}

#[test]
fn tokens_are_counted_expire_and_are_revoked() {
    let atlas = Atlas::start(estate());
    let visitor = Visitor::new(&atlas);
    let form = [("grant_type", "client_credentials")];
    assert_eq!(visitor.oauth("token", "wrong", &form).0, 401);
    assert_eq!(visitor.oauth("token", SERVICE_ACCOUNT.1, &[]).0, 400);
    let token = visitor.token();
    assert_eq!(visitor.borne(&token), 200);
    assert_eq!(visitor.borne("made-up"), 401);
    let revoke = |token: &str| {
        let form = [("token", token), ("token_type_hint", "access_token")];
        visitor.oauth("revoke", SERVICE_ACCOUNT.1, &form).0
    };
    assert_eq!(atlas.world().live_tokens(), 1);
    assert_eq!(revoke(&token), 200);
    assert_eq!(visitor.borne(&token), 401);
    assert_eq!(atlas.world().live_tokens(), 0);

    atlas.world().logins.token_uses = 2;
    let short = visitor.token();
    let tries: Vec<u16> = (0..3).map(|_| visitor.borne(&short)).collect();
    assert_eq!(tries, [200, 200, 401]);

    let live = atlas.world().live_tokens();
    atlas.world().litter(MOST_TOKENS - live);
    let (status, body) = visitor.oauth("token", SERVICE_ACCOUNT.1, &form);
    assert_eq!((status, &body["error"]), (403, &json!("access_denied")));
    atlas.world().quirks.clock = chrono::TimeDelta::hours(1);
    assert_eq!(atlas.world().live_tokens(), 0);
}
