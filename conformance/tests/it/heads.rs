//! Heads, trailers, responses and close codes, as the session engine takes them.

use std::collections::BTreeMap;

use p2claw_conformance::sequence::End;
use p2claw_conformance::vectors::{
    Case, Expected, HTTP_FIELDS, Hex, RESPONSE_MAPPING, Source, WEBSOCKET_CLOSES,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::describe::Describe;
use crate::session_end::SessionEnd;

const HELLO: &[u8] = b"\x01\x00\x0a\x01\x01";
const RESPONSE_200: &[u8] = b"\x03\x01\x08\xc8\x01";
const POST: &[u8] = b"\x02\x01\x0a\x04POST\x12\x01/";
const CONNECT: &[u8] = b"\x02\x01\x0a\x07CONNECT\x12\x02/s\x2a\x09websocket";

/// One end behind both HELLOs, and what it has sent and told since.
struct Bench<'a> {
    end: SessionEnd<'a>,
    sent: Vec<(String, Value)>,
    told: Vec<Map<String, Value>>,
}

impl<'a> Bench<'a> {
    fn new(role: &str, describe: &'a Describe) -> Self {
        let mut bench = Self {
            end: SessionEnd::new(role, &BTreeMap::new(), true, describe),
            sent: Vec::new(),
            told: Vec::new(),
        };
        bench.receive(HELLO);
        bench.forget();
        bench
    }

    fn receive(&mut self, message: &[u8]) {
        self.end.receive(0, message);
        self.gather();
    }

    fn call(&mut self, name: &str, values: Value) {
        let Value::Object(values) = values else {
            panic!("values of a call are an object")
        };
        assert!(self.end.call(name, &values), "{name}");
        self.gather();
    }

    fn gather(&mut self) {
        let sent = self.end.sent().into_iter();
        self.sent.extend(sent.map(|sent| {
            let code = sent.content.get("code").cloned();
            (sent.kind, code.unwrap_or_default())
        }));
        self.told.extend(self.end.told());
    }

    fn forget(&mut self) {
        self.sent.clear();
        self.told.clear();
    }

    fn event(&self, name: &str) -> Option<&Map<String, Value>> {
        self.told.iter().find(|event| event["event"] == name)
    }

    /// Whether the last message was taken; compares the error of a case that has one.
    ///
    /// `stop`: a stream error sends STOP, because the other half was not over.
    fn judge(&self, case: &Case, stop: Option<bool>) -> bool {
        if !case.has("error") {
            return !self.end.is_over() && self.event("cut").is_none();
        }
        let code: String = case.get("error").unwrap();
        let scope: String = case.get("scope").unwrap();
        let said = |kind: &str| {
            self.sent
                .iter()
                .any(|(sent, with)| sent == kind && *with == code)
        };
        let id = &case.id;
        if scope == "session" {
            return !(self.end.is_over() && said("GOAWAY"));
        }
        if self.end.is_over() || !(said("STOP") || said("RESET") || self.event("cut").is_some()) {
            return true;
        }
        if let Some(stop) = stop {
            assert!(!stop || said("STOP"), "{id}: {:?}", self.sent);
        }
        false
    }
}

/// Runs `accepts` with every case, and says which cases came out wrong.
fn check(source: Source, group: &str, accepts: impl Fn(&Case, &Describe) -> bool) {
    let describe = Describe::new();
    let file = source.read().unwrap();
    let wrong = |case: &&Case| {
        let accepted = accepts(case, &describe);
        case.expected() != Expected::Acceptable && accepted != (case.expected() == Expected::Valid)
    };
    let wrong: Vec<_> = file.cases(group).unwrap().iter().filter(wrong).collect();
    let ids: Vec<_> = wrong.iter().map(|case| &case.id).collect();
    assert!(ids.is_empty(), "judged wrongly: {ids:#?}");
}

/// SES-030 to SES-037, WSK-001, WSK-002: heads of requests at an agent.
#[test]
fn request_heads() {
    #[derive(Deserialize)]
    struct Input {
        frame: Hex,
        method: String,
        target: String,
        protocol: Option<String>,
        end: bool,
    }
    check(HTTP_FIELDS, "request-head", |case, describe| {
        let input: Input = case.input().unwrap();
        let mut bench = Bench::new("agent", describe);
        bench.receive(&input.frame.0);
        if !bench.judge(case, Some(true)) {
            // Nothing of such a request reaches the application (SES-036).
            assert!(bench.event("request").is_none(), "{}", case.id);
            return false;
        }
        let Some(request) = bench.event("request") else {
            return false;
        };
        let id = &case.id;
        assert_eq!(request["method"], input.method, "{id}");
        assert_eq!(request["target"], input.target, "{id}");
        let protocol = request.get("protocol").and_then(Value::as_str);
        assert_eq!(protocol, input.protocol.as_deref(), "{id}");
        assert_eq!(bench.event("end").is_some(), input.end, "{id}");
        true
    });
}

