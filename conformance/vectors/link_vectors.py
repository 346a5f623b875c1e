"""The sequences of signaling.json: both ends of an agent link, and a visit at the agent, at coord and at the visitor."""
import signal_kit as kit
import wire
from names_vectors import case, key
from session_kit import hello, ping
from state_tables import CANNOT, Table
from statements_vectors import (ALIAS, APP, DOMAIN, NOW, REGISTRATION, REVOKE, VISIT, digest, registration, signed, visit_statement)

SEED, PUBLIC_KEY = key("one")
OTHER_SEED, OTHER_KEY = key("two")
NONCE = digest("challenge nonce")
SESSION = digest("session")[:16]
RESTART = digest("restart")[:16]
VISITOR, AGENT = digest("visitor certificate"), digest("agent certificate")
CANDIDATE = "candidate:1 1 udp 2122260223 192.0.2.7 49152 typ host"
OFFER = wire.sdp("offer", [wire.fingerprint_line(VISITOR)])
ANSWER = wire.sdp("answer", [wire.fingerprint_line(AGENT)])
TOO_LONG = {"receive": wire.message((1, 9)).hex(), "then": {"hex": "00", "times": 65_536}, "note": "65,538 bytes"}


def handle(event):
    return "on_" + "".join(c if c.isalnum() else "_" for c in event).lower()


class Walk:
    """A way through a table of signaling, step by step."""

    def __init__(self, table, final):
        self.table, self.final, self.state, self.steps, self.seq = table, final, table.start, [], 0
        self.start()

    def start(self):
        """What stands before the first state."""

    @classmethod
    def cases(cls, name, flags=None):
        table = Table(name)
        ways = table.ways()
        for row in table.rows:
            if row.action == CANNOT:
                continue
            walk = cls(table, row)
            for event in ways[row.state] + [row.event]:
                first = len(walk.steps)
                walk.row = table.at[walk.state, event]
                getattr(walk, handle(event))()
                walk.state = walk.row.next
            rest = {"step": first} | ({"error": row.error, "scope": row.scope} if row.error and row.scope == "link" else {})
            yield case(f"{name}/{row.state}/{row.event}".replace(" ", "-"), row.action, walk.input(), walk.result(row), row.req,
                       walk.flags(row), **rest)

    def flags(self, row):
        should = {"SIG-011", "SIG-031", "SIG-032"} & set(row.req) if row.error in ("LIMIT", "SHUTTING_DOWN", "NO_SUCH_VISIT") or row.event == "coord stops" else ()
        return ["Should"] if should else []

    def result(self, row):
        return "invalid" if row.error and row.scope in ("link", "message") else "valid"

    def receive(self, data, sends=(), events=(), note=None, **rest):
        """A message comes in. Where the link is closed, nothing follows."""
        if self.state == "closed":
            sends, events, rest = (), (), {}
        step = dict(data) if isinstance(data, dict) else {"receive": data.hex()}
        if note:
            step["note"] = note
        self.steps.append(step | {"sends": list(sends), "events": list(events)} | rest)

    def error(self, number, **more):
        """The Error that the row calls for, in answer to the message with this number."""
        answer = {"kind": "Error", "code": self.row.error} | ({"re": str(number)} if number else {})
        return [answer | more]

    def judged(self, data, number, events=(), note=None, sends=()):
        """By the row: an Error that ends the link or not, or what a message brings."""
        if self.row.scope == "link":
            self.receive(data, self.error(number), (), note, closed=True, again=True)
        elif self.row.scope == "message":
            self.receive(data, self.error(number), (), note)
        else:
            self.receive(data, sends, events, note)

    def envelope(self, kind, content=None, events=(), sends=()):
        self.seq += 1
        self.judged(kit.envelope(kind, content, self.seq), self.seq, events, kind, sends)

    def on_unknown_kind(self):
        self.seq += 1
        self.judged(kit.unknown(self.seq), self.seq, note="a kind that nobody knows")

    def on_unknown_kind_with_seq_0(self):
        self.judged(kit.unknown(0), 0, note="a kind that nobody knows, without a number")

    def on_no_envelope(self):
        self.judged(b"\xff\xff\xff", 0, note="no envelope")

    def on_message_too_long(self):
        self.judged(TOO_LONG, 0)

    def wait(self, ms, *sends, **rest):
        if self.state == "closed":
            sends, rest = (), {}
        self.steps.append({"wait_ms": ms, "sends": list(sends), "events": ["closed"] if rest.get("closed") else []} | rest)

    def lost(self, ms):
        self.wait(ms, {"kind": "Goodbye", "code": "HEARTBEAT_LOST"}, closed=True, again=True)


