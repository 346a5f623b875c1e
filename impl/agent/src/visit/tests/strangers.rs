//! Visitors that speak frames by hand: what they may send and get, and what they never reach.

use std::collections::BTreeMap;

use p2claw_proto::v1 as proto;
use p2claw_session::StreamId;
use tokio::net::UnixListener;

use super::*;

/// A visitor whose frames the test writes itself.
struct Stranger {
    peer: Box<dyn Peer>,
    next: u64,
    _visit: JoinHandle<()>,
}

impl Stranger {
    /// A visitor that has said HELLO with these settings, to an offer with these lines.
    async fn visits(hosting: &Hosting, lines: &str, settings: &[(u64, u64)]) -> Self {
        let (peer, visit) = hosting.visit(lines).await;
        let mut stranger = Self {
            peer,
            next: 1,
            _visit: visit,
        };
        let settings = settings.iter();
        stranger.say(&Frame::Hello(proto::SessionHello {
            versions: vec![1],
            settings: settings
                .map(|&(id, value)| proto::Setting { id, value })
                .collect(),
            software: "stranger/1".to_owned(),
        }));
        stranger
    }

    fn say(&mut self, frame: &Frame) {
        assert!(self.peer.try_send(LaneId::ZERO, &frame.encode()).unwrap());
    }

    /// A request without a body, as it stands: no rule is kept here.
    fn ask(&mut self, method: &str, target: &str, fields: &[(&str, &str)]) -> StreamId {
        let stream = StreamId::new(self.next).unwrap();
        self.next += 2;
        let fields = fields.iter().map(|(name, value)| proto::Field {
            name: (*name).to_owned(),
            value: Bytes::copy_from_slice(value.as_bytes()),
        });
        let head = proto::Request {
            method: method.to_owned(),
            target: target.to_owned(),
            fields: fields.collect(),
            end: true,
            ..proto::Request::default()
        };
        self.say(&Frame::Request { stream, head });
        stream
    }

    /// The next message of the agent's.
    async fn message(&mut self) -> Bytes {
        loop {
            let event = std::future::poll_fn(|cx| self.peer.poll_event(cx));
            match within(event).await {
                PeerEvent::Message(_, message) => return message,
                PeerEvent::Closed(reason) => panic!("closed: {reason}"),
                PeerEvent::LaneOpen(_)
                | PeerEvent::Writable
                | PeerEvent::Candidate(_)
                | PeerEvent::Path(_) => {}
            }
        }
    }

    /// What comes on a stream first: a response's status, or the code that it is refused with.
    async fn answer(&mut self, asked: StreamId) -> Result<u32, ErrorCode> {
        loop {
            let frame = Frame::decode(self.message().await).unwrap();
            if let Frame::Response { stream, head } = &frame
                && *stream == asked
            {
                return Ok(head.status);
            }
            if let Frame::Reset { stream, code, .. } = &frame
                && *stream == asked
            {
                return Err(*code);
            }
        }
    }
}

/// An app that answers every request, and tells the test of each: its first line and its fields.
fn app(upstream: TcpListener, response: &'static [u8]) -> mpsc::Receiver<(String, Heads)> {
    let (tell, told) = mpsc::channel(64);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = upstream.accept().await.unwrap();
            let tell = tell.clone();
            tokio::spawn(async move {
                let head = read_head(&mut stream).await;
                let (first, fields) = head.split_once("\r\n").unwrap();
                let mut heads = Heads::new();
                for line in fields.lines().filter(|line| !line.is_empty()) {
                    let (name, value) = line.split_once(": ").unwrap();
                    let values: &mut Vec<String> = heads.entry(name.to_owned()).or_default();
                    values.push(value.to_owned());
                }
                tell.send((first.to_owned(), heads)).await.unwrap();
                stream.write_all(response).await.unwrap();
            });
        }
    });
    told
}

type Heads = BTreeMap<String, Vec<String>>;

