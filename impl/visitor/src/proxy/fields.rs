//! What happens to fields between a local program and the app: both ends keep their own names for
//! the app, and each hears the one that it knows.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, Uri, header, uri::Authority};
use p2claw_agent::fields::{end_to_end, to_header_map};
use p2claw_session::{Fields, head::FieldError};

use crate::{Address, address::is_localhost};

/// Under which names an app is known on either side.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// `https://recipes-honeyed-marble-4155.example.net`
    public_origin: String,
    /// The same without its scheme.
    public_authority: String,
    any_host: bool,
}

impl Names {
    pub(super) fn new(address: &Address, any_host: bool) -> Self {
        Self {
            public_origin: address.origin(),
            public_authority: address.authority().to_owned(),
            any_host,
        }
    }

    /// The local origin that a request came for. `None`: it is for somebody else (HTP-053).
    ///
    /// A website that lets its own name lead here would otherwise speak with the app as if it
    /// were of one origin with it. It has no way to use a bare address so.
    pub(super) fn local_origin(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        let named = match uri.authority() {
            Some(authority) => Some(authority.clone()),
            None => match headers.get(header::HOST) {
                Some(host) => Some(host.to_str().ok()?.parse::<Authority>().ok()?),
                // HTTP/1.0
                None => None,
            },
        };
        let Some(named) = named else {
            return Some(String::new());
        };
        let host = named.host();
        let ours = self.any_host || is_localhost(&host.to_ascii_lowercase()) || ip(host).is_some();
        ours.then(|| format!("http://{}", named.as_str()))
    }

    /// Whether a request comes from a website that is not the app's (HTP-055). At the public
    /// address such a one does not reach the app at all; here it would open WebSockets.
    pub(super) fn is_foreign(&self, headers: &HeaderMap, local_origin: &str) -> bool {
        let Some(origin) = headers.get(header::ORIGIN).filter(|_| !self.any_host) else {
            return false;
        };
        let Ok(origin) = origin.to_str() else {
            return true;
        };
        let ours = origin == local_origin || origin == self.public_origin;
        let host = origin.parse::<Uri>().ok();
        let host = host.as_ref().and_then(Uri::host).unwrap_or_default();
        !(ours || is_localhost(&host.to_ascii_lowercase()) || is_loopback(host))
    }

    /// The fields that the app gets (HTP-052).
    pub(super) fn to_app(
        &self,
        headers: &HeaderMap,
        local_origin: &str,
    ) -> Result<Fields, FieldError> {
        let mut fields = Fields::new();
        for (name, value) in end_to_end(headers) {
            if name == header::HOST {
                continue;
            }
            let renamed = match *name == header::ORIGIN || *name == header::REFERER {
                true => self.renamed(value, local_origin),
                false => None,
            };
            let value = renamed.unwrap_or_else(|| value.as_bytes().to_vec());
            fields.push(name.as_str(), value)?;
        }
        Ok(fields)
    }

    /// A URL of the local origin as the public one.
    fn renamed(&self, value: &HeaderValue, local_origin: &str) -> Option<Vec<u8>> {
        if local_origin.is_empty() {
            return None;
        }
        let rest = value.to_str().ok()?.strip_prefix(local_origin)?;
        (rest.is_empty() || rest.starts_with('/'))
            .then(|| format!("{}{rest}", self.public_origin).into_bytes())
    }

    /// The fields that the local program gets (HTP-052).
    pub(super) fn to_caller(&self, fields: &Fields) -> HeaderMap {
        let mut headers = to_header_map(fields);
        let local = headers
            .get(header::LOCATION)
            .and_then(|location| self.relative(location));
        if let Some(local) = local {
            headers.insert(header::LOCATION, local);
        }
        headers
    }

    /// A redirect within the app, which would lead past the proxy.
    fn relative(&self, location: &HeaderValue) -> Option<HeaderValue> {
        let text = location.to_str().ok()?;
        let rest = text.strip_prefix(self.public_origin.as_str()).or_else(|| {
            text.strip_prefix("//")?
                .strip_prefix(self.public_authority.as_str())
        })?;
        match rest.chars().next() {
            None => Some(HeaderValue::from_static("/")),
            // `//host` and `/\host` would be read as another machine's name.
            Some('/') => {
                let path = rest.trim_start_matches(['/', '\\']);
                HeaderValue::from_str(&format!("/{path}")).ok()
            }
            Some('?' | '#') => HeaderValue::from_str(&format!("/{rest}")).ok(),
            // A longer host, or another port.
            Some(_) => None,
        }
    }
}

/// The IP address that a host is, in brackets or without.
fn ip(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok()
}

