//! What happens to header fields between a visitor and an upstream (spec/v1/http.md).

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use p2claw_session::Fields;

use crate::{cookie, pages::ERROR_FIELD, transport::Path, upstream::Upstream};

/// Bit of the setting `encodings`: the sender decodes gzip (`spec/registries/settings.csv`).
const ENCODING_GZIP: u64 = 1;

/// Bit of the setting `encodings`: the sender decodes deflate.
const ENCODING_DEFLATE: u64 = 2;

/// Fields that concern one connection only (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What the agent knows of a visit, for the fields that it writes.
#[derive(Debug, Clone)]
pub struct VisitFacts {
    /// Host and port that the visitor sees: `recipes-honeyed-marble-4155.example.net`.
    pub public_authority: String,
    /// `http` or `https`, as the visitor sees it.
    pub public_scheme: String,
    /// Session id, hex.
    pub session: String,
    /// [`p2claw_session::Config::encodings`] of the visitor.
    pub encodings: u64,
    /// Where the visitor's packets come from, as far as it is known.
    pub path: Option<Path>,
}

impl VisitFacts {
    fn public_origin(&self) -> String {
        format!("{}://{}", self.public_scheme, self.public_authority)
    }
}

/// The fields that the upstream gets (`HTP-020`..`HTP-026`).
pub fn for_upstream(
    fields: &Fields,
    upstream: &Upstream,
    preserve_host: bool,
    facts: &VisitFacts,
) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(fields.len() + 8);
    for (name, value) in fields.iter() {
        if HOP_BY_HOP.contains(&name) || is_ours_to_write(name) || name == "cookie" {
            continue;
        }
        append(&mut headers, name, value);
    }
    // HTP-003: an upstream that speaks HTTP/1.1 expects one field at most.
    if let Some(cookies) = cookie::join(fields.get_all("cookie").map(|piece| &piece[..])) {
        append(&mut headers, "cookie", &cookies);
    }
    let host = if preserve_host {
        facts.public_authority.clone()
    } else {
        upstream.authority()
    };
    insert(&mut headers, header::HOST, &host);
    if !preserve_host
        && headers
            .get(header::ORIGIN)
            .is_some_and(|origin| *origin == facts.public_origin())
    {
        insert(
            &mut headers,
            header::ORIGIN,
            &format!("http://{}", upstream.authority()),
        );
    }
    limit_encodings(&mut headers, facts.encodings);

    let visitor = facts.path.map(|path| path.remote.ip());
    let forwarded_for = match visitor {
        Some(ip) if ip.is_ipv6() => format!("\"[{ip}]\""),
        Some(ip) => ip.to_string(),
        None => "unknown".to_owned(),
    };
    let forwarded = format!(
        "for={forwarded_for};host=\"{}\";proto={}",
        facts.public_authority, facts.public_scheme
    );
    insert(&mut headers, header::FORWARDED, &forwarded);
    if let Some(ip) = visitor {
        insert(
            &mut headers,
            HeaderName::from_static("x-forwarded-for"),
            &ip.to_string(),
        );
    }
    insert(
        &mut headers,
        HeaderName::from_static("x-forwarded-host"),
        &facts.public_authority,
    );
    insert(
        &mut headers,
        HeaderName::from_static("x-forwarded-proto"),
        &facts.public_scheme,
    );
    insert(
        &mut headers,
        HeaderName::from_static("x-p2claw-session"),
        &facts.session,
    );
    headers
}

/// Fields that say where a request came from: a visitor's own are never believed (`HTP-024`).
///
/// Many servers hand fields to programs as variables, where `x_real_ip` is the same as `x-real-ip`
/// (RFC 3875 section 4.1.18).
fn is_ours_to_write(name: &str) -> bool {
    let name = name.replace('_', "-");
    matches!(
        &*name,
        "host" | "forwarded" | "x-real-ip" | "x-client-ip" | "true-client-ip"
    ) || name.starts_with("x-forwarded-")
        || name.starts_with("x-p2claw-")
}

/// Whether a coding with these parameters has a weight above 0, in however many digits
/// (RFC 9110 section 12.4.2).
fn is_wanted(parameters: &str) -> bool {
    let weight = parameters
        .split(';')
        .find_map(|one| one.trim().strip_prefix("q="));
    weight.is_none_or(|weight| weight.contains(|digit| matches!(digit, '1'..='9')))
}