/// SES-021, SES-030 to SES-037: heads of responses at a visitor.
#[test]
fn response_heads() {
    #[derive(Deserialize)]
    struct Input {
        frame: Hex,
        to_method: String,
        status: u64,
        end: bool,
    }
    check(HTTP_FIELDS, "response-head", |case, describe| {
        let input: Input = case.input().unwrap();
        let mut bench = Bench::new("visitor", describe);
        let open = json!({"stream": "1", "method": input.to_method, "target": "/", "end": true});
        bench.call("open", open);
        bench.forget();
        bench.receive(&input.frame.0);
        if !bench.judge(case, Some(!input.end)) {
            assert!(bench.event("response").is_none(), "{}", case.id);
            return false;
        }
        let status = bench.event("response").map(|event| event["status"].clone());
        status == Some(input.status.into())
    });
}

/// SES-030 to SES-039: trailers, at both ends.
#[test]
fn trailers() {
    #[derive(Deserialize)]
    struct Input {
        frame: Hex,
        fields: Vec<Value>,
    }
    for role in ["visitor", "agent"] {
        check(HTTP_FIELDS, "trailers", |case, describe| {
            let input: Input = case.input().unwrap();
            let mut bench = Bench::new(role, describe);
            if role == "visitor" {
                let open = json!({"stream": "1", "method": "GET", "target": "/", "end": true});
                bench.call("open", open);
                bench.receive(RESPONSE_200);
            } else {
                bench.receive(POST);
            }
            bench.forget();
            bench.receive(&input.frame.0);
            if !bench.judge(case, Some(false)) {
                return false;
            }
            let end = bench.event("end").expect("the body has ended");
            let pairs = |field: &Value| json!([field["name"], field["value"]]);
            let fields: Vec<_> = input.fields.iter().map(pairs).collect();
            assert_eq!(end["trailers"], Value::from(fields), "{}", case.id);
            true
        });
    }
}

/// HTP-001 to HTP-008, SES-037: what a caller sees of the frames of a response.
#[test]
fn responses() {
    #[derive(Deserialize)]
    struct Input {
        method: String,
        frames: Vec<Hex>,
    }
    check(RESPONSE_MAPPING, "response", |case, describe| {
        let input: Input = case.input().unwrap();
        let mut bench = Bench::new("visitor", describe);
        let open = json!({"stream": "1", "method": input.method, "target": "/", "end": true});
        bench.call("open", open);
        bench.forget();
        for frame in &input.frames {
            bench.receive(&frame.0);
        }
        if case.has("error") {
            let taken = bench.judge(case, None);
            let session = case.get::<String>("scope").unwrap() == "session";
            // The caller is told, and gets no clean end.
            assert!(
                taken || session || bench.event("cut").is_some(),
                "{}",
                case.id
            );
            return taken || bench.event("end").is_some();
        }
        let (mut interim, mut last, mut body) = (Vec::new(), None, String::new());
        for event in &bench.told {
            match event["event"].as_str().unwrap() {
                "response" if event["status"].as_u64() < Some(200) => {
                    interim.push(event["status"].clone())
                }
                "response" => last = Some(event["status"].clone()),
                "data" => body.push_str(event["hex"].as_str().unwrap()),
                _ => {}
            }
        }
        let none = || Value::Array(Vec::new());
        let end = bench.event("end");
        let trailers = end.and_then(|end| end.get("trailers").cloned());
        let cut = bench.event("cut").map(|cut| cut["code"].clone());
        let id = &case.id;
        let get = |name: &str| case.get::<Value>(name).unwrap();
        assert_eq!(Value::from(interim), get("interim"), "{id}");
        assert_eq!(last, Some(get("status")), "{id}");
        assert_eq!(body, get("body"), "{id}");
        assert_eq!(trailers.unwrap_or_else(none), get("trailers"), "{id}");
        assert_eq!(Value::from(cut), get("cut"), "{id}");
        assert_eq!(
            end.is_some(),
            get("cut").is_null(),
            "{id}: it has ended well"
        );
        !bench.end.is_over()
    });
}

/// WSK-020, WSK-022: closes, at both ends.
#[test]
fn websocket_closes() {
    for role in ["visitor", "agent"] {
        check(WEBSOCKET_CLOSES, "ws-close", |case, describe| {
            let payload: Hex = case.input().unwrap();
            let mut bench = Bench::new(role, describe);
            if role == "visitor" {
                let open = json!({"stream": "1", "method": "CONNECT", "target": "/s", "protocol": "websocket"});
                bench.call("open", open);
                bench.receive(RESPONSE_200);
            } else {
                bench.receive(CONNECT);
                bench.call("respond", json!({"stream": "1", "status": 200}));
            }
            bench.forget();
            bench.receive(&[b"\x14\x01", &payload.0[..]].concat());
            if !bench.judge(case, Some(false)) {
                return false;
            }
            let close = bench.event("close").expect("the close was told");
            let get = |name: &str| case.get::<Value>(name).unwrap();
            assert_eq!(close["code"], get("application_code"), "{}", case.id);
            assert_eq!(close["reason"], get("reason"), "{}", case.id);
            true
        });
    }
}
