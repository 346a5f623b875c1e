//! What an agent changes in fields on their way (spec/v1/http.md).

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderMap, HeaderName, HeaderValue};
use p2claw_agent::Upstream;
use p2claw_agent::fields::{VisitFacts, for_upstream, for_visitor};
use p2claw_agent::transport::{CandidateKind, Path};
use p2claw_conformance::vectors::{Case, HTTP_FIELDS};
use p2claw_session::Fields;
use serde::Deserialize;

use crate::check;

type Pairs = Vec<(String, String)>;

/// Text of one character for each byte (ISO 8859-1).
fn bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect()
}

/// Values by name, those of one name in their order.
fn by_name(pairs: impl IntoIterator<Item = (String, Vec<u8>)>) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut fields: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (name, value) in pairs {
        // The next hop may be told of trailers, or not.
        if (name.as_str(), value.as_slice()) == ("te", b"trailers") {
            continue;
        }
        let value = match name.as_str() {
            "accept-encoding" => sorted(&value),
            _ => value,
        };
        fields.entry(name).or_default().push(value);
    }
    fields
}

/// Codings have no order here.
fn sorted(value: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    let codings: BTreeSet<_> = text.split(", ").collect();
    codings
        .into_iter()
        .collect::<Vec<_>>()
        .join(", ")
        .into_bytes()
}

fn expected(case: &Case) -> BTreeMap<String, Vec<Vec<u8>>> {
    let pairs: Pairs = case.get("fields").unwrap();
    by_name(pairs.into_iter().map(|(name, value)| (name, bytes(&value))))
}

fn header_map(pairs: &Pairs) -> HeaderMap {
    let fields = pairs.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_bytes(&bytes(value)).unwrap())
    });
    fields.fold(HeaderMap::new(), |mut map, (name, value)| {
        map.append(name, value);
        map
    })
}

/// HTP-003, HTP-020 to HTP-026.
#[test]
fn fields_to_the_upstream() {
    #[derive(Deserialize)]
    struct Input {
        fields: Pairs,
        public_scheme: String,
        public_authority: String,
        upstream: String,
        preserve_host: bool,
        session: String,
        encodings: u64,
        visitor_address: Option<String>,
    }
    check(HTTP_FIELDS, "upstream-fields", |case| {
        let input: Input = case.input().unwrap();
        let mut fields = Fields::new();
        for (name, value) in &input.fields {
            fields.push(name.clone(), bytes(value)).unwrap();
        }
        let remote = input
            .visitor_address
            .map(|address| (address.parse::<std::net::IpAddr>().unwrap(), 4000).into());
        let facts = VisitFacts {
            public_authority: input.public_authority,
            public_scheme: input.public_scheme,
            session: input.session,
            encodings: input.encodings,
            path: remote.map(|remote| Path {
                local: "192.0.2.1:1".parse().unwrap(),
                remote,
                local_kind: CandidateKind::Host,
                remote_kind: CandidateKind::PeerReflexive,
            }),
        };
        let upstream: Upstream = input.upstream.parse().unwrap();
        let headers = for_upstream(&fields, &upstream, input.preserve_host, &facts);
        let sent = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        assert_eq!(by_name(sent), expected(case), "{}", case.id);
        true
    });
}

/// HTP-030 to HTP-033.
#[test]
fn fields_to_the_visitor() {
    #[derive(Deserialize)]
    struct Input {
        fields: Pairs,
        upstream: String,
    }
    check(HTTP_FIELDS, "visitor-fields", |case| {
        let input: Input = case.input().unwrap();
        let upstream: Upstream = input.upstream.parse().unwrap();
        let fields = for_visitor(&header_map(&input.fields), &upstream);
        let sent = fields
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_vec()));
        assert_eq!(by_name(sent), expected(case), "{}", case.id);
        true
    });
}
