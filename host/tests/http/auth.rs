//! Who may do what.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::fixture::{Fixture, KEY, SECRET, answer, signed, token};

const AGENT: &str = "agent";
const SUPERVISOR: &str = "supervisor";
const ADMIN: &str = "admin";

#[tokio::test]
async fn each_role_may_do_what_is_said_of_it_and_no_more() {
    let hub = Fixture::start().await;
    let (get, post) = (Method::GET, Method::POST);
    let cases = [
        (&get, "/v1/calls", AGENT),
        (&get, "/v1/events", AGENT),
        (&post, "/v1/tickets", AGENT),
        (&get, "/v1/deliveries", SUPERVISOR),
        (&get, "/v1/deliveries/1", SUPERVISOR),
        (&post, "/v1/deliveries/1/retry", SUPERVISOR),
        (&post, "/v1/deliveries/retry?state=parked", SUPERVISOR),
        (&get, "/v1/intake", SUPERVISOR),
        (&get, "/v1/intake/1", SUPERVISOR),
        (&get, "/v1/components", SUPERVISOR),
        (&get, "/v1/lanes", SUPERVISOR),
        (&get, "/v1/sources", SUPERVISOR),
        (&post, "/v1/intake/1/replay", ADMIN),
        (&post, "/v1/intake/replay", ADMIN),
    ];
    let roles = [AGENT, SUPERVISOR, ADMIN];
    for (method, path, least) in cases {
        let (status, problem) = answer(hub.request(method.clone(), path, None)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path} without a token");
        assert_eq!(problem["type"], "/docs#problem-unauthenticated");
        let rank = |role: &str| roles.iter().position(|one| *one == role);
        for role in roles {
            let (status, body) = answer(hub.request(method.clone(), path, Some(&token("acme", role, "ana")))).await;
            match rank(role) >= rank(least) {
                true => {
                    assert!(status.is_success() || status == StatusCode::NOT_FOUND, "{role} {path}: {status} {body}")
                }
                false => assert_eq!(status, StatusCode::FORBIDDEN, "{role} {path}"),
            }
        }
    }
}

