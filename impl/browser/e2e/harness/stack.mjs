// The system under test, in one process (`p2claw demo`) or in pieces.
import { connect } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { freePort, temporary } from "./place.mjs";
import { until } from "./poll.mjs";
import { command, commandJson, start } from "./program.mjs";

/** The WebRTC stack of the agent; without one, the binary's own choice. */
export const rtc = process.env.P2CLAW_RTC || undefined;
const rtcArguments = rtc ? ["--rtc", rtc] : [];

function parseReady(line, stream) {
  if (stream !== "stdout" || !line.startsWith("{")) return undefined;
  const ready = JSON.parse(line);
  return ready.url ? ready : undefined;
}

/** `p2claw demo`, ready to be visited: {program, url, alias, peer_id, app, upstream}. */
export async function startDemo(...args) {
  const program = start("demo", ["demo", "--json", "--port", "0", ...rtcArguments, ...args]);
  const ready = await program.line("the address", parseReady, 30_000);
  return { ...ready, program, stop: (signal) => program.stop(signal) };
}

async function listening(what, port) {
  await until(`${what} on port ${port}`, async () => {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return true;
    } finally {
      socket.destroy();
    }
  });
}

/** coord, edge and agent as processes of their own. */
export class Pieces {
  home = temporary("pieces");

  /** Starts all three; `viaProxy` may put something between edge and coord, and returns its port. */
  async start({ viaProxy } = {}) {
    this.coordPort = await freePort();
    this.edgePort = await freePort();
    await this.startCoord();
    this.edgeCoordPort = viaProxy ? await viaProxy(this.coordPort) : this.coordPort;
    await this.startEdge();
    this.startAgent();
    return this;
  }

  startAgent() {
    this.agent = start("agent", ["run", "--coord", `http://127.0.0.1:${this.coordPort}`, ...rtcArguments], this.home);
  }

  async startCoord() {
    const database = join(this.home, "coord.redb");
    const publicUrl = `http://localhost:${this.edgePort}`;
    const args = ["--listen", `127.0.0.1:${this.coordPort}`, "--public-url", publicUrl, "--database", database];
    this.coord = start("coord", ["coord", ...args]);
    await listening("coord", this.coordPort);
  }

  async startEdge() {
    const args = ["--listen", `127.0.0.1:${this.edgePort}`, "--coord", `http://127.0.0.1:${this.edgeCoordPort}`, "--parent", "localhost"];
    this.edge = start("edge", ["edge", ...args]);
    await listening("edge", this.edgePort);
  }

  /** Exposes a loopback port under an app name; returns its address once visitors can use it. */
  async expose(app, port) {
    await until(`p2claw expose ${app}`, () => commandJson(["expose", app, String(port)], this.home), { timeout: 20_000, every: 200 });
    const route = await until(`${app} to be announced`, async () => {
      const listed = (await this.routes()).find((one) => one.app === app);
      return listed?.url && !listed.problem && listed;
    });
    return route.url;
  }

  unexpose(app) {
    return commandJson(["unexpose", app], this.home);
  }

  routes() {
    return commandJson(["routes"], this.home);
  }

  identity() {
    return commandJson(["identity"], this.home);
  }

  command(...args) {
    return command(args, this.home);
  }

  async stop() {
    await Promise.all([this.agent, this.edge, this.coord].map((program) => program?.stop()));
  }
}
