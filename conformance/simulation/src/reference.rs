//! The visit of the reference traces: everything that a session and its signaling are for, once.

mod upstream;

use std::{cell::RefCell, rc::Rc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt as _;
use p2claw_agent::connection::Message;
use p2claw_session::{Close, ErrorCode, Fields, MessageKind, Request, Target};
use p2claw_visitor::{Opened, Visit};
use tokio::time::sleep;

use crate::{
    internet::HostId,
    nat::{Behaviour, NatConfig},
    side::Side,
    simulation::Failure,
    tap::{Said, Tap},
    visitor::Guest,
    world::{AgentHost, Exposed, World},
};

/// Two apps on one server.
const EXPOSED: Exposed = Exposed {
    apps: &["recipes", "notes"],
    serve: || upstream::serve().boxed(),
};

/// What most people have at home: one mapping for all, and a strict filter.
const HOME: Side = Side::Nat(NatConfig::new(
    Behaviour::EndpointIndependent,
    Behaviour::AddressAndPortDependent,
));

/// Between two things that the visitor does.
const PAUSE: Duration = Duration::from_millis(200);

/// Longer than the times after which a silent session and a silent link are asked whether they
/// live (SES-060, SIG-006).
const SILENCE: Duration = Duration::from_secs(20);

/// From the visitor's move to its next request: it looks at its addresses every 2 s, and restarts.
const RESTART: Duration = Duration::from_secs(3);

/// How long any part of it may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What came of it.
#[derive(Debug, Clone)]
pub struct Heard {
    /// All messages, in the order of sending.
    pub said: Vec<Said>,
    /// What the app's answers were, as the visitor's program got them.
    pub seen: Vec<String>,
}

/// How far the visitor has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Visiting,
    /// It has done all that needs one path only.
    Silent,
    /// It has gone on behind another path.
    Moved,
    Left,
}

struct Diary {
    stage: Stage,
    seen: Vec<String>,
    failure: Option<String>,
}

/// An agent registers two apps. A visitor visits one of them: a page, an upload, beside it a
/// download that is given up, a WebSocket, a while of silence. Then it moves to another network and
/// restarts ICE, and one more page passes. Both ends say that they are going; with the agent its link
/// and all signaling end.
///
/// # Errors
/// When any of that does not come about.
pub fn visit(seed: u64) -> Result<Heard, Failure> {
    let tap = Tap::default();
    let mut world = World::with_tap(seed, tap.clone());
    let place = world.place(&HOME);
    let agent = world.agent_with("agent", place, EXPOSED);
    world.registered(&[&agent])?;
    let diary = Rc::new(RefCell::new(Diary {
        stage: Stage::Visiting,
        seen: Vec::new(),
        failure: None,
    }));
    let host = visitor(&mut world, &agent, &tap, &diary);
    wait(&mut world, &diary, Stage::Silent)?;
    let elsewhere = world.place(&HOME);
    let mut internet = world.simulation.internet().lock();
    internet.move_host(host, vec![elsewhere]);
    drop(internet);
    wait(&mut world, &diary, Stage::Moved)?;
    agent.stop();
    wait(&mut world, &diary, Stage::Left)?;
    // What is still under way.
    world
        .simulation
        .run_until(Duration::from_secs(3), || false)?;
    let seen = diary.borrow().seen.clone();
    let said = tap.said()?;
    Ok(Heard { said, seen })
}

fn wait(world: &mut World<'_>, diary: &RefCell<Diary>, stage: Stage) -> Result<(), Failure> {
    let done = || {
        let diary = diary.borrow();
        diary.stage == stage || diary.failure.is_some()
    };
    let came = world.simulation.run_until(LIMIT, done)?;
    match &diary.borrow().failure {
        Some(failure) => Err(failure.clone().into()),
        None if !came => Err(format!("not {stage:?} within {LIMIT:?}").into()),
        None => Ok(()),
    }
}

fn visitor(
    world: &mut World<'_>,
    agent: &AgentHost,
    tap: &Tap,
    diary: &Rc<RefCell<Diary>>,
) -> HostId {
    let (agent, tap, diary) = (agent.clone(), tap.clone(), Rc::clone(diary));
    world.visitor("visitor", &HOME, move |network| {
        let (agent, tap, diary) = (agent.clone(), tap.clone(), Rc::clone(&diary));
        async move {
            let guest = Guest::with_tap(&network, &agent, &tap)?;
            if let Err(failure) = stay(&guest, &diary).await {
                diary.borrow_mut().failure = Some(failure.to_string());
            }
            Ok(())
        }
    })
}

