//! Values on the command line, checked before anything is started. Errors are fragments that
//! follow "invalid value '...' for '--option': ".

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use http::Uri;
use p2claw_agent::Upstream;
use p2claw_identity::AppName;
use p2claw_session::Fields;
use p2claw_signaling::address::PublicAddress;
use p2claw_visitor::{Address, AddressError};

/// Longest host name, in bytes (RFC 1035 section 2.3.4).
const HOST_MAX: usize = 253;

/// Longest label of a host name, in bytes.
const LABEL_MAX: usize = 63;

pub(crate) fn app_name(text: &str) -> Result<AppName, String> {
    AppName::parse(text).map_err(|error| format!("failed to {error}"))
}

pub(crate) fn upstream(text: &str) -> Result<Upstream, String> {
    Upstream::from_str(text).map_err(|error| format!("failed to {error}"))
}

/// `127.0.0.1:8787`, `[::1]:8787`, `localhost:8787`, or a port of the loopback address.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = text.strip_prefix("localhost").unwrap_or(text);
    let port = port.strip_prefix(':').unwrap_or(port).parse::<u16>();
    port.map(|port| (Ipv4Addr::LOCALHOST, port).into())
        .map_err(|_| {
            "give an IP address and a port, such as 127.0.0.1:8787 or 0.0.0.0:443".to_owned()
        })
}

/// The public address of an app.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    text.parse()
        .map_err(|error: AddressError| format!("failed to {error}"))
}

/// A method of HTTP, which is a token (RFC 9110 section 9.1).
pub(crate) fn method(text: &str) -> Result<String, String> {
    match http::Method::from_bytes(text.as_bytes()) {
        Ok(http::Method::CONNECT) => Err("CONNECT opens tunnels, and an app has none".to_owned()),
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("give a method such as GET or DELETE".to_owned()),
    }
}

/// `name: value`, in lower case as it travels; an empty value means none.
pub(crate) fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| "give it as \"name: value\"".to_owned())?;
    let (name, value) = (name.to_ascii_lowercase(), value.trim());
    if name == "host" {
        return Err("the host is the one in the address".to_owned());
    }
    Fields::new()
        .push(name.clone(), value.as_bytes().to_vec())
        .map_err(|error| error.to_string())?;
    Ok((name, value.to_owned()))
}

/// A time above 0, in seconds.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let bad = || "give a number of seconds, such as 30 or 0.5".to_owned();
    let seconds: f64 = text.parse().map_err(|_| bad())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        Ok(_) | Err(_) => Err(bad()),
    }
}

pub(crate) fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| "give a port from 0 to 65535".to_owned())
}

/// A domain below which names can stand: `example.net`.
pub(crate) fn parent(text: &str) -> Result<String, String> {
    let host = host_name(text)?;
    if host.parse::<IpAddr>().is_ok() {
        return Err("an app's name cannot stand before an IP address".to_owned());
    }
    Ok(host)
}

/// `host` or `host:port`, as it stands in the address that agents use.
pub(crate) fn domain(text: &str) -> Result<String, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address.to_string());
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return host_name(text);
    };
    let port: u16 = port
        .parse()
        .map_err(|_| "give a host, and a port from 1 to 65535 behind a colon".to_owned())?;
    Ok(format!("{}:{port}", host_name(host)?))
}

/// `turn:host[:port]` or `turns:...` (RFC 7065).
pub(crate) fn turn_url(text: &str) -> Result<String, String> {
    ice_url(text, ["turn", "turns"])
}

/// `stun:host[:port]` or `stuns:...` (RFC 7064).
pub(crate) fn stun_url(text: &str) -> Result<String, String> {
    ice_url(text, ["stun", "stuns"])
}

/// A STUN server to ask, as a URL: `host:port`, or the URL itself.
pub(crate) fn stun_server(text: &str) -> Result<String, String> {
    if text.starts_with("stun:") {
        return stun_url(text);
    }
    stun_url(&format!("stun:{text}")).map_err(|_| "give HOST:PORT or stun:HOST:PORT".to_owned())
}

fn ice_url(text: &str, schemes: [&str; 2]) -> Result<String, String> {
    let [plain, secure] = schemes;
    let bad = || format!("give {plain}:HOST:PORT or {secure}:HOST:PORT");
    let (scheme, rest) = text.split_once(':').ok_or_else(bad)?;
    let rest = match rest.split_once('?') {
        Some((rest, query)) if plain == "turn" => {
            if !matches!(query, "transport=udp" | "transport=tcp") {
                return Err("behind ? only transport=udp and transport=tcp are known".to_owned());
            }
            rest
        }
        _ => rest,
    };
    if !schemes.contains(&scheme) || domain(rest).is_err() {
        return Err(bad());
    }
    Ok(text.to_owned())
}