const OK: &[u8] = b"HTTP/1.1 204 No Content\r\nset-cookie: login=yes\r\nconnection: close\r\n\r\n";

/// RTC-007: no message of the agent's is longer than the visitor's description allows, though both
/// ends would take longer frames.
#[tokio::test]
async fn rtc_007_messages_keep_to_the_visitors_description() {
    for (lines, longest) in [
        ("a=max-message-size:20000\r\n", 20_000),
        ("a=max-message-size:16384\r\n", 16_384),
        ("a=max-message-size:262144\r\n", 40_000),
        ("a=max-message-size:0\r\n", 40_000),
    ] {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config {
            max_frame: 65_536,
            ..Config::default()
        };
        let hosting = hosting(&upstream, config);
        // `max_frame`, and credit for all of the body.
        let settings = [(1, 40_000), (2, 1 << 20), (3, 1 << 20)];
        let mut visitor = Stranger::visits(&hosting, lines, &settings).await;
        let asked = visitor.ask("GET", "/", &[]);
        let (mut stream, _) = within(upstream.accept()).await.unwrap();
        read_head(&mut stream).await;
        let mut response = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".to_vec();
        response.resize(response.len() + 1_000_000, b'x');
        tokio::spawn(async move { stream.write_all(&response).await });
        // Until so much waits at the agent that a frame may be as long as it likes.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (mut body, mut seen) = (0, 0);
        while body < 1_000_000 {
            let message = visitor.message().await;
            seen = seen.max(message.len());
            if let Frame::Data { stream, data } | Frame::DataEnd { stream, data } =
                Frame::decode(message).unwrap()
            {
                assert_eq!(stream, asked);
                body += data.len();
            }
        }
        assert!(seen <= longest, "{lines:?}: {seen}");
        // What both ends allow is used as well.
        assert!(seen > 16_000, "{lines:?}: {seen}");
        assert!(seen > 16_384 || longest == 16_384, "{lines:?}: {seen}");
    }
}

/// SEC-005, HTP-024: nothing that a visitor says of itself makes it more than a stranger, and the
/// agent vouches for none: it adds no credential, and keeps none of another visitor's.
#[tokio::test]
async fn sec_005_every_visitor_is_a_stranger() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hosting = hosting(&upstream, Config::default());
    let mut told = app(upstream, OK);
    let claims = [
        ("forwarded", "for=127.0.0.1;by=_agent"),
        ("x-forwarded-for", "192.0.2.99"),
        ("x-forwarded-user", "root"),
        ("x-forwarded-host", "localhost"),
        ("x-forwarded-proto", "file"),
        ("x-real-ip", "192.0.2.99"),
        ("x_real_ip", "192.0.2.99"),
        ("x-p2claw-session", "0"),
        ("x-p2claw-user", "root"),
        ("proxy-authorization", "Basic cm9vdDo="),
    ];
    // What the app itself may have asked for is between it and the visitor.
    let secrets = [("authorization", "Basic Z3Vlc3Q6"), ("cookie", "a=1")];
    let mut visitors = [
        Stranger::visits(&hosting, "", &[]).await,
        Stranger::visits(&hosting, "", &[]).await,
    ];
    let mut heads = Vec::new();
    for (visitor, fields) in [(0, &[][..]), (1, &claims), (0, &secrets), (1, &[])] {
        let visitor = &mut visitors[visitor];
        let asked = visitor.ask("GET", "/", fields);
        heads.push(within(told.recv()).await.unwrap().1);
        assert_eq!(visitor.answer(asked).await, Ok(204));
    }
    let names: Vec<&str> = heads[0].keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "accept-encoding",
            "forwarded",
            "host",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-p2claw-session"
        ]
    );
    assert_eq!(heads[1], heads[0], "claims");
    assert_eq!(heads[3], heads[0], "what another visitor had");
    let mut with_secrets = heads[0].clone();
    for (name, value) in secrets {
        with_secrets.insert(name.to_owned(), vec![value.to_owned()]);
    }
    assert_eq!(heads[2], with_secrets);
}