/// Leaves the encodings that the visitor's side can decode (`HTP-023`).
fn limit_encodings(headers: &mut HeaderMap, decodable: u64) {
    let asked: Option<Vec<String>> = headers.contains_key(header::ACCEPT_ENCODING).then(|| {
        headers
            .get_all(header::ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|coding| coding.trim().to_ascii_lowercase())
            .collect()
    });
    let allowed = [("gzip", ENCODING_GZIP), ("deflate", ENCODING_DEFLATE)];
    let codings: Vec<&str> = allowed
        .into_iter()
        .filter(|(_, bit)| decodable & bit != 0)
        .map(|(coding, _)| coding)
        .filter(|coding| {
            asked.as_ref().is_none_or(|asked| {
                asked.iter().any(|asked| {
                    let (name, parameters) = asked.split_once(';').unwrap_or((asked, ""));
                    name.trim() == *coding && is_wanted(parameters)
                })
            })
        })
        .collect();
    // A part of a compressed representation cannot be decoded by itself.
    let whole = !headers.contains_key(header::RANGE);
    if codings.is_empty() || !whole {
        insert(headers, header::ACCEPT_ENCODING, "identity");
    } else {
        insert(headers, header::ACCEPT_ENCODING, &codings.join(", "));
    }
}

/// The fields of a message of HTTP/1.1 that concern more than its connection, in their order: a
/// gateway passes these on (`HTP-020`, `HTP-030`).
pub fn end_to_end(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    let named_by_connection: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    // What the chunks say holds (RFC 9112 section 6.3).
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    headers.iter().filter(move |(name, _)| {
        let name = name.as_str();
        let hop_by_hop =
            HOP_BY_HOP.contains(&name) || named_by_connection.iter().any(|named| named == name);
        let replaced = chunked && name == header::CONTENT_LENGTH.as_str();
        !(hop_by_hop || replaced)
    })
}

/// The fields that the visitor gets (`HTP-030`..`HTP-033`).
pub fn for_visitor(headers: &HeaderMap, upstream: &Upstream) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in end_to_end(headers) {
        let name_text = name.as_str();
        // An app does not speak in the agent's name (`HTP-031`).
        if name_text.starts_with("x-p2claw-") || name_text == ERROR_FIELD {
            continue;
        }
        let rewritten = (name == header::LOCATION).then(|| relative_location(value, upstream));
        let value = rewritten.flatten().unwrap_or_else(|| value.clone());
        if let Err(error) = fields.push(name_text, value.as_bytes().to_vec()) {
            tracing::debug!(%error, name = name_text, "field of the upstream left out");
        }
    }
    fields
}

/// A redirect to the upstream's own address would lead a visitor to his own machine.
fn relative_location(value: &HeaderValue, upstream: &Upstream) -> Option<HeaderValue> {
    let text = value.to_str().ok()?;
    let (text, fragment) = match text.split_once('#') {
        Some((text, fragment)) => (text, format!("#{fragment}")),
        None => (text, String::new()),
    };
    // `//host/path` takes the scheme of the page.
    let absolute = match text.strip_prefix("//") {
        Some(rest) => format!("http://{rest}"),
        None => text.to_owned(),
    };
    let uri: Uri = absolute.parse().ok()?;
    if !upstream.is_at(uri.host()?, uri.port_u16()) {
        return None;
    }
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    // `//host` and `/\\host` would be read as another machine's name.
    let target = target.trim_start_matches(['/', '\\']);
    HeaderValue::from_str(&format!("/{target}{fragment}")).ok()
}

/// Trailers for the upstream, without what it would never take from a head (`HTP-009`).
pub(crate) fn trailers_for_upstream(trailers: &HeaderMap) -> HeaderMap {
    let taken =
        |name: &str| !HOP_BY_HOP.contains(&name) && !is_ours_to_write(name) && name != "cookie";
    let kept = trailers.iter().filter(|(name, _)| taken(name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Trailers for the visitor, without what may not come behind a body (`HTP-009`, SES-039).
pub(crate) fn trailers_for_visitor(trailers: &HeaderMap, upstream: &Upstream) -> Fields {
    let mut kept = trailers.clone();
    for name in [header::CONTENT_LENGTH, header::HOST, header::TRAILER] {
        kept.remove(name);
    }
    for_visitor(&kept, upstream)
}

/// The same fields for a program that speaks HTTP/1.1.
#[must_use]
pub fn to_header_map(fields: &Fields) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields.iter() {
        append(&mut headers, name, value);
    }
    headers
}

fn append(headers: &mut HeaderMap, name: &str, value: &[u8]) {
    // The session checked both by the same rules; what http refuses beyond them is left out.
    if let (Ok(name), Ok(value)) = (
        HeaderName::from_bytes(name.as_bytes()),
        HeaderValue::from_bytes(value),
    ) {
        headers.append(name, value);
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
