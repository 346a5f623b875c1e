#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
use super::*;
use crate::transport::CandidateKind;

fn facts() -> VisitFacts {
    VisitFacts {
        public_authority: "recipes-honeyed-marble-4155.example.net".to_owned(),
        public_scheme: "https".to_owned(),
        session: "00".repeat(16),
        encodings: ENCODING_GZIP,
        path: Some(Path {
            local: "192.0.2.1:1".parse().unwrap(),
            remote: "198.51.100.7:4000".parse().unwrap(),
            local_kind: CandidateKind::Host,
            remote_kind: CandidateKind::PeerReflexive,
        }),
    }
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in pairs {
        fields.push(*name, value.as_bytes().to_vec()).unwrap();
    }
    fields
}

fn sent(pairs: &[(&str, &str)], preserve_host: bool) -> HeaderMap {
    let upstream: Upstream = "5173".parse().unwrap();
    for_upstream(&fields(pairs), &upstream, preserve_host, &facts())
}

/// HTP-021, HTP-022, HTP-024, HTP-025, HTP-026, SEC-005
#[test]
fn the_upstream_sees_its_own_host_and_the_truth_beside_it() {
    let headers = sent(
        &[
            ("origin", "https://recipes-honeyed-marble-4155.example.net"),
            ("forwarded", "for=10.0.0.1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-host", "evil"),
            ("x-real-ip", "10.0.0.1"),
            ("x-p2claw-session", "evil"),
            ("x_forwarded_for", "10.0.0.1"),
            ("x_p2claw-session", "evil"),
            ("x_real_ip", "10.0.0.1"),
            ("x-client-ip", "10.0.0.1"),
            ("true-client-ip", "10.0.0.1"),
            ("x-other", "kept"),
        ],
        false,
    );
    assert_eq!(headers["host"], "localhost:5173");
    assert_eq!(headers["origin"], "http://localhost:5173");
    assert_eq!(headers["x-forwarded-for"], "198.51.100.7");
    assert_eq!(
        headers["x-forwarded-host"],
        "recipes-honeyed-marble-4155.example.net"
    );
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(
        headers["forwarded"],
        "for=198.51.100.7;host=\"recipes-honeyed-marble-4155.example.net\";proto=https"
    );
    assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
    assert_eq!(headers["x-p2claw-session"], "00".repeat(16).as_str());
    assert!(!headers.contains_key("x-real-ip"));
    let claims = headers.values().filter(|value| {
        let value = value.to_str().unwrap();
        value == "10.0.0.1" || value == "evil"
    });
    assert_eq!(claims.count(), 0, "what a visitor says about itself");
    assert_eq!(headers["x-other"], "kept");
}

/// HTP-021, HTP-022
#[test]
fn an_origin_of_somebody_else_and_a_preserved_host_stay() {
    let headers = sent(&[("origin", "https://other.example")], false);
    assert_eq!(headers["origin"], "https://other.example");
    let own = "https://recipes-honeyed-marble-4155.example.net";
    let headers = sent(&[("origin", own)], true);
    assert_eq!(headers["host"], "recipes-honeyed-marble-4155.example.net");
    assert_eq!(headers["origin"], own);
}

/// HTP-023
#[test]
fn only_encodings_that_the_visitor_decodes_are_asked_for() {
    let encoding = |pairs: &[(&str, &str)]| sent(pairs, false)["accept-encoding"].clone();
    assert_eq!(encoding(&[]), "gzip");
    assert_eq!(encoding(&[("accept-encoding", "br, zstd, gzip")]), "gzip");
    assert_eq!(encoding(&[("accept-encoding", "br")]), "identity");
    assert_eq!(encoding(&[("accept-encoding", "gzip;q=0")]), "identity");
    assert_eq!(encoding(&[("range", "bytes=0-1")]), "identity");
}

/// HTP-020: what a visitor may say to a proxy of its own is not for the upstream.
#[test]
fn htp_020_the_upstream_gets_no_field_of_one_connection_only() {
    let headers = sent(
        &[
            ("proxy-authorization", "Basic c2VzYW1l"),
            ("authorization", "Basic a2VwdA=="),
            ("accept", "text/html"),
        ],
        false,
    );
    assert!(!headers.contains_key("proxy-authorization"));
    assert_eq!(headers["authorization"], "Basic a2VwdA==");
    assert_eq!(headers["accept"], "text/html");
}

/// HTP-033: one field that cannot travel takes no other one with it.
#[test]
fn htp_033_fields_that_break_the_rules_are_left_out() {
    let upstream: Upstream = "5173".parse().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-before", HeaderValue::from_static(" padded"));
    headers.insert("x-behind", HeaderValue::from_static("padded\t"));
    headers.insert("etag", HeaderValue::from_static("\"kept\""));
    let fields = for_visitor(&headers, &upstream);
    let names: Vec<&str> = fields.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["etag"]);
}

/// HTP-030, HTP-031
#[test]
fn the_visitor_gets_no_field_of_one_connection_only() {
    let upstream: Upstream = "5173".parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("connection", "x-mine, close"),
        ("x-mine", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-authenticate", "Basic"),
        ("proxy-connection", "close"),
        ("upgrade", "h2c"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("x-p2claw-error", "forged"),
        ("p2claw-error", "UPSTREAM_UNAVAILABLE"),
        ("set-cookie", "a=1"),
        ("content-type", "text/html"),
    ] {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_static(value),
        );
    }
    headers.append("set-cookie", HeaderValue::from_static("b=2"));
    let fields = for_visitor(&headers, &upstream);
    let names: Vec<&str> = fields.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["set-cookie", "set-cookie", "content-type"]);
}

/// HTP-032
#[test]
fn a_location_at_the_upstream_becomes_a_path() {
    let upstream: Upstream = "5173".parse().unwrap();
    for (location, shown) in [
        ("http://localhost:5173/next?a=1", "/next?a=1"),
        ("http://127.0.0.1:5173", "/"),
        ("http://localhost:5173/next#part", "/next#part"),
        ("http://localhost:5173//evil.example/", "/evil.example/"),
        ("//127.0.0.1:5173/next", "/next"),
        ("http://localhost:5173/\\\\evil.example/", "/evil.example/"),
        ("//evil.example/", "//evil.example/"),
        ("http://localhost:9999/next", "http://localhost:9999/next"),
        ("https://example.com/", "https://example.com/"),
        ("/relative", "/relative"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static(location));
        let fields = for_visitor(&headers, &upstream);
        assert_eq!(
            fields.get("location").unwrap(),
            shown.as_bytes(),
            "{location}"
        );
    }
}

/// HTP-003: pieces of `cookie` are joined in their order; what is empty leaves no field.
#[test]
fn the_upstream_gets_one_cookie_field() {
    let headers = sent(
        &[("cookie", "a=1; b=2"), ("x", "y"), ("cookie", "c=3")],
        false,
    );
    let cookies: Vec<_> = headers.get_all("cookie").iter().collect();
    assert_eq!(cookies, ["a=1; b=2; c=3"]);
    assert_eq!(headers["x"], "y");
    assert!(!sent(&[("cookie", "")], false).contains_key("cookie"));
}