class AgentLink(Walk):
    def input(self):
        return {"now_ms": NOW, "domain": DOMAIN, "seed": SEED.hex(), "apps": [APP], "steps": self.steps}

    def challenge(self, domain=DOMAIN):
        self.envelope("Challenge", {"versions": [1], "nonce": NONCE, "domain": domain, "time_ms": NOW}, (), [{"kind": "Hello"}])

    def on_challenge(self):
        self.challenge()

    def on_bad_challenge(self):
        self.challenge("coord.example.org")

    def on_welcome(self):
        self.welcome()

    def welcome(self, max_visits=64):
        content = {"version": 1, "alias": ALIAS, "scheme": "https", "parent": "example.net", "max_routes": 32, "max_visits": max_visits,
                   "heartbeat_seconds": 15}
        self.envelope("Welcome", content, ["registered"], [{"kind": "RouteAnnounce", "apps": [APP]}])

    def on_routeack(self):
        self.envelope("RouteAck", {"accepted": [APP]}, ["routes"])

    def offer(self, **changed):
        return {"session_id": SESSION, "app": APP, "alias": ALIAS, "versions": [1], "sdp": OFFER, "nonce": digest("visitor nonce")} | changed

    def on_visitoffer(self):
        self.envelope("VisitOffer", self.offer(), ["offer"])

    def on_visitoffer_to_refuse(self):
        self.seq += 1
        data = kit.envelope("VisitOffer", self.offer(alias="silent-river-0001"), self.seq)
        if self.row.scope == "visit":
            self.receive(data, [{"kind": "VisitEnd", "code": self.row.error, "session_id": SESSION.hex()}], (), "VisitOffer for another alias")
        else:
            self.judged(data, self.seq, (), "VisitOffer for another alias")

    def on_bad_visitoffer(self):
        self.envelope("VisitOffer", self.offer(session_id=SESSION[:15]))

    def on_candidate(self):
        self.envelope("Candidate", {"session_id": SESSION, "candidate": CANDIDATE, "sdp_mid": "0"}, ["candidate"])

    def on_bad_candidate(self):
        self.envelope("Candidate", {"session_id": SESSION, "candidate": "a=" + CANDIDATE})

    def on_visitend(self):
        self.envelope("VisitEnd", {"session_id": SESSION}, ["visit-end"])

    def on_heartbeatack(self):
        self.envelope("HeartbeatAck", {"time_ms": NOW})

    def on_iceservers(self):
        server = {"urls": ["turn:relay.example.net:3478"], "username": "1800007200:0102030405060708", "credential": "x", "expires_at": 1_800_007_200}
        self.envelope("IceServers", {"ice_servers": [server]}, ["ice-servers"])

    def on_error(self):
        # An Error has no number (SIG-004).
        data = kit.envelope("Error", {"code": "INTERNAL", "detail": "oops"}, 0, 1)
        if self.row.next == "closed":
            self.receive(data, (), ["closed"], "Error", closed=True, again=True)
        else:
            self.receive(data, (), ["refused"], "Error")

    def on_goodbye(self):
        self.seq += 1
        self.receive(kit.envelope("Goodbye", {"code": "SHUTTING_DOWN"}, self.seq), (), ["closed"], "Goodbye", closed=True, again=True)

    def on_replacedbynewer(self):
        self.seq += 1
        data = kit.envelope("ReplacedByNewer", {}, self.seq)
        if self.row.scope == "link":
            self.judged(data, self.seq, (), "ReplacedByNewer")
        else:
            self.receive(data, (), ["closed"], "ReplacedByNewer", closed=True, again=False)

    def on_kind_that_only_agents_send(self):
        self.envelope("Heartbeat")

    def on_10_s_without_welcome(self):
        self.lost(10_000)

    def on_15_s(self):
        self.wait(15_000, heartbeats=1) if self.state != "closed" else self.wait(15_000)

    def on_45_s_without_a_message(self):
        self.lost(45_000)


