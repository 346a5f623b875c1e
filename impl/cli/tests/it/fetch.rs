//! `p2claw fetch`, against `p2claw demo` over a real WebRTC stack.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Service,
    demo::{Demo, start},
    home, p2claw, text,
};

/// Bytes of the large transfers.
const LARGE: usize = 50_000_000;

/// What the sample app says of a body of this length.
fn digest(demo: &Demo) -> Value {
    let body = demo.body(&[], &format!("download/sha256?bytes={LARGE}"));
    serde_json::from_str(&body).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

#[test]
fn requests_are_made_as_curl_makes_them() {
    let demo = Demo::start();
    assert!(demo.body(&[], "").contains("<title>"));

    let sent = demo.body(
        &["-d", r#"{"a":1}"#, "-H", "Origin: https://x.example"],
        "echo?q",
    );
    let seen: Value = serde_json::from_str(&sent).unwrap();
    assert_eq!(seen["method"], "POST");
    assert_eq!(seen["target"], "/echo?q");
    assert_eq!(seen["json"], json!({ "a": 1 }));
    assert_eq!(seen["forwarded"]["origin"], "https://x.example");
    let host = demo.url.trim_start_matches("http://").trim_end_matches('/');
    assert_eq!(seen["forwarded"]["x-forwarded-host"], host);

    let head = demo.body(&["-I"], "download?bytes=7");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-length: 7\r\n"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");

    let included = demo.body(&["-i"], "status/404");
    assert!(included.starts_with("HTTP/1.1 404 Not Found\r\n"));
    assert!(included.ends_with("\r\n\r\n404 Not Found\n"), "{included}");
    assert_eq!(demo.body(&[], "status/204"), "");
}

#[test]
fn redirects_are_followed_within_the_app() {
    let demo = Demo::start();
    assert_eq!(demo.body(&[], "redirect?to=/status/201"), "");
    assert_eq!(
        demo.body(&["-L"], "redirect?to=/status/201"),
        "201 Created\n"
    );
    let form = ["-L", "-d", "x=1"];
    let seen: Value = serde_json::from_str(&demo.body(&form, "redirect?to=/echo")).unwrap();
    assert_eq!(
        (&seen["method"], &seen["json"]),
        (&json!("GET"), &Value::Null)
    );
    let kept = ["-L", "-d", "1"];
    let seen = demo.body(&kept, "redirect?status=307&to=/echo");
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(
        (&seen["method"], &seen["json"]),
        (&json!("POST"), &json!(1))
    );
    let output = demo.fetched(&["-L", "--max-redirs", "0"], "redirect");
    assert_eq!(output.status.code(), Some(47));
    assert!(output.stdout.is_empty());
}

#[test]
fn failures_have_exit_codes_of_their_own() {
    let demo = Demo::start();
    for (arguments, target, code, word) in [
        (&["-f"][..], "status/500", 22, "500"),
        (&["-m", "0.3"], "slow", 28, "--max-time"),
        (&["-d", "@none"], "upload", 26, "none"),
        (&["-o", "none/file"], "", 23, "none/file"),
    ] {
        let output = demo.fetched(arguments, target);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.starts_with("p2claw: failed to "), "{said}");
        assert!(said.contains(word), "{said}");
    }
    let silent = demo.fetched(&["-s", "-f"], "status/500");
    assert_eq!(silent.status.code(), Some(22));
    assert_eq!(text(&silent.stderr), "");
    assert_eq!(demo.files(), [] as [String; 0]);
}

/// HTP-050, SES-023: half a response is no response: an exit code, and no file.
#[test]
fn a_response_that_breaks_off_leaves_no_file() {
    let demo = Demo::start();
    for target in ["cut?bytes=300000", "cut?bytes=300000&chunked=1"] {
        let output = demo.fetched(&["-o", "half"], target);
        assert_eq!(output.status.code(), Some(18));
        let said = text(&output.stderr);
        assert!(said.contains("UPSTREAM_FAILED"), "{said}");
        assert!(said.ends_with("; half was not written\n"), "{said}");
        assert_eq!(demo.files(), [] as [String; 0]);
    }
    // A file that was there stays as it was.
    let path = demo.home.path().join("whole");
    fs::write(&path, "before").unwrap();
    let output = demo.fetched(&["-o", "whole"], "cut");
    assert_eq!(output.status.code(), Some(18));
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    demo.body(&["-o", "whole"], "status/200");
    assert_eq!(fs::read_to_string(&path).unwrap(), "200 OK\n");
}