/// SEC-004, SEC-005, HTP-010: whatever a visitor asks for, it reaches the app that it
/// visits, or nothing: not the agent's local interface, not another app, not another server here.
#[tokio::test]
async fn sec_005_a_visitor_reaches_nothing_but_its_app() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hosting = hosting(&upstream, Config::default());
    let mut told = app(upstream, OK);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let local = UnixListener::bind(&socket).unwrap();
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let victim = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let notes = AppName::parse("notes").unwrap();
    let routes = &hosting.host.routes;
    routes.expose(notes.clone(), entry(&other)).unwrap();
    let apps = routes.apps();

    let socket = socket.to_str().unwrap();
    let port = victim.local_addr().unwrap().port();
    let elsewhere = format!("127.0.0.1:{port}");
    let alias = &hosting.alias;
    let mut visitor = Stranger::visits(&hosting, "", &[]).await;
    for (method, target) in [
        ("GET", format!("http://{elsewhere}/")),
        ("GET", format!("http://user@{elsewhere}/")),
        ("GET", format!("//{elsewhere}/")),
        ("GET", format!("@{elsewhere}/")),
        ("GET", format!(":{port}/")),
        ("GET", elsewhere.clone()),
        ("CONNECT", elsewhere.clone()),
        ("CONNECT", "/".to_owned()),
        ("GET", format!("unix:{socket}")),
        (
            "GET",
            format!("http+unix://{}/routes", socket.replace('/', "%2F")),
        ),
        ("GET", format!("https://notes-{alias}.example.net/")),
        ("GET", "../routes".to_owned()),
        ("GET", "*".to_owned()),
        ("GET", "/ HTTP/1.1\r\nhost: x\r\n\r\nGET /".to_owned()),
    ] {
        let asked = visitor.ask(method, &target, &[]);
        let answer = visitor.answer(asked).await;
        assert_eq!(answer, Err(ErrorCode::BAD_MESSAGE), "{method} {target}");
    }
    let hosts = [
        elsewhere.clone(),
        format!("notes-{alias}.example.net"),
        "localhost".to_owned(),
    ];
    for host in &hosts {
        // SES-035
        let asked = visitor.ask("GET", "/", &[("host", host)]);
        assert_eq!(visitor.answer(asked).await, Err(ErrorCode::BAD_MESSAGE));
    }
    for (method, target) in [
        ("GET", "/routes".to_owned()),
        ("PUT", "/routes/recipes".to_owned()),
        ("DELETE", "/routes/notes".to_owned()),
        ("GET", "/../routes".to_owned()),
        ("GET", "/..%2f..%2froutes".to_owned()),
        ("GET", format!("/@{elsewhere}/")),
        ("GET", format!("/:{port}/")),
        ("GET", format!("/?x=http://{elsewhere}/")),
        ("GET", format!("/http://{elsewhere}/")),
    ] {
        for host in &hosts {
            let forwarded = format!("host=\"{host}\"");
            let fields = [
                ("x-forwarded-host", host.as_str()),
                ("forwarded", &forwarded),
            ];
            let asked = visitor.ask(method, &target, &fields);
            let (first, heads) = within(told.recv()).await.unwrap();
            assert_eq!(first, format!("{method} {target} HTTP/1.1"));
            assert_eq!(heads["host"], [entry_host(&hosting)]);
            assert_eq!(visitor.answer(asked).await, Ok(204));
        }
    }
    assert!(told.try_recv().is_err(), "a request that was refused");
    assert_eq!(routes.apps(), apps);
    let nobody = Duration::from_millis(50);
    assert!(timeout(nobody, local.accept()).await.is_err());
    assert!(timeout(nobody, other.accept()).await.is_err());
    assert!(timeout(nobody, victim.accept()).await.is_err());
}

/// Where the app listens.
fn entry_host(hosting: &Hosting) -> String {
    let route = hosting.host.routes.get(&hosting.app).unwrap();
    route.upstream.authority()
}
