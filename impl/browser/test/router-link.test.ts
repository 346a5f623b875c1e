/** The shell's side of the service worker, with a browser that is the test. */
import assert from "node:assert/strict";
import test from "node:test";
import { RouterLink } from "../src/shell/router-link.ts";

// BRO-013
test("a new version of the service worker takes over without a reload, and gets a port of its own", async () => {
  class Container extends EventTarget {
    controller: object | null = null;
    onmessage: unknown;
    ready: Promise<object>;
    constructor(active: object) {
      super();
      this.ready = Promise.resolve({ active });
    }
    register(): Promise<object> {
      return this.ready;
    }
  }
  const workers = [1, 2].map((version) => {
    const heard: string[] = [];
    return { version, heard, postMessage: ({ type }: { type: string }) => void heard.push(type) };
  });
  const [first, second] = workers;
  assert.ok(first && second);
  const container = new Container(first);
  container.controller = first;
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { serviceWorker: container } });
  // Whoever touches these reloads the page, or leads it away.
  const untouched = new Proxy({}, { get: (_, name) => assert.fail(`location.${String(name)}`), set: (_, name) => assert.fail(`location.${String(name)}`) });
  Object.assign(globalThis, { location: untouched, window: { location: untouched } });
  const ports: MessagePort[] = [];
  const link = new RouterLink((port) => ports.push(port), () => undefined);
  await link.ready;
  container.controller = second;
  container.dispatchEvent(new Event("controllerchange"));
  container.dispatchEvent(new Event("controllerchange"));
  assert.deepEqual(workers.map(({ heard }) => heard), [["port"], ["port"]]);
  assert.equal(ports.length, 2);
  link.expect("https://app.example/", "app");
  assert.deepEqual(second.heard, ["port", "expect"], "the new one is told from now on");
  for (const port of ports) port.close();
});