fn is_loopback(host: &str) -> bool {
    ip(host).is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    const LOCAL: &str = "http://127.0.0.1:9000";

    fn names(any_host: bool) -> Names {
        let address = "https://a-bob.example:8443/x".parse().unwrap();
        Names::new(&address, any_host)
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    /// HTP-053: names that websites could have are refused, whatever their case and port.
    #[test]
    fn htp_053_only_names_of_this_machine_are_taken() {
        let origin = |host: &str, any: bool| {
            names(any).local_origin(&Uri::from_static("/"), &headers(&[("host", host)]))
        };
        for host in [
            "127.0.0.1:9000",
            "localhost:9000",
            "LOCALHOST",
            "app.localhost:1",
            "[::1]:9000",
            "192.0.2.7",
        ] {
            assert_eq!(origin(host, false), Some(format!("http://{host}")));
        }
        for host in [
            "evil.example:9000",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "a-bob.example:8443",
            "a b",
            "",
        ] {
            assert_eq!(origin(host, false), None, "{host}");
        }
        assert!(origin("evil.example", true).is_some());
        let absolute = Uri::from_static("http://evil.example/");
        let host = headers(&[("host", "127.0.0.1:9000")]);
        assert_eq!(names(false).local_origin(&absolute, &host), None);
        let nameless = names(false).local_origin(&Uri::from_static("/"), &HeaderMap::new());
        assert_eq!(nameless.as_deref(), Some(""));
    }

    /// HTP-055: pages of this machine and of the app are let in, and other websites are not.
    #[test]
    fn htp_055_websites_are_kept_out() {
        for (origin, foreign) in [
            (LOCAL, false),
            ("https://a-bob.example:8443", false),
            ("http://localhost:5173", false),
            ("http://app.localhost", false),
            ("http://[::1]:3000", false),
            ("https://evil.example", true),
            ("https://a-bob.example", true),
            ("http://192.0.2.7", true),
            ("http://127.0.0.1.evil.example", true),
            ("null", true),
            ("", true),
        ] {
            let sent = headers(&[("origin", origin)]);
            assert_eq!(names(false).is_foreign(&sent, LOCAL), foreign, "{origin}");
            assert!(!names(true).is_foreign(&sent, LOCAL), "{origin}");
        }
        assert!(!names(false).is_foreign(&HeaderMap::new(), LOCAL));
    }

    /// HTP-052: the app sees its public name, and nothing of the local connection.
    #[test]
    fn htp_052_the_app_hears_its_public_name() {
        let sent = headers(&[
            ("host", "127.0.0.1:9000"),
            ("origin", LOCAL),
            ("referer", "http://127.0.0.1:9000/page?a"),
            ("connection", "keep-alive, x-own"),
            ("x-own", "1"),
            ("cookie", "a=1"),
            ("te", "trailers"),
        ]);
        let fields = names(false).to_app(&sent, LOCAL).unwrap();
        let seen: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name, str::from_utf8(value).unwrap()))
            .collect();
        assert_eq!(
            seen,
            [
                ("origin", "https://a-bob.example:8443"),
                ("referer", "https://a-bob.example:8443/page?a"),
                ("cookie", "a=1"),
            ]
        );
        let foreign = headers(&[
            ("origin", "http://127.0.0.1:90001"),
            ("referer", "https://evil.example/"),
        ]);
        let fields = names(false).to_app(&foreign, LOCAL).unwrap();
        assert_eq!(fields.get("origin").unwrap(), "http://127.0.0.1:90001");
        assert_eq!(fields.get("referer").unwrap(), "https://evil.example/");
    }

    /// HTP-052: redirects within the app stay with the proxy.
    #[test]
    fn htp_052_redirects_stay_local() {
        for (location, seen) in [
            ("https://a-bob.example:8443/next?a#b", "/next?a#b"),
            ("https://a-bob.example:8443", "/"),
            ("https://a-bob.example:8443?q", "/?q"),
            ("//a-bob.example:8443/next", "/next"),
            (
                "https://a-bob.example:8443//evil.example/",
                "/evil.example/",
            ),
            (
                "https://a-bob.example:84430/",
                "https://a-bob.example:84430/",
            ),
            ("https://a-bob.example/", "https://a-bob.example/"),
            ("https://elsewhere.example/", "https://elsewhere.example/"),
            ("next", "next"),
        ] {
            let mut fields = Fields::new();
            fields
                .push("location", location.as_bytes().to_vec())
                .unwrap();
            let headers = names(false).to_caller(&fields);
            assert_eq!(headers[header::LOCATION], seen, "{location}");
        }
    }
}
