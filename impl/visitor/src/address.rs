//! Public addresses, as people are given them.

use std::fmt;

use p2claw_identity::{HostLabel, NameError, PeerId};
use p2claw_session::Target;
use url::{Host, Url};

/// What stands before a peer id in the fragment of an address (`IDN-019`).
const PIN_MARK: &str = "p=";

/// Why an address cannot be visited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// No URL, or one of another scheme.
    #[error(
        "read the address {0:?}: give one such as \
         https://recipes-honeyed-marble-4155.example.net/"
    )]
    NoUrl(String),
    /// The first label of its host names no app.
    #[error("find an app in the host {host:?}: {reason}")]
    Label {
        /// The host.
        host: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// A host without names, or without a parent behind its first label.
    #[error("find an app in the host {0:?}: it has the form <app>-<alias>.<parent>")]
    Host(String),
    /// `user:password@`.
    #[error("use the address: it has a name or password before its host; take it out")]
    UserInfo,
    /// A path that cannot travel (`SES-034`).
    #[error("use the address's path: {0}")]
    Target(#[from] p2claw_session::head::TargetError),
    /// The fragment begins like a key and is none: it counts as a key that differs (`IDN-019`).
    #[error(
        "read the key {0:?} in the address's fragment: it is damaged, so ask for the address again"
    )]
    Pin(String),
    /// Signaling without TLS, on other machines' networks.
    #[error(
        "visit {0} for the first time without TLS: anybody on the way could answer in the app's \
         place; use https, or an address that ends in #p=<peer id>"
    )]
    NotSecure(String),
}

/// The address of an app: where it is asked for, and which app that is.
///
/// ```
/// use p2claw_visitor::Address;
///
/// let address: Address = "http://recipes-honeyed-marble-4155.localhost:8787/list?new".parse()?;
/// assert_eq!(address.label().app().as_str(), "recipes");
/// assert_eq!(address.target().as_str(), "/list?new");
/// assert_eq!(address.origin(), "http://recipes-honeyed-marble-4155.localhost:8787");
/// # Ok::<(), p2claw_visitor::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    url: Url,
    host: String,
    port: u16,
    label: HostLabel,
    target: Target,
    pin: Option<PeerId>,
}

impl Address {
    fn from_url(mut url: Url) -> Result<Self, AddressError> {
        let no_url = AddressError::NoUrl(url.to_string());
        if !matches!(url.scheme(), "http" | "https") {
            return Err(no_url);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::UserInfo);
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(no_url);
        };
        let host = match host {
            Host::Domain(name) => name.strip_suffix('.').unwrap_or(name).to_owned(),
            other @ (Host::Ipv4(_) | Host::Ipv6(_)) => {
                return Err(AddressError::Host(other.to_string()));
            }
        };
        // NAM-011: a dot at the end makes no difference, so it makes no other origin.
        url.set_host(Some(&host)).map_err(|_| no_url)?;
        let (label, parent) = host
            .split_once('.')
            .ok_or_else(|| AddressError::Host(host.clone()))?;
        if parent.is_empty() {
            return Err(AddressError::Host(host));
        }
        let label = HostLabel::parse(label).map_err(|reason| AddressError::Label {
            host: host.clone(),
            reason,
        })?;
        let target = Target::try_from(path_and_query(&url))?;
        let pin = url
            .fragment()
            .and_then(|fragment| fragment.strip_prefix(PIN_MARK))
            .map(|pin| pin.parse().map_err(|_| AddressError::Pin(pin.to_owned())))
            .transpose()?;
        Ok(Self {
            host,
            port,
            label,
            target,
            pin,
            url,
        })
    }

    /// Scheme, host, and port where it is not the usual one: what pins and cookies belong to.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Host, and port where it is not the usual one.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.url.authority()
    }

    /// Whether signaling goes over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether the name belongs to this machine by itself (RFC 6761 section 6.3).
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        is_localhost(&self.host)
    }

    /// The host, in lower case and without a final dot.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port of signaling.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// App and alias.
    #[must_use]
    pub fn label(&self) -> &HostLabel {
        &self.label
    }

    /// Path and query, for the app.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The key that the address itself names.
    #[must_use]
    pub fn pin(&self) -> Option<PeerId> {
        self.pin
    }

    /// Where a `location` of the app's leads (RFC 3986 section 5). `None`: to another origin.
    ///
    /// # Errors
    /// When it is no reference, or its path cannot travel.
    pub fn join(&self, location: &str) -> Result<Option<Self>, AddressError> {
        let mut url = self
            .url
            .join(location)
            .map_err(|_| AddressError::NoUrl(location.to_owned()))?;
        if url.origin() != self.url.origin() {
            return Ok(None);
        }
        // Keys come from people, not from the app.
        url.set_fragment(self.url.fragment());
        Self::from_url(url).map(Some)
    }
}

fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// `localhost` and all names below it.
pub(crate) fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host == "localhost" || host.ends_with(".localhost")
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|_| AddressError::NoUrl(text.to_owned()))?;
        Self::from_url(url)
    }
}

/// Without the fragment.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.target)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use p2claw_identity::IdentityKey;

    use super::*;

    fn address(text: &str) -> Result<Address, AddressError> {
        text.parse()
    }

    #[test]
    fn addresses_are_read_as_a_browser_reads_them() {
        let read =
            address("HTTPS://Recipes-Quiet-Otter-0417.P2claw.Example.:443/a/../b c?d=é#part")
                .unwrap();
        assert_eq!(
            read.origin(),
            "https://recipes-quiet-otter-0417.p2claw.example"
        );
        assert_eq!(read.host(), "recipes-quiet-otter-0417.p2claw.example");
        assert_eq!((read.port(), read.is_tls()), (443, true));
        assert_eq!(read.target().as_str(), "/b%20c?d=%C3%A9");
        assert_eq!(read.label().alias().as_str(), "quiet-otter-0417");
        assert_eq!(read.pin(), None);
        let local = address("http://a-bob.localhost:8787").unwrap();
        assert_eq!(local.target().as_str(), "/");
        assert_eq!(local.authority(), "a-bob.localhost:8787");
        assert!(local.is_localhost() && !read.is_localhost());
    }

    /// IDN-019: the key of a fragment, and a damaged one, which never passes for none.
    #[test]
    fn idn_019_the_fragment_pins() {
        let key = IdentityKey::from_seed([7; 32]).peer_id();
        let read = address(&format!("https://a-bob.example/#p={key}")).unwrap();
        assert_eq!(read.pin(), Some(key));
        assert_eq!(read.to_string(), "https://a-bob.example/");
        let next = read.join("/next#p=abc").unwrap().unwrap();
        assert_eq!(next.pin(), Some(key), "the app does not choose the key");
        let text = key.to_string();
        for damaged in ["#p=", "#p=abc", &format!("#p={}", &text[1..])] {
            assert!(
                matches!(
                    address(&format!("https://a-bob.example/{damaged}")),
                    Err(AddressError::Pin(_))
                ),
                "{damaged}"
            );
        }
    }

    #[test]
    fn what_is_no_address_of_an_app_is_refused() {
        for (text, word) in [
            ("", "such as"),
            ("recipes", "such as"),
            ("ftp://a-bob.example/", "such as"),
            ("https://127.0.0.1/", "<app>-<alias>"),
            ("https://[::1]/", "<app>-<alias>"),
            ("https://a-bob/", "<app>-<alias>"),
            ("https://a-bob./", "<app>-<alias>"),
            ("https://www.example/", "www"),
            ("https://me:secret@a-bob.example/", "password"),
            ("https://a-bob.example//x/", "path"),
        ] {
            let error = address(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn redirects_stay_within_the_origin_or_leave_it() {
        let from = address("http://a-bob.localhost:8787/x/y?z").unwrap();
        for (location, target) in [
            ("/next", Some("/next")),
            ("next?a=1#part", Some("/x/next?a=1")),
            ("?q", Some("/x/y?q")),
            ("http://a-bob.localhost:8787/abs", Some("/abs")),
            ("//a-bob.localhost:8787/rel", Some("/rel")),
            ("https://a-bob.localhost:8787/", None),
            ("http://a-bob.localhost/", None),
            ("//elsewhere.example/", None),
            ("mailto:bob@example", None),
        ] {
            let next = from.join(location).unwrap();
            assert_eq!(
                next.as_ref().map(|next| next.target().as_str()),
                target,
                "{location}"
            );
        }
        assert!(from.join("http://[").is_err());
    }
}