/// Where a service is reached over HTTP: `http://host[:port]`.
pub(crate) fn service_url(text: &str) -> Result<String, String> {
    let uri: Uri = text.parse().map_err(|_| "this is no URL".to_owned())?;
    let host = uri.host().unwrap_or_default();
    if uri.scheme_str().is_none() || host.is_empty() {
        return Err("give a URL such as http://127.0.0.1:8788".to_owned());
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err("it has a path; give scheme, host and port only".to_owned());
    }
    Ok(text.to_owned())
}

/// `http(s)://host[:port]`, where the host is one that names can stand before.
pub(crate) fn public_address(text: &str) -> Result<PublicAddress, String> {
    service_url(text)?;
    let uri: Uri = text.parse().map_err(|_| "this is no URL".to_owned())?;
    let scheme = uri.scheme_str().unwrap_or_default();
    let usual = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err("it is neither http nor https".to_owned()),
    };
    Ok(PublicAddress {
        scheme: scheme.to_owned(),
        parent: parent(uri.host().unwrap_or_default())?,
        port: uri.port_u16().filter(|port| *port != usual),
    })
}

/// A host name in lower case, without a final dot.
fn host_name(text: &str) -> Result<String, String> {
    let host = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_MAX
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if host.len() <= HOST_MAX && host.split('.').all(is_label) {
        Ok(host)
    } else {
        Err(
            "give a host name such as example.net: letters, digits, hyphens and dots, and \
             nothing before or behind it"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_on() {
        for (text, address) in [
            ("127.0.0.1:8787", "127.0.0.1:8787"),
            ("0.0.0.0:443", "0.0.0.0:443"),
            ("[::1]:1", "[::1]:1"),
            ("localhost:8787", "127.0.0.1:8787"),
            (":8787", "127.0.0.1:8787"),
            ("8787", "127.0.0.1:8787"),
        ] {
            assert_eq!(listen(text).map(|a| a.to_string()), Ok(address.to_owned()));
        }
        for bad in ["", "example.net:80", "localhost", "70000", "localhost:x"] {
            assert!(listen(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fields_of_requests() {
        let kept = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(field("X-Tea:  green "), kept("x-tea", "green"));
        assert_eq!(field("accept:"), kept("accept", ""));
        for bad in [
            "",
            "x",
            ": y",
            "a b: c",
            "x: a\nb",
            "Host: a",
            "connection: close",
        ] {
            assert!(field(bad).is_err(), "{bad:?}");
        }
        assert!(method("PROPFIND").is_ok() && method("CONNECT").is_err() && method("").is_err());
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["", "0", "-1", "NaN", "inf", "1e30", "x"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_hosts() {
        for (text, name) in [
            ("example.net", "example.net"),
            ("Example.NET.", "example.net"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(parent(text), Ok(name.to_owned()));
        }
        for bad in [
            "",
            "a b",
            "http://example.net",
            "*.example.net",
            "localhost:8787",
            "127.0.0.1",
            "-a.net",
            "a..net",
        ] {
            assert!(parent(bad).is_err(), "{bad}");
        }
        for (text, name) in [
            ("coord.example.net", "coord.example.net"),
            ("Coord.example.net:8788", "coord.example.net:8788"),
            ("127.0.0.1:8788", "127.0.0.1:8788"),
            ("[::1]:8788", "[::1]:8788"),
        ] {
            assert_eq!(domain(text), Ok(name.to_owned()));
        }
        for bad in ["", "http://foo", "foo bar", "foo:70000", "foo:"] {
            assert!(domain(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn servers_for_ice() {
        for good in [
            "turn:relay.example.net:3478",
            "turn:192.0.2.1:3478?transport=tcp",
            "turns:relay.example.net",
        ] {
            assert!(turn_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "garbage",
            "stun:a:1",
            "turn:",
            "turn://a:1",
            "turn:a?x=y",
        ] {
            assert!(turn_url(bad).is_err(), "{bad}");
        }
        assert!(stun_url("stun:stun.example.net:3478").is_ok());
        assert!(stun_url("turn:a:1").is_err());
        for text in ["a.example:1", "stun:a.example:1"] {
            assert_eq!(stun_server(text).as_deref(), Ok("stun:a.example:1"));
        }
        assert!(stun_server("turn:a:1").is_err());
    }

    #[test]
    fn public_addresses() {
        let read = |url: &str| {
            public_address(url)
                .ok()
                .map(|a| (a.scheme, a.parent, a.port))
        };
        let expected =
            |scheme: &str, parent: &str, port| Some((scheme.to_owned(), parent.to_owned(), port));
        assert_eq!(
            read("https://Example.net"),
            expected("https", "example.net", None)
        );
        assert_eq!(
            read("https://example.net:443"),
            expected("https", "example.net", None)
        );
        assert_eq!(
            read("http://localhost:8787/"),
            expected("http", "localhost", Some(8787))
        );
        for bad in [
            "",
            "example.net",
            "ftp://x",
            "http://127.0.0.1:1",
            "https://a.b/c",
            "https://a.b/?c",
            "http://[::1]",
            "https://*.example.net",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