#[test]
fn ctrl_c_ends_a_download_without_a_trace() {
    let demo = Demo::start();
    let mut command = demo.fetch(&["-v", "-o", "file"], "slow?chunks=3000");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut fetch = Service::start(command);
    let stderr = BufReader::new(fetch.0.stderr.take().unwrap());
    let told = stderr
        .lines()
        .map_while(Result::ok)
        .find(|line| line == "< 200");
    assert!(told.is_some(), "the response has begun");
    assert_eq!(fetch.interrupt(), Some(130));
    assert_eq!(demo.files(), [] as [String; 0]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let demo = Demo::start();
    let mut fetch = demo
        .fetch(&[], "slow?chunks=3000")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut reader = BufReader::new(fetch.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("chunk 1 of 3000"), "{line}");
    drop(reader);
    assert_eq!(fetch.wait().unwrap().code(), Some(0));
}

/// SES-045: 50 MB each way, from and to files and pipes, and two at once.
#[test]
fn large_bodies_stream_from_and_to_files() {
    let demo = Demo::start();
    let expected = digest(&demo);
    let target = format!("download?bytes={LARGE}");
    let beside = demo
        .fetch(&["--json"], &target)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    demo.body(&["-o", "large"], &target);
    let path = demo.home.path().join("large");
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), LARGE);
    assert_eq!(sha256(&bytes), expected["sha256"]);
    let beside = beside.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&beside.stdout).unwrap();
    assert_eq!(report["bytes"], LARGE);

    let uploaded = demo.body(&["-T", "large"], "upload");
    assert_eq!(serde_json::from_str::<Value>(&uploaded).unwrap(), expected);
    let mut command = demo.fetch(&["-T", "-"], "upload");
    let piped = command.stdin(File::open(&path).unwrap()).output().unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&piped.stdout).unwrap(),
        expected
    );
    assert_eq!(demo.files(), ["large"]);
}

#[test]
fn data_comes_from_standard_input_and_files() {
    let demo = Demo::start();
    let with_input = |arguments: &[&str]| {
        let mut fetch = demo
            .fetch(arguments, "upload")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        fetch.stdin.take().unwrap().write_all(b"a\r\nb\n").unwrap();
        let output = fetch.wait_with_output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(with_input(&["-d", "@-"])["sha256"], sha256(b"ab"));
    assert_eq!(
        with_input(&["--data-binary", "@-"])["sha256"],
        sha256(b"a\r\nb\n")
    );
    fs::write(demo.home.path().join("data"), "1\n2\n").unwrap();
    let both = demo.body(&["-d", "x=0", "-d", "@data"], "upload");
    let both: Value = serde_json::from_str(&both).unwrap();
    assert_eq!(both["sha256"], sha256(b"x=0&12"));
}

#[test]
fn programs_get_one_object() {
    let demo = Demo::start();
    let report: Value = serde_json::from_str(&demo.body(&["--json"], "status/202")).unwrap();
    assert_eq!(report["status"], 202);
    assert_eq!(report["bytes"], "202 Accepted\n".len());
    assert_eq!(report["url"], demo.at("status/202"));
    // What answers first carries first, and that may be the relay.
    let path = report["path"].as_str();
    assert!(matches!(path, Some("direct" | "relayed")), "{path:?}");
    assert_eq!(report["peer_id"], demo.peer_id.as_str());
    assert_eq!(
        (&report["alias"], &report["app"]),
        (&json!(demo.alias), &json!("hello"))
    );
    for end in ["local", "remote"] {
        assert!(report[end]["kind"].is_string(), "{report}");
        assert!(report[end]["address"].is_string(), "{report}");
    }
    for part in ["offer", "answer", "connected", "first_byte", "total"] {
        assert!(report["timings"][part].is_f64(), "{part}: {report}");
    }
    let kind = json!(["content-type", "text/plain; charset=utf-8"]);
    assert!(report["headers"].as_array().unwrap().contains(&kind));
    // With a file beside it, the body is there.
    demo.body(&["--json", "-o", "body"], "status/202");
    let body = fs::read_to_string(demo.home.path().join("body")).unwrap();
    assert_eq!(body, "202 Accepted\n");
}

/// IDN-018, IDN-019, IDN-020: another key is refused by an exit code of its own and in plain words.
#[test]
fn another_key_is_refused() {
    let demo = Demo::start();
    let other = {
        let home = home();
        let output = p2claw(home.path(), &["identity", "--json"])
            .output()
            .unwrap();
        let identity: Value = serde_json::from_slice(&output.stdout).unwrap();
        identity["peer_id"].as_str().unwrap().to_owned()
    };
    let output = demo.fetched(&[], &format!("#p={other}"));
    assert_eq!(output.status.code(), Some(60));
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains(&other));
    assert!(
        !demo.pins().exists(),
        "nothing is learned of a refused visit"
    );

    demo.body(&["-I"], &format!("#p={}", demo.peer_id));
    let pins = fs::read_to_string(demo.pins()).unwrap();
    fs::write(demo.pins(), pins.replace(&demo.peer_id, &other)).unwrap();
    let output = demo.fetched(&[], "");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(60), "{said}");
    assert!(
        said.contains("p2claw pins --forget http://hello-"),
        "{said}"
    );
    let command = |arguments: &[&str]| {
        let output = p2claw(demo.home.path(), arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        text(&output.stdout)
    };
    assert!(command(&["pins"]).contains(&other));
    assert!(command(&["pins", "--forget", &demo.url]).contains("forgotten"));
    demo.body(&["-I"], "");
    assert!(command(&["pins"]).contains(&demo.peer_id));
}

