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

/** Candidates and descriptions go through `send`, and come by the function that this returns. */
function connect(name, send) {
  const peer = new PeerConnection(name, { iceServers: [], maxMessageSize: 262_144 });
  peer.onLocalDescription((sdp, type) => send({ sdp, type }));
  peer.onLocalCandidate((candidate, mid) => send({ candidate, mid }));
  const take = (message) => {
    if (message.sdp) peer.setRemoteDescription(message.sdp, message.type);
    else peer.addRemoteCandidate(message.candidate, message.mid);
  };
  return { peer, take };
}

if (role === "agent") {
  const { peer, take } = connect("agent", (message) => process.send(message));
  process.on("message", take);
  peer.onDataChannel((channel) => {
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
    fill();
  });
} else {
  const child = fork(script, [folder, megabytes, "agent"]);
  const { peer, take } = connect("visitor", (message) => child.send(message));
  child.on("message", take);
  const channel = peer.createDataChannel("bench");
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
