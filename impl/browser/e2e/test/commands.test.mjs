// The demo as a person starts and ends it.
import assert from "node:assert/strict";
import { createServer, connect } from "node:net";
import { once } from "node:events";
import { scenario } from "../harness/scenario.mjs";
import { startDemo } from "../harness/stack.mjs";
import { command, start } from "../harness/program.mjs";
import { temporary } from "../harness/place.mjs";
import { within } from "../harness/poll.mjs";

scenario("the demo tells where it is and ends cleanly on Ctrl-C while somebody visits", async (scene) => {
  const demo = await startDemo();
  scene.finally(() => demo.program.crash().catch(() => {}));
  assert.match(demo.url, new RegExp(`^http://${demo.app}-${demo.alias}\\.localhost:\\d+/$`));
  assert.match(demo.peer_id, /^[ybndrfg8ejkmcpqxot1uwisza345h769]{52}$/);
  assert.match(demo.upstream, /127\.0\.0\.1:\d+/);
  const ready = demo.program.log.filter((line) => line.startsWith("{"));
  assert.equal(ready.length, 1, "one line of JSON");
  const visit = await scene.visit(demo.url);
  // The page holds a live stream open.
  await visit.app("#live[data-state=live]");
  const began = Date.now();
  const { code, forced } = await demo.stop("SIGINT");
  scene.note(`the demo ended ${Date.now() - began} ms after Ctrl-C`);
  assert.equal(forced, undefined, "it ended by itself");
  assert.equal(code, 0);
  const socket = connect(Number(new URL(demo.url).port), "127.0.0.1");
  const [error] = await once(socket, "error");
  assert.equal(error.code, "ECONNREFUSED");
});

scenario("the demo prints an address and a QR code for people", async () => {
  const demo = start("demo", ["demo", "--port", "0"]);
  try {
    await demo.line("the address", (line) => /http:\/\/\S+\.localhost:\d+\//.test(line));
    await within("the QR code", 5_000, demo.log.some((line) => /[█▀▄]{4}/.test(line)) || demo.line("the QR code", (line) => /[█▀▄]{4}/.test(line)));
  } finally {
    await demo.stop();
  }
});

scenario("a port that is in use gets a clear message or another port", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  try {
    const demo = start("demo", ["demo", "--json", "--port", String(port)]);
    const ready = await Promise.race([
      demo.line("the address", (line, stream) => stream === "stdout" && line.startsWith("{") && JSON.parse(line)).catch(() => undefined),
      demo.ended.then(() => undefined),
    ]);
    if (ready) {
      assert.notEqual(Number(new URL(ready.url).port), port);
      await demo.stop();
    } else {
      const { code } = await demo.ended;
      assert.notEqual(code, 0);
      assert.ok(demo.log.join("\n").includes(String(port)), `the message names the port: ${demo.log.join("\n")}`);
      assert.doesNotMatch(demo.log.join("\n"), /panicked/);
    }
  } finally {
    server.close();
  }
});

scenario("every command has help", async () => {
  const home = temporary("help");
  for (const name of ["demo", "coord", "edge", "run", "expose", "unexpose", "routes", "identity"]) {
    const { code, stdout } = await command([name, "--help"], home);
    assert.equal(code, 0, name);
    assert.match(stdout, /Usage: p2claw/);
    assert.ok(stdout.includes("--json"), `${name} has --json`);
  }
});

scenario("commands that need the daemon say so when there is none", async () => {
  const home = temporary("alone");
  for (const args of [["expose", "app", "8080"], ["unexpose", "app"], ["routes"]]) {
    const { code, stderr } = await command(args, home);
    if (args[0] === "routes" && code === 0) continue;
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stderr, /p2claw run/, "it names the command that helps");
  }
});