/// SIG-019, SIG-027: nobody there, in words and by exit code.
#[test]
fn what_cannot_be_reached_is_explained() {
    let home = home();
    let (coord, said) = start(home.path(), &["coord", "--listen", "127.0.0.1:0", "--json"]);
    let coord_url = format!("http://{}", said["listening"].as_str().unwrap());
    let (_edge, said) = start(
        home.path(),
        &[
            "edge",
            "--listen",
            "127.0.0.1:0",
            "--coord",
            &coord_url,
            "--json",
        ],
    );
    let edge = said["listening"].as_str().unwrap().to_owned();
    let port = edge.rsplit(':').next().unwrap();
    let (mut agent, said) = start(home.path(), &["run", "--coord", &coord_url, "--json"]);
    let alias = said["alias"].as_str().unwrap().to_owned();
    let fetch = |app: &str, alias: &str| {
        let url = format!("http://{app}-{alias}.localhost:{port}/");
        let output = p2claw(home.path(), &["fetch", &url]).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let (code, said) = fetch("recipes", &alias);
    assert_eq!(code, Some(7), "{said}");
    assert!(said.contains("NO_SUCH_APP"), "{said}");
    let (code, said) = fetch("recipes", "quiet-otter-0417");
    assert_eq!(code, Some(7), "{said}");
    assert!(said.contains("NO_SUCH_ALIAS"), "{said}");

    let exposed = p2claw(home.path(), &["expose", "recipes", "1"]).output();
    assert_eq!(exposed.unwrap().status.code(), Some(0));
    let url = format!("http://recipes-{alias}.localhost:{port}/");
    let silent = p2claw(home.path(), &["fetch", "-i", &url])
        .output()
        .unwrap();
    assert!(text(&silent.stdout).contains("p2claw-error: UPSTREAM_UNAVAILABLE"));

    assert_eq!(agent.interrupt(), Some(0));
    let (code, said) = fetch("recipes", &alias);
    assert_eq!(code, Some(7), "{said}");
    assert!(
        said.contains("offline") && said.contains("AGENT_OFFLINE"),
        "{said}"
    );
    drop(coord);
    let (code, said) = fetch("recipes", &alias);
    assert_eq!(code, Some(7), "{said}");
    assert!(said.contains("COORD_UNREACHABLE"), "{said}");
}

/// What people see with -v is on standard error, beside the body.
#[test]
fn verbose_tells_what_happens() {
    let demo = Demo::start();
    let mut command: Command = demo.fetch(&["-v"], "status/200");
    let output = command.output().unwrap();
    assert_eq!(text(&output.stdout), "200 OK\n");
    let said = text(&output.stderr);
    for line in [
        format!("* peer id {}", demo.peer_id),
        " path: ".to_owned(),
        "> GET /status/200".to_owned(),
        "< content-length: 7".to_owned(),
    ] {
        assert!(said.contains(&line), "{line}: {said}");
    }
}