class VisitAtAgent(AgentLink):
    """One visit at an agent that has just registered and bears one session: offers and the stack's word in, answers out."""

    #: What is compared of the messages to coord.
    KINDS = {"VisitAnswer", "VisitEnd", "Candidate", "Error"}
    #: States in which the visit has a transport.
    OPEN = {"answered", "connected"}
    EITHER = "either"
    OTHER = digest("other session")[:16]

    def input(self):
        return super().input() | {"answer_sdp": ANSWER}

    def start(self):
        self.state = "awaiting Challenge"
        at = Table("agent-link-agent").at
        for event in ("Challenge", "Welcome"):
            self.row = at[self.state, event]
            getattr(self, handle(event))()
            self.state = self.row.next
        self.state = self.table.start

    def flags(self, row):
        if row.event == "VisitOffer beyond what the agent bears":
            return ["OneSession"]
        return ["Should"] if {"SIG-041", "SIG-047"} & set(row.req) and row.error else []

    def on_welcome(self):
        self.welcome(max_visits=1)

    def step(self, what, sends=(), to_stack=(), to_visitor=(), transport=None, **rest):
        transport = self.row.next in self.OPEN if transport is None else transport
        open_or_not = {} if transport == self.EITHER else {"transport": transport}
        self.steps.append(what | {"sends": list(sends), "to_stack": list(to_stack), "to_visitor": list(to_visitor)} | open_or_not | rest)

    def receive(self, data, sends=(), events=(), note=None, **rest):
        """A message of coord's; what the agent's link tells the agent is the agent's affair."""
        what = {"receive": data.hex()} | ({"note": note} if note else {})
        self.step(what, [sent for sent in sends if sent["kind"] in self.KINDS], **rest)

    def frame(self, message, *to_visitor):
        """The visitor's frame on lane 0."""
        self.step({"frame": message.data.hex(), "note": message.note}, to_visitor=to_visitor, transport=True)

    def serves(self, greeted=False):
        """Shows that there is a session."""
        if not greeted:
            self.frame(hello())
        self.frame(ping(), {"type": "PONG", "stream": "0", "token": "7"})

    def is_final(self):
        return self.row is self.final

    def offered(self, note=None, sends=(), **changed):
        self.seq += 1
        self.receive(kit.envelope("VisitOffer", self.offer(**changed), self.seq), sends, note=note or self.row.event,
                     **({"transport": True} if changed.get("session_id") == self.OTHER else {}))

    def refused(self, **changed):
        self.offered(sends=[self.ended(SESSION)], **changed)

    def ended(self, session):
        return {"kind": "VisitEnd", "code": self.row.error, "session_id": session.hex()}

    def answer(self, session, **changed):
        statement = visit_statement(PUBLIC_KEY, session=session, **changed)
        return {"kind": "VisitAnswer", "session_id": session.hex(), "sdp": ANSWER, "statement": statement.hex(),
                "signature": signed(SEED, VISIT, statement).hex()}

    def on_visitoffer(self):
        self.offered()

    def on_visitoffer_for_another_alias(self):
        self.refused(alias="silent-river-0001")

    def on_visitoffer_for_an_app_without_a_route(self):
        self.refused(app="other")

    def on_visitoffer_beyond_what_the_agent_bears(self):
        self.seq += 1
        self.receive(kit.envelope("VisitOffer", self.offer(session_id=self.OTHER), self.seq), note="VisitOffer of another visit")
        self.step({"stack": "answer"}, [self.answer(self.OTHER)], transport=True)
        self.seq += 1
        self.receive(kit.envelope("VisitOffer", self.offer(), self.seq), [self.ended(SESSION)], note="one more", transport=True)

    def on_visitoffer_without_a_version_in_common(self):
        self.refused(versions=[127, 2])

    def on_visitoffer_with_a_bad_nonce(self):
        self.refused(nonce=digest("visitor nonce")[:31])

    def on_visitoffer_with_a_bad_description(self):
        self.refused(sdp=wire.sdp("offer", [wire.fingerprint_line(VISITOR), wire.fingerprint_line(AGENT)]))

    def restarts(self, number, *sends, note=None, **changed):
        """An offer for the session of this visit, under an id of its own."""
        content = {"session_id": self.restart_id(number), "restarts": SESSION, "nonce": self.restart_nonce(number)} | changed
        self.offered(note or (f"restart {number}" if number > 1 else self.row.event), sends, **content)

    def restart_id(self, number):
        return RESTART if number == 1 else digest(f"restart {number}")[:16]

    def restart_nonce(self, number):
        return digest("restart nonce" if number == 1 else f"restart nonce {number}")

    def restarted(self, number):
        return self.answer(self.restart_id(number), nonce=self.restart_nonce(number))

    def on_restart(self):
        if self.row.error:
            self.restarts(1, self.ended(RESTART))
        elif self.state == "answering":
            self.restarts(1)
            self.step({"stack": "answer"}, [self.answer(SESSION), self.restarted(1)], transport=True)
        else:
            self.restarts(1, self.restarted(1))
            self.serves(greeted=self.state == "connected")

    def on_restart_of_another_visitor(self):
        self.restarts(1, self.ended(RESTART), sdp=wire.sdp("offer", [wire.fingerprint_line(digest("another certificate"))]))

    def on_restart_too_soon_after_others(self):
        for number in range(1, 5):
            self.restarts(number, *[] if self.state == "answering" else [self.restarted(number)])
        self.restarts(5, self.ended(self.restart_id(5)))

    def told(self, kind, content, **rest):
        self.seq += 1
        self.receive(kit.envelope(kind, {"session_id": SESSION} | content, self.seq), note=kind, **rest)

    def on_candidate(self):
        content = {"candidate": CANDIDATE, "sdp_mid": "0"}
        if self.state == "answering":
            self.told("Candidate", content)
            self.step({"stack": "answer"}, [self.answer(SESSION)], [CANDIDATE], transport=True)
        else:
            self.told("Candidate", content, to_stack=[CANDIDATE] if self.state in self.OPEN else [])

    def on_visitend(self):
        self.told("VisitEnd", {})
        if self.is_final() and self.state in self.OPEN:
            if self.state == "answered":
                self.step({"wait_ms": 4_900})
            self.serves(greeted=self.state == "connected")

    def on_answer_ready(self):
        if self.state == "over":
            self.step({"stack": "answer"}, may_send=[self.answer(SESSION)], transport=self.EITHER)
        else:
            self.step({"stack": "answer"}, [self.answer(SESSION)])

    def on_offer_that_the_webrtc_stack_cannot_use(self):
        self.step({"stack": "refuse"}, [self.ended(SESSION)] if self.row.error else [])

    def on_hello_of_the_visitor(self):
        self.frame(hello())
        if self.is_final():
            self.frame(ping(), {"type": "PONG", "stream": "0", "token": "7"})

    def on_no_hello_30_s_after_the_answer(self):
        self.step({"wait_ms": 30_000}, to_visitor=[{"type": "GOAWAY", "stream": "0", "code": self.row.error}])

    def stays(self, what):
        """Nothing comes of an answer that is under way, and a session goes on."""
        self.step(what)
        if self.is_final() and self.state == "answering":
            self.step({"stack": "answer"})
        elif self.is_final() and self.state in self.OPEN:
            self.serves(greeted=self.state == "connected")

    def on_link_lost(self):
        self.stays({"link": "lost"})

    def on_agent_stops(self):
        if self.state in self.OPEN:
            # With nothing open, the session may end at once.
            self.step({"stop": True}, to_visitor=[{"type": "GOAWAY", "stream": "0", "code": "NO_ERROR", "last_stream": "0"}], transport=self.EITHER)
        else:
            self.stays({"stop": True})

    def on_session_over(self):
        self.step({"visitor": "leaves"})
        if self.is_final():
            self.restarts(1, {"kind": "VisitEnd", "code": "NO_SUCH_VISIT", "session_id": RESTART.hex()}, note="restart")


