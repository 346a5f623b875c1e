//! The jar of the conformance kit against the vectors: text and vectors say the same, and are enough
//! to write a jar from.

use p2claw_conformance::jar::{Asker, Cookie, Jar, SameSite, Writer, cookie_date};
use p2claw_conformance::vectors::COOKIES;
use serde::Deserialize;

use crate::check;

fn writer(script: bool) -> Writer {
    if script { Writer::Script } else { Writer::App }
}

#[test]
fn set_cookie_lines() {
    #[derive(Deserialize)]
    struct Input {
        line: String,
        host: String,
        request_path: String,
        now_ms: i64,
        script: bool,
    }
    #[derive(Deserialize)]
    struct Expected {
        name: String,
        value: String,
        path: String,
        expires_ms: Option<i64>,
        http_only: bool,
        same_site: Option<String>,
    }
    check(COOKIES, "set-cookie", |case| {
        let input: Input = case.input().unwrap();
        let (line, target, now_ms) = (&input.line, &input.request_path, input.now_ms);
        let writer = writer(input.script);
        let Some(cookie) = Cookie::read(line, &input.host, target, writer, now_ms) else {
            return false;
        };
        if case.has("cookie") {
            let expected: Expected = case.get("cookie").unwrap();
            // When one is over that is over at once does not matter.
            let ends = |at: Option<i64>| at.map(|at| at.max(now_ms));
            let expected = Cookie {
                name: expected.name,
                value: expected.value,
                path: expected.path,
                expires_ms: ends(expected.expires_ms),
                http_only: expected.http_only,
                same_site: expected.same_site.map(|word| match word.as_str() {
                    "strict" => SameSite::Strict,
                    "lax" => SameSite::Lax,
                    "none" => SameSite::None,
                    other => panic!("no value {other}"),
                }),
            };
            let expires_ms = ends(cookie.expires_ms);
            let cookie = Cookie {
                expires_ms,
                ..cookie
            };
            assert_eq!(cookie, expected, "{}", case.id);
        }
        true
    });
}

#[test]
fn cookie_dates() {
    check(COOKIES, "cookie-date", |case| {
        let time = cookie_date(&case.input::<String>().unwrap());
        if case.has("time_ms") {
            assert_eq!(time, case.get("time_ms").unwrap(), "{}", case.id);
        }
        time.is_some()
    });
}

#[test]
fn jars() {
    #[derive(Deserialize)]
    struct Input {
        host: String,
        steps: Vec<Step>,
    }
    #[derive(Deserialize)]
    struct Step {
        at_ms: i64,
        script: bool,
        #[serde(flatten)]
        what: What,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum What {
        Set {
            set: String,
            path: String,
        },
        Get {
            get: String,
            site: String,
            cookie: String,
        },
    }
    check(COOKIES, "jar", |case| {
        let input: Input = case.input().unwrap();
        let mut jar = Jar::new(input.host);
        for (index, step) in input.steps.iter().enumerate() {
            match &step.what {
                What::Set { set, path } => jar.set(set, path, writer(step.script), step.at_ms),
                What::Get { get, site, cookie } => {
                    let asker = match (step.script, site.as_str()) {
                        (true, "same") => Asker::Script,
                        (false, "same") => Asker::Request,
                        (false, "cross-safe") => Asker::CrossSafe,
                        (false, "cross-unsafe") => Asker::CrossUnsafe,
                        (false, "omit") => Asker::Omit,
                        other => panic!("{}: nobody asks as {other:?}", case.id),
                    };
                    let got = jar.cookie(get, asker, step.at_ms);
                    assert_eq!(&got, cookie, "{} step {index}", case.id);
                }
            }
        }
        true
    });
}

/// The vectors end at the 50 cookies that every jar takes.
#[test]
fn a_full_jar_loses_what_was_changed_longest_ago() {
    let mut jar = Jar::new("recipes-honeyed-marble-4155.example.net");
    for number in 0..180 {
        jar.set(&format!("c{number}="), "/", Writer::App, number);
    }
    jar.set("c0=again", "/", Writer::App, 180);
    jar.set("last=", "/", Writer::App, 181);
    let left = jar.cookie("/", Asker::Request, 182);
    assert_eq!(left.split("; ").count(), 180);
    assert!(left.starts_with("c0=again; c2=; "), "{left}");
    assert!(left.ends_with("; c179=; last="), "{left}");
    jar.set(&format!("a={}", "x".repeat(4_096)), "/", Writer::App, 183);
    assert_eq!(jar.cookie("/", Asker::Request, 184), left);
}
