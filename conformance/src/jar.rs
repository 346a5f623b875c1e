//! A visitor's jar of cookies, as `spec/v1/browser.md` describes it (BRO-011, BRO-042 to BRO-047):
//! what to hold the jar of a client against.
//!
//! It is written from that text and the vectors alone, and shares nothing with the clients here. It
//! is for one host with a secure origin, and reads no clock.
//!
//! ```
//! use p2claw_conformance::jar::{Asker, Jar, Writer};
//!
//! let mut jar = Jar::new("recipes-honeyed-marble-4155.example.net");
//! jar.set("a=1; Path=/list; HttpOnly", "/list/page?q", Writer::App, 0);
//! assert_eq!(jar.cookie("/list", Asker::Request, 1), "a=1");
//! assert_eq!(jar.cookie("/list", Asker::Script, 1), "");
//! ```

mod date;

pub use date::cookie_date;

const DAY_MS: i64 = 86_400_000;

/// How long a cookie without a date of its own stays after its last change.
const SESSION_MS: i64 = DAY_MS;

/// The longest life of any cookie.
const LONGEST_MS: i64 = 400 * DAY_MS;

/// Longest value of an attribute, in characters; one that is longer is ignored.
const MAX_ATTRIBUTE: usize = 1_024;

/// Longest name and value together, in characters. BRO-047 allows more.
const MAX_COOKIE: usize = 4_096;

/// Cookies in a jar. BRO-047 allows any number from 50 on, and this one is the reference's.
const MAX_COOKIES: usize = 180;

/// What a cookie says about requests that another site has begun; one that says nothing counts as
/// [`SameSite::Lax`] (BRO-043).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// None of them gets it.
    Strict,
    /// Navigations with GET and HEAD get it.
    Lax,
    /// All of them get it.
    None,
}

/// Who sets a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The app, by a `set-cookie` field.
    App,
    /// A script of a page (BRO-044).
    Script,
}

/// Who gets cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// A script of a page (BRO-044).
    Script,
    /// A request of the app's own pages, or a navigation of the visitor's.
    Request,
    /// A navigation with GET or HEAD that another site has begun (BRO-046).
    CrossSafe,
    /// One with another method (BRO-046).
    CrossUnsafe,
    /// A request with credentials `omit` (BRO-045).
    Omit,
}

/// One cookie, as a line says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Its name; may be empty.
    pub name: String,
    /// Its value; not empty where the name is.
    pub value: String,
    /// The path below which it is sent; begins with `/`.
    pub path: String,
    /// When it ends, in milliseconds since 1970; `None` without `Expires` and `Max-Age`.
    pub expires_ms: Option<i64>,
    /// It is not for scripts.
    pub http_only: bool,
    /// What it says about other sites.
    pub same_site: Option<SameSite>,
}

/// The attributes of a line; of several of one name, what the last one says.
#[derive(Default)]
struct Attributes<'a> {
    /// Without a dot at its beginning; empty where it is missing.
    domain: &'a str,
    /// Empty where it is missing.
    path: &'a str,
    expires_ms: Option<i64>,
    /// By `Max-Age`, in milliseconds since 1970.
    ends_ms: Option<i64>,
    secure: bool,
    http_only: bool,
    same_site: Option<SameSite>,
}

impl<'a> Attributes<'a> {
    fn read(parts: impl Iterator<Item = &'a str>, now_ms: i64) -> Self {
        let mut read = Self::default();
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = trim(value);
            if value.chars().count() > MAX_ATTRIBUTE {
                continue;
            }
            match trim(name).to_ascii_lowercase().as_str() {
                "domain" => read.domain = value.strip_prefix('.').unwrap_or(value),
                "path" => read.path = value,
                "expires" => read.expires_ms = cookie_date(value).or(read.expires_ms),
                "max-age" => read.ends_ms = end(value, now_ms).or(read.ends_ms),
                "secure" => read.secure = true,
                "httponly" => read.http_only = true,
                "samesite" => read.same_site = same_site(value),
                _ => {}
            }
        }
        read
    }
}