class CoordLink(Walk):
    def input(self):
        return {"now_ms": NOW, "domain": DOMAIN, "nonce": NONCE.hex(), "alias": ALIAS, "max_routes": 2,
                "revoked": (self.final.state, self.final.event) == ("awaiting Hello", "Hello of a revoked key"), "steps": self.steps}

    def start(self):
        self.count = 0

    def receive(self, data, *rest, **more):
        self.count += 1
        super().receive(data, *rest, **more)

    def hello(self, seed=SEED):
        statement = registration(PUBLIC_KEY, NONCE)
        return {"registration": statement, "signature": signed(seed, REGISTRATION, statement), "software": "vectors"}

    def on_hello(self):
        self.envelope("Hello", self.hello(), ["registered"], [{"kind": "Welcome", "re": str(self.seq + 1), "alias": ALIAS}])

    def on_bad_hello(self):
        self.envelope("Hello", self.hello(OTHER_SEED))

    def on_hello_of_a_revoked_key(self):
        self.envelope("Hello", self.hello())

    def on_routeannounce(self):
        self.envelope("RouteAnnounce", {"apps": [APP, "admin", "Bad", "second", "third"]}, ["routes"], [{
            "kind": "RouteAck", "re": str(self.seq + 1), "accepted": sorted([APP, "second"]),
            "refused": [{"app": "admin", "code": "NAME_RESERVED"}, {"app": "Bad", "code": "NAME_INVALID"}, {"app": "third", "code": "LIMIT"}]}])

    def answer(self, **changed):
        return {"session_id": SESSION, "sdp": ANSWER, "statement": b"\x08\x01", "signature": bytes(64)} | changed

    def on_visitanswer(self):
        self.envelope("VisitAnswer", self.answer(), ["answer"])

    def on_bad_visitanswer(self):
        self.envelope("VisitAnswer", self.answer(session_id=SESSION[:15]))

    def on_candidate(self):
        self.envelope("Candidate", {"session_id": SESSION, "candidate": CANDIDATE, "sdp_mid": "0"}, ["candidate"])

    def on_bad_candidate(self):
        self.envelope("Candidate", {"session_id": SESSION, "candidate": "a=" + CANDIDATE})

    def on_visitend(self):
        self.envelope("VisitEnd", {"session_id": SESSION, "code": "NO_SUCH_APP"}, ["visit-end"])

    def on_heartbeat(self):
        self.envelope("Heartbeat", {}, (), [{"kind": "HeartbeatAck", "re": str(self.seq + 1)}])

    def revoke(self, seed, public_key=PUBLIC_KEY):
        statement = registration(public_key, NONCE)
        return {"statement": statement, "signature": signed(seed, REVOKE, statement)}

    def on_revoke(self):
        if self.row.scope or self.state == "closed":
            return self.envelope("Revoke", self.revoke(SEED))
        self.seq += 1
        self.receive(kit.envelope("Revoke", self.revoke(SEED), self.seq), [{"kind": "Goodbye", "code": "REVOKED"}], ["revoked"], "Revoke",
                     closed=True)

    def on_bad_revoke(self):
        """A good statement, by another key than the link's; the other faults are in statements.json."""
        self.envelope("Revoke", self.revoke(OTHER_SEED, OTHER_KEY))

    def on_error(self):
        data = kit.envelope("Error", {"code": "WRONG_DOMAIN", "detail": "not mine"}, 0, 1)
        if self.row.next == "closed":
            self.receive(data, (), ["closed"], "Error", closed=True)
        else:
            self.receive(data, (), ["refused"], "Error")

    def on_goodbye(self):
        self.seq += 1
        self.receive(kit.envelope("Goodbye", {}, self.seq), (), ["closed"], "Goodbye", closed=True)

    def on_kind_that_only_coord_sends(self):
        self.envelope("HeartbeatAck", {"time_ms": NOW})

    def on_more_messages_than_allowed(self):
        data = {"receive": kit.unknown(0).hex(), "times": 1_024 - self.count, "note": "kinds that nobody knows, without numbers: 1,024 messages in all"}
        self.receive(data)
        self.judged(kit.unknown(0), 0, note="one more")

    def on_10_s_without_hello(self):
        self.lost(10_000)

    def on_45_s_without_a_message(self):
        self.lost(45_000)

    def call(self, name, *sends, **values):
        closed = {} if self.state == "closed" else {"closed": True}
        self.steps.append({"call": name, **values, "sends": [] if self.state == "closed" else list(sends), "events": []} | closed)

    def on_newer_link_of_the_same_key(self):
        self.call("replaced", {"kind": "ReplacedByNewer"})

    def on_coord_stops(self):
        self.call("goodbye", {"kind": "Goodbye", "code": "SHUTTING_DOWN"}, code="SHUTTING_DOWN")

    def judged(self, data, number, events=(), note=None, sends=()):
        # Only the agent asks whether it may connect again.
        super().judged(data, number, events, note, sends)
        self.steps[-1].pop("again", None)

    def lost(self, ms):
        super().lost(ms)
        self.steps[-1].pop("again", None)