async fn stay(guest: &Guest, diary: &RefCell<Diary>) -> Result<(), Failure> {
    let note = |what: String| diary.borrow_mut().seen.push(what);
    let reach = |stage| diary.borrow_mut().stage = stage;
    let visit = guest.visit().await?;
    get(&visit, "/", note).await?;
    sleep(PAUSE).await;
    upload_and_give_up(&visit, note).await?;
    sleep(PAUSE).await;
    talk(&visit, note).await?;
    sleep(SILENCE).await;

    let before = visit.path();
    reach(Stage::Silent);
    sleep(RESTART).await;
    get(&visit, "/", note).await?;
    if visit.path() == before {
        return Err("the path is still the one of before the move".into());
    }
    sleep(PAUSE).await;

    visit.finish();
    reach(Stage::Moved);
    let end = visit.wait().await;
    note(format!("ended: {} {}", end.code, end.reason));
    reach(Stage::Left);
    Ok(())
}

async fn get(visit: &Visit, target: &str, note: impl Fn(String)) -> Result<(), Failure> {
    let fields = [("accept", "text/html")];
    let mut exchange = visit.open(request("GET", target, &fields)?).await?;
    loop {
        let head = exchange.head().await?;
        note(format!("{target} {}", head.status));
        if !head.is_informational() {
            break;
        }
    }
    while let Some(data) = exchange.response.data().await? {
        note(format!("{target} {}", String::from_utf8_lossy(&data)));
    }
    Ok(())
}

/// A body that is sent piece by piece, and beside it one that comes without end.
async fn upload_and_give_up(visit: &Visit, note: impl Fn(String)) -> Result<(), Failure> {
    let fields = [("content-type", "application/octet-stream")];
    let mut upload = visit.open(request("POST", "/upload", &fields)?).await?;
    for _ in 0..3 {
        upload.body.write(Bytes::from(vec![b'u'; 1_000])).await?;
        sleep(PAUSE / 4).await;
    }
    let mut endless = visit.open(request("GET", "/endless", &[])?).await?;
    note(format!("/endless {}", endless.head().await?.status));
    for _ in 0..2 {
        let line = endless.response.data().await?.unwrap_or_default();
        note(format!("/endless {}", String::from_utf8_lossy(&line)));
    }
    endless.response.stop(ErrorCode::CANCELLED);
    drop(endless);
    sleep(PAUSE).await;
    upload.body.finish(None)?;
    note(format!("/upload {}", upload.head().await?.status));
    while let Some(data) = upload.response.data().await? {
        note(format!("/upload {}", String::from_utf8_lossy(&data)));
    }
    Ok(())
}

async fn talk(visit: &Visit, note: impl Fn(String)) -> Result<(), Failure> {
    let asked = fields(&[("sec-websocket-protocol", "v2.echo, v1.echo")])?;
    let opened = visit.open_websocket(Target::parse("/socket")?, asked);
    let Opened::Accepted {
        response,
        send,
        receive,
    } = opened.await?
    else {
        return Err("the WebSocket was refused".into());
    };
    let chosen = response.fields.get("sec-websocket-protocol");
    let chosen = String::from_utf8_lossy(chosen.map_or(b"", |value| value));
    note(format!("/socket {} {chosen}", response.status));
    let (mut send, mut receive) = (send.into_messages(), receive.into_messages());
    let said: [(MessageKind, &[&str]); 4] = [
        (MessageKind::Text, &["hello"]),
        (MessageKind::Binary, &["bytes"]),
        (MessageKind::Binary, &["in two ", "parts"]),
        (MessageKind::Text, &[""]),
    ];
    for (kind, parts) in said {
        for (number, part) in parts.iter().enumerate() {
            let last = number + 1 == parts.len();
            let part = Bytes::from_static(part.as_bytes());
            send.send(kind, part, last).await?;
        }
        loop {
            let Message::Part { kind, last, data } = receive.next().await? else {
                return Err("the app has closed the WebSocket".into());
            };
            let text = String::from_utf8_lossy(&data);
            let end = if last { "" } else { "..." };
            note(format!("/socket {kind:?} {text}{end}"));
            if last {
                break;
            }
        }
    }
    send.close(Close::new(1000, "that was all")?)?;
    let Message::Close(close) = receive.next().await? else {
        return Err("the app goes on behind the close".into());
    };
    note(format!("/socket closed {:?}", close.code()));
    Ok(())
}

fn request(method: &str, target: &str, list: &[(&str, &'static str)]) -> Result<Request, Failure> {
    Ok(Request {
        method: method.to_owned(),
        target: Target::parse(target)?,
        fields: fields(list)?,
        end: method == "GET",
        protocol: None,
    })
}

fn fields(list: &[(&str, &'static str)]) -> Result<Fields, Failure> {
    let mut fields = Fields::new();
    for (name, value) in list {
        fields.push(*name, Bytes::from_static(value.as_bytes()))?;
    }
    Ok(fields)
}