#[tokio::test]
async fn a_token_must_be_whole_timely_signed_and_of_a_known_tenant() {
    let hub = Fixture::start().await;
    let good = json!({ "tenant": "acme", "role": "supervisor", "sub": "eva", "exp": 4_000_000_000_u64 });
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(&claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        signed(&claims)
    };
    let other = EncodingKey::from_secret(b"another secret");
    let wrong = jsonwebtoken::encode(&Header::default(), &good, &other).unwrap();
    let hs512 = EncodingKey::from_secret(SECRET.as_bytes());
    let hs512 = jsonwebtoken::encode(&Header::new(Algorithm::HS512), &good, &hs512).unwrap();
    let plain = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let unsigned = format!("{}.{}.", plain.encode(r#"{"alg":"none"}"#), plain.encode(good.to_string()));
    let refused = [
        without("tenant"),
        without("role"),
        without("sub"),
        without("exp"),
        with("exp", json!(1_000)),
        with("exp", json!("soon")),
        with("nbf", json!(4_000_000_000_u64)),
        with("role", json!("king")),
        with("tenant", json!(7)),
        wrong,
        hs512,
        unsigned,
        "x".to_owned(),
        "x".repeat(10_000),
        "ck_unknown".to_owned(),
    ];
    for token in &refused {
        let (status, problem) = hub.get("/v1/calls", token).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{token}: {problem}");
        let told = problem["detail"].as_str().unwrap();
        assert!(!told.contains(SECRET) && (token.len() < 5 || !told.contains(token.as_str())), "{told}");
    }
    assert_eq!(hub.get("/v1/calls", &signed(&good)).await.0, StatusCode::OK);
    assert_eq!(hub.get("/v1/calls", &with("tenant", json!("nobody"))).await.0, StatusCode::FORBIDDEN);
    assert_eq!(hub.get("/v1/calls", &token("acme", "agent", "stranger")).await.0, StatusCode::FORBIDDEN);
    let basic = hub.request(Method::GET, "/v1/calls", None).header("authorization", "Basic YTpi");
    assert_eq!(answer(basic).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_must_be_for_this_audience() {
    let hub = Fixture::with("[auth]\nsecret = { file = \"jwt\" }\naudience = \"cordboard\"\n").await;
    let status = async |audience: Option<serde_json::Value>| {
        let mut claims = json!({ "tenant": "acme", "role": "supervisor", "sub": "eva", "exp": 4_000_000_000_u64 });
        if let Some(audience) = audience {
            claims["aud"] = audience;
        }
        hub.get("/v1/calls", &signed(&claims)).await
    };
    assert_eq!(status(Some(json!("cordboard"))).await.0, StatusCode::OK);
    assert_eq!(status(Some(json!(["another", "cordboard"]))).await.0, StatusCode::OK);
    for wrong in [Some(json!("another")), Some(json!([])), Some(json!("")), None] {
        let (status, problem) = status(wrong.clone()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong:?}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|why| why.contains("aud")), "{wrong:?}: {problem}");
    }
}

#[tokio::test]
async fn a_key_works_for_its_own_tenant_and_role() {
    let hub = Fixture::start().await;
    let acme = hub.call("acme", "a", "1001", "").await;
    hub.call("other", "b", "1001", "").await;
    let (status, page) = hub.get("/v1/events", KEY).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(page["events"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(page["events"][0]["seq"], acme);
    assert_eq!(hub.post("/v1/intake/replay", KEY, &json!({})).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_agent_sees_its_own_desk() {
    let hub = Fixture::start().await;
    hub.call("acme", "hers", "1001", "").await;
    hub.call("acme", "his", "1002", "").await;
    hub.call("acme", "also-his", "1003", "").await;
    let (ana, luis) = (token("acme", "agent", "ana"), token("acme", "agent", "luis"));
    let ids = |page: &serde_json::Value, list: &str| -> Vec<String> {
        let items = page[list].as_array().unwrap().iter();
        items.map(|item| item["subject"]["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&hub.get("/v1/calls", &ana).await.1, "items"), ["hers"]);
    assert_eq!(ids(&hub.get("/v1/events", &ana).await.1, "events"), ["hers"]);
    assert_eq!(ids(&hub.get("/v1/events", &luis).await.1, "events"), ["his", "also-his"]);
    assert_eq!(hub.get("/v1/calls?agent=1002", &ana).await.0, StatusCode::FORBIDDEN);
    assert_eq!(hub.get("/v1/calls", &luis).await.1["field"], "agent");
    assert_eq!(ids(&hub.get("/v1/calls?agent=1003", &luis).await.1, "items"), ["also-his"]);

    let (_, page) = hub.get("/v1/calls?agent=1002", &token("acme", "supervisor", "eva")).await;
    let his = page["items"][0]["id"].as_i64().unwrap();
    assert_eq!(hub.get(&format!("/v1/calls/{his}"), &luis).await.0, StatusCode::OK);
    assert_eq!(hub.get(&format!("/v1/calls/{his}"), &ana).await.0, StatusCode::NOT_FOUND);
    assert_eq!(hub.get(&format!("/v1/calls/{his}"), &token("other", "admin", "eva")).await.0, StatusCode::NOT_FOUND);
}

/// A P-256 key made for this test alone.
const EC: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQx4sNbeN9uEBpGT+HsSUUCSJ+z4IZ7C85rmpu2uI376hRANCAASQggI6\
    Bm1q4PKtP3H5dcoDoWAvx0i10O2eB2z/gjQjJM8nxZzu5a8UkXItjJS8xpmXD0ex/iqPSlXXUcKydPbU";

/// An RSA key made for this test alone.
const RSA: &str = "MIIEogIBAAKCAQEAyGZxD3z7HDjw9DmcYNQTZ6Ol/4gT5zUD6uLMhu/XCgyKlbZ4vzZKF8Xs2RDgAsxpWAc3F4e+E4JT6kS6iIrWvZZkXIQnphw7\
    AMkYUF7Hu4Ca7COv0FU4RU5AalXeKcM66laY5kqRz4p9aJLWeETkqvTFKAUYP4fGq8FnDYiL58HCQc/QPms3den+2FMnZboIwX9WBhEIRNj8GR0H\
    GXsoGcL2aaJdn4hUJN2zcpBISuHqCiHWP8CJSSuVF+wuh68/rKSFJGzcxKdAgp2Nti2bRjOGFb3xgboiaTxaFjtCpuOngzjgGGOd0AmiuB9gdTZs\
    J2gt97qMgyysd5hRox59pQIDAQABAoIBACsGZ3a6UBVumjjtF4hob+Qb6/tRRWip5rXqzJuZ6bLEH4rmGsV+y+iPu3qdF2MybNmT7v2TzLjWjdqp\
    t9yx5knc/J4qV3Lf88EG67vxpXM5uMlDHi+d5E9o7gaGegTAYClIv1oOH4EODD/D6tz2eZvEooGlml+lcH+Wrd/ndZYjj6WdCLk00hkVEnDbwcmO\
    qAv3JL2jLbTy+ZqIPEmu8NhMXNQMqvUCXjZr3WGhr57A8g4BLzcMrm2YeNR4pRL/gdQhLfWl11mIa9a7ej7zHViT/bblmXpOycswBrCslgtbz9hn\
    uXnGWzZQv7dRKeBRTo6xYvV04HCo/YDHX3t6+T8CgYEA4smkjy2kxW98YnpLV5WcZ5fMbEy67WhzvDlEdjal7aBIbqaGgocsyP4ABg3Fok5GUtuT\
    6Z75UFueCaiAxTy+38BGRwFcxkUyZdFkToCJclRhV/KHLZWx2XKZfmgGec576tZ3SILfmHr8UmSK0elIr+XEsM5GZadVj+9aaunF0VcCgYEA4jaq\
    u+qxstfkyB3D76Dy1cvSr2p3ZyfQ2TImXf+oRTISd4aIGfrU7jahNChN2btafImaNd+KZmF/IJBskyxFdmiiNtgiU9dwK+9qFIuzrJNL67Hb6AL9\
    DF5RiGJglTYk0L+BA6zX9aL/B+UEWM+I2fVQv55j4QnKbV0YxX7DH2MCgYAhTo39fS2a1YHGEMHp7g4XZMLgEPDPFy0QMrTsS6BY4tZgcdKFbwbT\
    ygIE4Zbp/Gb1mkwB3pgtBheSwY2P6hj6UYnAueF/OQBq1bLOmLAW+2+EdBkIR9jj36HNX8e7seifF7pTCu19vmo6S4vbwlArjSoy8UiDe2zkg7ma\
    xBSKZwKBgAsTlC6ZYlQYgCpQUszD+7/+N/XA59HUQESyUPCfWRTyS7cwji9/ebekUyZjptQ3eUnJzxQ+Ot+ifIASsk5Oh6QxoWfAE4Y5cVOlaHNT\
    F9wmZjxHPDZTFyLo52MfNg14VjsmdWHBr91mOsifLSRQHSpW+bo4PjnBqfjK6zCYcWNzAoGAGDqsbgD8HGMQpPCbnJPUAdkhas2al0JWmlc5mbNk\
    03NZtvgMySK3aeFf4ijw2f4ib3XvGKEcApufIt0TK5uGY6abFPMc2Qlt+GlRf9NEithG7GS4/8dR1Se62+GUAma4y8MB15xGTwhxdg7nz7283VPo\
    7YDW9iXMdV5YZjhgXjc=";

#[tokio::test]
async fn tokens_are_verified_with_published_keys() {
    let der = base64::engine::general_purpose::STANDARD.decode(EC).unwrap();
    let private = EncodingKey::from_ec_der(&der);
    let mut public = Jwk::from_encoding_key(&private, Algorithm::ES256).unwrap();
    public.common.key_id = Some("one".to_owned());
    let rsa = EncodingKey::from_rsa_der(&base64::engine::general_purpose::STANDARD.decode(RSA).unwrap());
    let mut public_rsa = Jwk::from_encoding_key(&rsa, Algorithm::RS256).unwrap();
    public_rsa.common.key_id = Some("rsa".to_owned());
    let odd = json!({ "kty": "strange", "kid": "odd" });
    let shared = json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "shared" });
    let set = json!({ "keys": [odd, shared, public, public_rsa] });
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let app = axum::Router::new().route(
        "/jwks.json",
        axum::routing::get(move || async move {
            counter.fetch_add(1, Ordering::SeqCst);
            axum::Json(set)
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let hub = Fixture::with(&format!("[auth]\njwks = \"{url}\"\nissuer = \"https://id.example\"\n")).await;

    let claims = |issuer: &str| json!({ "tenant": "acme", "role": "supervisor", "sub": "eva", "exp": 4_000_000_000_u64, "iss": issuer });
    let sign = |algorithm, kid: Option<&str>, key: &EncodingKey, issuer: &str| {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, &claims(issuer), key).unwrap()
    };
    let good = "https://id.example";
    assert_eq!(hub.get("/v1/calls", &sign(Algorithm::ES256, Some("one"), &private, good)).await.0, StatusCode::OK);
    assert_eq!(hub.get("/v1/calls", &sign(Algorithm::RS256, Some("rsa"), &rsa, good)).await.0, StatusCode::OK);
    let refused = [
        sign(Algorithm::ES256, Some("one"), &private, "https://evil.example"),
        sign(Algorithm::ES256, Some("two"), &private, good),
        sign(Algorithm::ES256, None, &private, good),
        sign(Algorithm::RS384, Some("rsa"), &rsa, good),
        sign(Algorithm::RS256, Some("one"), &rsa, good),
        sign(Algorithm::HS256, Some("shared"), &EncodingKey::from_secret(b"secret"), good),
        sign(Algorithm::HS256, Some("one"), &EncodingKey::from_secret(&der), good),
    ];
    for token in refused {
        assert_eq!(hub.get("/v1/calls", &token).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "unknown key ids do not make the hub ask again and again");
}