impl Cookie {
    /// Reads a line that comes with the answer to a request for `target`, or that a script on that
    /// page writes; `None` where it is to be ignored.
    #[must_use]
    pub fn read(line: &str, host: &str, target: &str, writer: Writer, now_ms: i64) -> Option<Self> {
        if line.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return None;
        }
        let mut parts = line.split(';');
        let pair = parts.next().unwrap_or_default();
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        let (name, value) = (trim(name), trim(value));
        if name.is_empty()
            && (value.is_empty() || has_prefix(value, SECURE) || has_prefix(value, HOST))
        {
            return None;
        }
        if name.chars().count() + value.chars().count() > MAX_COOKIE {
            return None;
        }
        let said = Attributes::read(parts, now_ms);
        let refused = !(said.domain.is_empty() || said.domain.eq_ignore_ascii_case(host))
            || (said.http_only && writer == Writer::Script)
            || (said.same_site == Some(SameSite::None) && !said.secure)
            || (has_prefix(name, SECURE) && !said.secure)
            || (has_prefix(name, HOST)
                && !(said.secure && said.path == "/" && said.domain.is_empty()));
        if refused {
            return None;
        }
        let path = if said.path.starts_with('/') {
            said.path
        } else {
            folder(target)
        };
        let expires_ms = said.ends_ms.or(said.expires_ms);
        Some(Self {
            name: name.to_owned(),
            value: value.to_owned(),
            path: path.to_owned(),
            expires_ms: expires_ms.map(|at| at.min(now_ms.saturating_add(LONGEST_MS))),
            http_only: said.http_only,
            same_site: said.same_site,
        })
    }

    fn is_for(&self, target: &str, asker: Asker) -> bool {
        let same_site = self.same_site.unwrap_or(SameSite::Lax);
        let goes = match asker {
            Asker::Script => !self.http_only,
            Asker::Request => true,
            Asker::CrossSafe => same_site != SameSite::Strict,
            Asker::CrossUnsafe => same_site == SameSite::None,
            Asker::Omit => false,
        };
        let below = path(target).strip_prefix(self.path.as_str());
        goes && below.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
        })
    }

    fn is_the_same_as(&self, other: &Self) -> bool {
        self.name == other.name && self.path == other.path
    }
}

const SECURE: &str = "__secure-";
const HOST: &str = "__host-";

/// Whether a text begins with a prefix, in any case of letters.
fn has_prefix(text: &str, prefix: &str) -> bool {
    text.to_ascii_lowercase().starts_with(prefix)
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// What `Max-Age` says: digits, perhaps behind a minus.
fn end(value: &str, now_ms: i64) -> Option<i64> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // More than a number holds is longer than any cookie lives.
    let seconds: i64 = match value.starts_with('-') {
        true => 0,
        false => digits.parse().unwrap_or(i64::MAX),
    };
    Some(now_ms.saturating_add(seconds.saturating_mul(1_000)))
}

fn same_site(value: &str) -> Option<SameSite> {
    match value.to_ascii_lowercase().as_str() {
        "strict" => Some(SameSite::Strict),
        "lax" => Some(SameSite::Lax),
        "none" => Some(SameSite::None),
        _ => None,
    }
}

fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// The folder of a target's path.
fn folder(target: &str) -> &str {
    match path(target).rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder,
        _ => "/",
    }
}

/// What a client keeps of an app's cookies.
#[derive(Debug, Clone)]
pub struct Jar {
    host: String,
    /// In the order in which they came to be; a cookie that is changed keeps its place.
    kept: Vec<Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    cookie: Cookie,
    changed_ms: i64,
}

impl Kept {
    fn is_over(&self, now_ms: i64) -> bool {
        let ends = self.cookie.expires_ms;
        ends.unwrap_or(self.changed_ms + SESSION_MS) <= now_ms
    }
}

impl Jar {
    /// An empty one, for this host name.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            kept: Vec::new(),
        }
    }

    /// Takes a line of `set-cookie`, or one that a script writes on the page `target`.
    pub fn set(&mut self, line: &str, target: &str, writer: Writer, now_ms: i64) {
        self.kept.retain(|kept| !kept.is_over(now_ms));
        let Some(cookie) = Cookie::read(line, &self.host, target, writer, now_ms) else {
            return;
        };
        let new = Kept {
            cookie,
            changed_ms: now_ms,
        };
        let place = self
            .kept
            .iter()
            .position(|old| old.cookie.is_the_same_as(&new.cookie));
        match place {
            Some(at) if self.kept[at].cookie.http_only && writer == Writer::Script => {}
            Some(at) if new.is_over(now_ms) => drop(self.kept.remove(at)),
            Some(at) => self.kept[at] = new,
            None if new.is_over(now_ms) => {}
            None => {
                if self.kept.len() == MAX_COOKIES {
                    let oldest = (0..MAX_COOKIES).min_by_key(|at| self.kept[*at].changed_ms);
                    self.kept.remove(oldest.unwrap_or_default());
                }
                self.kept.push(new);
            }
        }
    }

    /// The value of `cookie` that a request for `target` gets, or what a script on that page reads;
    /// empty where there is none.
    #[must_use]
    pub fn cookie(&self, target: &str, asker: Asker, now_ms: i64) -> String {
        let kept = self.kept.iter().filter(|kept| !kept.is_over(now_ms));
        let mut cookies: Vec<_> = kept
            .map(|kept| &kept.cookie)
            .filter(|cookie| cookie.is_for(target, asker))
            .collect();
        // Among equals they stay in the order of their age.
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs = cookies.iter().map(|cookie| match cookie.name.as_str() {
            "" => cookie.value.clone(),
            name => format!("{name}={}", cookie.value),
        });
        pairs.collect::<Vec<_>>().join("; ")
    }
}
