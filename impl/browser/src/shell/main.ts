/**
 * Shell: the top page of every address. Connects, keeps the connection, owns history and cookies, and
 * shows the app in its frame. Everything that takes a round trip starts at once and side by side.
 */
import { SharedJar } from "../cookie/shared-jar.ts";
import { parseHost } from "../identity/host-label.ts";
import type { FromWorker, ToWorker } from "../port/messages.ts";
import { APP_FRAME, type ShellApi } from "./api.ts";
import { AppFrame } from "./app-frame.ts";
import { Connector } from "./connector.ts";
import { RouterLink } from "./router-link.ts";
import { Screen } from "./screen.ts";

declare const TUNNEL_URL: string;

function start(screen: Screen): void {
  const fail = (code: string): void => {
    screen.setState("failed", code);
    screen.showPage(code, []);
  };
  const label = parseHost(location.hostname);
  if (!label) return fail("NOT_AN_ADDRESS");
  if (!("RTCPeerConnection" in window)) return fail("NO_WEBRTC");
  if (!("serviceWorker" in navigator)) return fail("NO_SERVICE_WORKER");

  const worker = new Worker(TUNNEL_URL);
  const tell = (message: ToWorker, transfer: Transferable[] = []): void => worker.postMessage(message, transfer);
  const frameElement = document.getElementById(APP_FRAME);
  if (!(frameElement instanceof HTMLIFrameElement)) throw new Error("the shell has no frame");
  const frame = new AppFrame(frameElement, {
    onDocument: (broken) => connector.onDocument(broken),
    onExpect: (url, by) => router.expect(url, by),
  });
  const connector = new Connector(label, screen, frame, tell);
  const serve = (port: MessagePort): void => tell({ type: "serve", port }, [port]);
  const router = new RouterLink(serve, (url) => frame.stays(url));
  const jar = new SharedJar(location.hostname, (records) => tell({ type: "cookies", records }));

  const api: ShellApi = {
    version: 1,
    push: (url) => frame.push(url),
    expect: (url) => frame.expect(url),
    stays: (navigation) => frame.stays(navigation),
    sync: (url) => frame.sync(url),
    leave: (url, replace) => {
      if (!/^https?:/.test(url)) return;
      if (replace) location.replace(url);
      else location.assign(url);
    },
    attach: (document) => frame.attach(document),
    serve: (port) => serve(port),
    mine: (token) => router.mine(token),
    cookies: (path) => jar.get(path, "all", true),
    setCookie: (line, path) => jar.set(line, path, true),
  };
  Object.defineProperty(window, "p2claw", { value: Object.freeze(api) });

  let heard = false;
  // A worker that has spoken once survives its errors; one that has not could not be loaded.
  worker.onerror = () => {
    if (heard) return;
    connector.stop();
    screen.setState("failed", "NO_WORKER");
    screen.showPage("NO_WORKER", [], () => location.reload());
  };
  worker.onmessage = (event: MessageEvent<FromWorker>) => {
    const message = event.data;
    heard = true;
    if (message.type === "busy") router.setBusy(message.exchanges > 0);
    else if (message.type === "cookies") jar.merge(message.records);
    else connector.onWorker(message);
  };
  const prepared = Promise.all([router.ready, jar.loaded]);
  prepared.then(
    () => connector.onPrepared(),
    () => {
      connector.stop();
      fail("NO_SERVICE_WORKER");
    },
  );
  window.addEventListener("pagehide", () => connector.stop());
  // Out of the browser's cache of pages the connection does not come back.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  connector.start();
}

start(new Screen());