class VisitAtCoord(Walk):
    def input(self):
        return {"session_id": SESSION.hex(), "steps": self.steps}

    def result(self, row):
        return "valid"

    def step(self, what, to_agent=(), to_visitor=(), **rest):
        ends = self.row.next == "ended" and self.state != "ended"
        self.steps.append(what | {"to_agent": list(to_agent), "to_visitor": list(to_visitor)} | rest | ({"ended": True} if ends else {}))

    def agent(self, kind, content, **rest):
        self.seq += 1
        self.step({"agent": kit.envelope(kind, {"session_id": SESSION} | content, self.seq).hex(), "note": kind}, **rest)

    def end(self, *code):
        return {"kind": "end"} | ({"code": code[0]} if code else {})

    def on_visitanswer(self):
        content = {"sdp": ANSWER, "statement": b"\x08\x01", "signature": bytes(64)}
        if self.state == "ended":
            self.agent("VisitAnswer", content, to_agent=[{"kind": "VisitEnd", "code": "NO_SUCH_VISIT", "session_id": SESSION.hex()}])
        elif self.state == "answered":
            self.agent("VisitAnswer", content)
        else:
            kept = [{"kind": "candidate", "candidate": CANDIDATE}] if self.early() else []
            self.agent("VisitAnswer", content, to_visitor=[{"kind": "answer", "sdp": ANSWER, "signature": bytes(64).hex()}] + kept)

    def early(self):
        return any(step.get("note") == "Candidate" for step in self.steps)

    def on_candidate_of_the_agent(self):
        sends = [{"kind": "candidate", "candidate": CANDIDATE}] if self.state == "answered" else []
        self.agent("Candidate", {"candidate": CANDIDATE, "sdp_mid": "0"}, to_visitor=sends)
        if self.state == "offered":
            self.on_visitanswer()

    def on_visitend_of_the_agent(self):
        self.agent("VisitEnd", {"code": "NO_SUCH_APP", "reason": "gone"}, to_visitor=[] if self.state == "ended" else [self.end("NO_SUCH_APP")])

    def on_update_of_the_visitor(self):
        over = self.state == "ended"
        self.step({"visitor": "update", "candidates": [CANDIDATE, ""]},
                  [] if over else [{"kind": "Candidate", "candidate": CANDIDATE, "session_id": SESSION.hex()}, {"kind": "Candidate", "session_id": SESSION.hex()}],
                  status=404 if over else 204)

    def on_delete_of_the_visitor(self):
        over = self.state == "ended"
        self.step({"visitor": "delete"}, [] if over else [{"kind": "VisitEnd"}], [] if over else [self.end()], status=404 if over else 204)

    def on_stream_closed_by_the_visitor(self):
        self.step({"visitor": "close"}, [] if self.state == "ended" else [{"kind": "VisitEnd"}])

    def on_agent_s_link_lost(self):
        self.step({"link": "lost"}, (), [] if self.state == "ended" else [self.end("AGENT_OFFLINE")])

    def over(self, ms, *code):
        live = self.state != "ended"
        self.step({"wait_ms": ms}, [{"kind": "VisitEnd", "code": code[0]} if code else {"kind": "VisitEnd"}] if live else [], [self.end(*code)] if live else [])

    def on_10_s_without_an_answer(self):
        self.over(10_000, "AGENT_TIMEOUT")

    def on_30_s_after_the_answer(self):
        self.over(30_000)

    def on_coord_stops(self):
        self.step({"stop": True}, (), [] if self.state == "ended" else [self.end("SHUTTING_DOWN")])


