// Two libdatachannel peers in two processes on this machine: prints the MB/s of one raw transfer,
// in messages of 16 KiB with at most 256 KiB queued, as our own raw transfers have them.
//
//   node libdatachannel.mjs FOLDER MEGABYTES      (FOLDER has node_modules/node-datachannel)
import { fork } from "node:child_process";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [, script, folder, megabytes, role] = process.argv;
const { PeerConnection } = createRequire(join(resolve(folder), "package.json"))("node-datachannel");
const BYTES = Number(megabytes) * 1e6;
const MESSAGE = 16 * 1024;
const QUEUED = 256 * 1024;

/** What nobody refers to is closed by the garbage collector. */
const kept = (globalThis.kept = []);

/** Candidates and descriptions go through `send`, and come by the function that this returns. */
function connect(name, send) {
  const peer = new PeerConnection(name, { iceServers: [], maxMessageSize: 262_144 });
  peer.onLocalDescription((sdp, type) => send({ sdp, type }));
  peer.onLocalCandidate((candidate, mid) => send({ candidate, mid }));
  // Candidates may come first: they are told of by another thread.
  let early = [];
  const add = ({ candidate, mid }) => peer.addRemoteCandidate(candidate, mid);
  const take = (message) => {
    if (message.sdp) {
      peer.setRemoteDescription(message.sdp, message.type);
      early.splice(0).forEach(add);
      early = undefined;
    } else if (early) early.push(message);
    else add(message);
  };
  kept.push(peer);
  return { peer, take };
}

if (role === "agent") {
  const { peer, take } = connect("agent", (message) => process.send(message));
  process.on("message", take);
  peer.onDataChannel((channel) => {
    kept.push(channel);
    const message = Buffer.alloc(MESSAGE);
    let sent = 0;
    const fill = () => {
      while (sent < BYTES && channel.bufferedAmount() < QUEUED) {
        channel.sendMessageBinary(message);
        sent += MESSAGE;
      }
    };
    channel.setBufferedAmountLowThreshold(QUEUED / 2);
    channel.onBufferedAmountLow(fill);
    if (channel.isOpen()) fill();
    else channel.onOpen(fill);
  });
} else {
  const child = fork(script, [folder, megabytes, "agent"]);
  const { peer, take } = connect("visitor", (message) => child.send(message));
  child.on("message", take);
  const channel = peer.createDataChannel("bench");
  kept.push(channel);
  let received = 0;
  let start;
  channel.onMessage((message) => {
    start ??= performance.now();
    received += message.length;
    if (received >= BYTES) {
      console.log((received / 1e3 / (performance.now() - start)).toFixed(1));
      child.kill();
      process.exit(0);
    }
  });
  setTimeout(() => process.exit(1), 60_000).unref();
}
