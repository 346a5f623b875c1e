//! The request that the arguments ask for, and what redirects make of it.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use p2claw_session::{Fields, Request};
use p2claw_visitor::Address;

use super::body::Source;
use crate::{args::FetchArguments, commands::SOFTWARE, exit::CommandError};

/// What forms are sent as.
const FORM: &str = "application/x-www-form-urlencoded";

/// The codings that `--compressed` decodes.
const CODINGS: &str = "gzip, deflate";

pub(super) struct Plan {
    method: String,
    fields: Fields,
    sources: Arc<Vec<Source>>,
}

impl Plan {
    pub(super) fn new(arguments: &FetchArguments) -> Result<Self, CommandError> {
        let sources = sources(arguments);
        let method = match &arguments.request {
            Some(method) => method.clone(),
            None if arguments.head => "HEAD".to_owned(),
            None if arguments.upload_file.is_some() => "PUT".to_owned(),
            None if !sources.is_empty() => "POST".to_owned(),
            None => "GET".to_owned(),
        };
        let is_form = !sources.is_empty() && arguments.upload_file.is_none();
        let usual = [
            ("user-agent", Some(SOFTWARE)),
            ("accept", Some("*/*")),
            ("content-type", is_form.then_some(FORM)),
            ("accept-encoding", arguments.compressed.then_some(CODINGS)),
        ];
        let mut fields = Fields::new();
        for (name, value) in usual {
            let chosen = arguments.header.iter().any(|(other, _)| other == name);
            if let Some(value) = value.filter(|_| !chosen) {
                fields.push(name, value.as_bytes().to_vec())?;
            }
        }
        for (name, value) in arguments
            .header
            .iter()
            .filter(|(_, value)| !value.is_empty())
        {
            fields.push(name.clone(), value.as_bytes().to_vec())?;
        }
        Ok(Self {
            method,
            fields,
            sources: Arc::new(sources),
        })
    }

    pub(super) fn sources(&self) -> &Arc<Vec<Source>> {
        &self.sources
    }

    /// The head; its length is told where it is known.
    pub(super) fn request(&self, address: &Address) -> Result<Request, CommandError> {
        let mut fields = self.fields.clone();
        if !self.sources.is_empty()
            && fields.get("content-length").is_none()
            && let Some(length) = super::body::length(&self.sources)
        {
            fields.push("content-length", length.to_string().into_bytes())?;
        }
        Ok(Request {
            method: self.method.clone(),
            target: address.target().clone(),
            fields,
            end: self.sources.is_empty(),
            protocol: None,
        })
    }

    /// What becomes of the request behind a redirect (RFC 9110 section 15.4): a form is not sent
    /// twice but by 307 and 308.
    pub(super) fn redirected(&mut self, status: u16) -> Result<(), CommandError> {
        let becomes_get = match status {
            303 => self.method != "HEAD",
            301 | 302 => self.method == "POST",
            _ => false,
        };
        if becomes_get {
            self.method = "GET".to_owned();
            self.sources = Arc::default();
            let kept = std::mem::take(&mut self.fields).into_iter();
            for (name, value) in kept.filter(|(name, _)| !name.starts_with("content-")) {
                self.fields.push(name, value)?;
            }
        }
        match self.sources.contains(&Source::Stdin { whole: true })
            || self.sources.contains(&Source::Stdin { whole: false })
        {
            true => Err("send standard input a second time, as the redirect asks for".into()),
            false => Ok(()),
        }
    }
}

/// Whether a status leads elsewhere (RFC 9110 section 15.4).
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

fn sources(arguments: &FetchArguments) -> Vec<Source> {
    if let Some(path) = &arguments.upload_file {
        return vec![Source::file(path.clone(), true)];
    }
    let data = arguments.data.iter().map(|text| (text, false));
    let binary = arguments.data_binary.iter().map(|text| (text, true));
    let mut sources = Vec::new();
    for (text, whole) in data.chain(binary) {
        if !sources.is_empty() {
            sources.push(Source::Text(Bytes::from_static(b"&")));
        }
        sources.push(match text.strip_prefix('@') {
            Some(path) => Source::file(PathBuf::from(path), whole),
            None => Source::Text(Bytes::from(text.clone())),
        });
    }
    sources
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};

    fn plan(arguments: &[&str]) -> Plan {
        let line = ["p2claw", "fetch", "http://a-bob.localhost/"].iter();
        let parsed = Arguments::try_parse_from(line.chain(arguments)).unwrap();
        let Command::Fetch(fetch) = parsed.command else {
            unreachable!("it is a fetch");
        };
        Plan::new(&fetch).unwrap()
    }

    fn head(plan: &Plan) -> (String, Vec<(String, String)>, bool) {
        let request = plan
            .request(&"http://a-bob.localhost/".parse().unwrap())
            .unwrap();
        let fields = request.fields.iter();
        let fields = fields
            .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
            .collect();
        (request.method, fields, request.end)
    }

    fn names(plan: &Plan) -> Vec<String> {
        head(plan).1.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn methods_follow_from_what_is_sent() {
        for (arguments, method, end) in [
            (&[][..], "GET", true),
            (&["-I"], "HEAD", true),
            (&["-d", "a=1"], "POST", false),
            (&["--data-binary", ""], "POST", false),
            (&["-T", "-"], "PUT", false),
            (&["-X", "PATCH", "-d", "a"], "PATCH", false),
            (&["-X", "DELETE"], "DELETE", true),
        ] {
            let (found, _, ends) = head(&plan(arguments));
            assert_eq!((&*found, ends), (method, end), "{arguments:?}");
        }
    }

    #[test]
    fn fields_can_be_added_replaced_and_left_out() {
        assert_eq!(names(&plan(&[])), ["user-agent", "accept"]);
        let own = plan(&[
            "-H",
            "Accept: text/html",
            "-H",
            "user-agent:",
            "-H",
            "x-a: 1",
        ]);
        assert_eq!(names(&own), ["accept", "x-a"]);
        let form = plan(&["-d", "a=1", "-d", "b=2", "--compressed"]);
        let (_, fields, _) = head(&form);
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert!(fields.contains(&field("content-length", "7")), "{fields:?}");
        assert!(fields.contains(&field("content-type", FORM)), "{fields:?}");
        assert!(fields.contains(&field("accept-encoding", CODINGS)));
        assert!(!names(&plan(&["-T", "-"])).contains(&"content-type".to_owned()));
        assert!(!names(&plan(&["-T", "-"])).contains(&"content-length".to_owned()));
    }

    #[test]
    fn redirects_keep_or_drop_the_body() {
        for (status, method, ends) in [
            (301, "GET", true),
            (302, "GET", true),
            (303, "GET", true),
            (307, "POST", false),
            (308, "POST", false),
        ] {
            let mut form = plan(&["-d", "a=1"]);
            form.redirected(status).unwrap();
            let (found, fields, end) = head(&form);
            assert_eq!((&*found, end), (method, ends), "{status}");
            let typed = fields.iter().any(|(name, _)| name == "content-type");
            assert_eq!(typed, !ends, "{status}");
        }
        let mut put = plan(&["-X", "PUT", "-d", "a=1"]);
        put.redirected(302).unwrap();
        assert_eq!(head(&put).0, "PUT");
        put.redirected(303).unwrap();
        assert_eq!(head(&put).0, "GET");
        let mut once = plan(&["-T", "-"]);
        assert!(once.redirected(307).is_err());
    }
}