class VisitAtVisitor(Walk):
    def start(self):
        self.outcomes = []

    def input(self):
        return {"app": APP, "alias": ALIAS, "nonce": digest("visitor nonce").hex(), "offer_sdp": OFFER, "pins": [], "now_ms": NOW,
                "events": self.steps}

    def result(self, row):
        return "invalid" if self.outcomes[-1] == "refused" else "valid"

    def happens(self, data, outcome):
        self.steps.append(data.hex() if data is not None else None)
        self.outcomes.append("over" if self.state == "ended" else "refused" if self.row.action.startswith("refuse") else outcome)

    def answered(self, statement):
        content = {"session_id": SESSION, "sdp": ANSWER, "statement": statement, "signature": signed(SEED, VISIT, statement)}
        self.happens(kit.event("answer", content), "answer")

    def on_answer(self):
        self.answered(visit_statement(PUBLIC_KEY))

    def on_answer_that_fails_a_check(self):
        self.answered(visit_statement(PUBLIC_KEY, nonce=digest("older nonce")))

    def on_candidate(self):
        self.happens(kit.event("candidate", {"candidate": CANDIDATE, "sdp_mid": "0"}), "candidate")

    def on_bad_candidate(self):
        self.happens(kit.event("candidate", {"candidate": "a=" + CANDIDATE}), "candidate")

    def on_end(self):
        self.happens(kit.event("end", {"code": "AGENT_OFFLINE"}), "end")

    def on_event_of_an_unknown_kind(self):
        self.happens(wire.embedded(99, b"x"), "ignored")

    def on_broken_event(self):
        self.happens(b"\x02\xff\xff", "refused")

    def on_stream_over(self):
        self.happens(None, "lost" if self.state == "awaiting answer" else "stream-over")

    @classmethod
    def cases(cls, name, flags=None):
        table = Table(name)
        ways = table.ways()
        for row in table.rows:
            walk = cls(table, row)
            for event in ways[row.state] + [row.event]:
                walk.row = table.at[walk.state, event]
                getattr(walk, handle(event))()
                walk.state = walk.row.next
            yield case(f"{name}/{row.state}/{row.event}".replace(" ", "-"), row.action, walk.input(), walk.result(row), row.req,
                       outcomes=walk.outcomes)


def links():
    return [
        {"type": "link-agent", "comment": "the agent's end of an agent link; README.md, Signaling.", "cases": list(AgentLink.cases("agent-link-agent"))},
        {"type": "link-coord", "comment": "coord's end of an agent link; README.md, Signaling.", "cases": list(CoordLink.cases("agent-link-coord"))},
        {"type": "visit-agent", "comment": "a visit at the agent; README.md, Signaling.", "cases": list(VisitAtAgent.cases("visit-agent"))},
        {"type": "visit-coord", "comment": "a visit at coord; README.md, Signaling.", "cases": list(VisitAtCoord.cases("visit-coord"))},
        {"type": "visit-visitor", "comment": "a visit at the visitor; README.md, Signaling.", "cases": list(VisitAtVisitor.cases("visit-visitor"))},
    ]
