// A coordination service that lies: a proxy between edge and coord that changes the answers.
//
// Field numbers are those of proto/p2claw/v1/signaling.proto.
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { createServer, request as httpRequest } from "node:http";
import { once } from "node:events";
import { decode, delimited, Delimited, encode, field, withField } from "./protobuf.mjs";

const VISITS = "/.well-known/p2claw/v1/visits";
const EVENT_ANSWER = 1;
const ANSWER = { sessionId: 1, sdp: 2, statement: 3, signature: 4 };
const STATEMENT_PUBLIC_KEY = 8;
const CONTEXT = Buffer.from("p2claw/v1 visit\0");

/** Changes an answer's fields; see the functions below. */
const honest = (answer) => answer;

export class Liar {
  /** Answers as the agent gave them, oldest first. */
  recorded = [];
  /** Streams of visits that are open. */
  streams = 0;
  /** Visits that were given up. */
  cancelled = 0;
  /** What is done to each answer before the visitor gets it. */
  lie = honest;

  /** Stands before coord's port; returns its own. */
  async start(coordPort) {
    this.server = createServer((request, response) => this.#forward(coordPort, request, response));
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return this.server.address().port;
  }

  stop() {
    this.server?.close();
    this.server?.closeAllConnections();
  }

  #forward(port, request, response) {
    const { method, url, headers } = request;
    if (method === "DELETE") this.cancelled += 1;
    const onward = httpRequest({ host: "127.0.0.1", port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      response.flushHeaders();
      if (method === "POST" && url === VISITS && answer.statusCode === 201) this.#rewrite(answer, response);
      else answer.pipe(response);
      answer.on("error", () => response.destroy());
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  }

  #rewrite(answer, response) {
    this.streams += 1;
    response.on("close", () => (this.streams -= 1));
    const messages = new Delimited();
    answer.on("data", (chunk) => {
      for (const message of messages.push(chunk)) response.write(delimited(this.#event(message)));
    });
    answer.on("end", () => response.end());
  }

  #event(message) {
    const event = decode(message);
    const bytes = field(event, EVENT_ANSWER);
    if (!bytes) return message;
    const answer = decode(bytes);
    this.recorded.push(answer);
    return encode(withField(event, EVENT_ANSWER, encode(this.lie(answer))));
  }
}

/** Another DTLS certificate's fingerprint in the SDP: a stranger in the middle of the connection. */
export function swapFingerprint(answer) {
  const stranger = randomBytes(32).toString("hex").toUpperCase().match(/../g).join(":");
  const sdp = field(answer, ANSWER.sdp).toString();
  const swapped = sdp.replaceAll(/(a=fingerprint:sha-256 )[0-9A-Fa-f:]+/g, `$1${stranger}`);
  if (swapped === sdp) throw new Error(`no SHA-256 fingerprint in the answer's SDP:\n${sdp}`);
  return withField(answer, ANSWER.sdp, Buffer.from(swapped));
}

/** The answer of an earlier visit, under this visit's session id. */
export function replay(old) {
  return (answer) => withField(old, ANSWER.sessionId, field(answer, ANSWER.sessionId));
}

/** The same statement, signed by somebody else's key: all it says is true but who says it. */
export function signAnew({ publicKey, privateKey } = generateKeyPairSync("ed25519")) {
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x, "base64url");
  return (answer) => {
    const statement = encode(withField(decode(field(answer, ANSWER.statement)), STATEMENT_PUBLIC_KEY, raw));
    const signature = sign(null, Buffer.concat([CONTEXT, statement]), privateKey);
    return withField(withField(answer, ANSWER.statement, statement), ANSWER.signature, signature);
  };
}

/** The signature with one bit changed. */
export function spoilSignature(answer) {
  const signature = Buffer.from(field(answer, ANSWER.signature));
  signature[40] ^= 1;
  return withField(answer, ANSWER.signature, signature);
}

/** The agent's candidates led over a `UdpPath`: no other way to it is told. */
export function detour(path) {
  return (answer) => {
    const lines = field(answer, ANSWER.sdp).toString().split("\r\n");
    const wanted = /^(a=candidate:\S+ 1 udp \d+ )127\.0\.0\.1 (\d+)( typ host.*)$/i;
    const own = lines.map((line) => wanted.exec(line)).find(Boolean);
    if (!own) throw new Error(`the agent has no candidate on loopback:\n${lines.join("\n")}`);
    path.target = Number(own[2]);
    const led = lines.flatMap((line) => (wanted.test(line) ? [`${own[1]}${path.host} ${path.port}${own[3]}`] : line.startsWith("a=candidate:") ? [] : [line]));
    return withField(answer, ANSWER.sdp, Buffer.from(led.join("\r\n")));
  };
}

export { honest };
