/** What the visitor's end of a session does, frame by frame: the state tables and flow control. */
import { type Sequence, playSequence } from "./sequence.ts";
import { testVectors } from "./vector-file.ts";

const AGENT = "this client is a visitor";

testVectors(
  "state-sequences",
  { "session-visitor": (one) => playSequence(one as { input: Sequence } & typeof one), "session-agent": AGENT },
  { "session-visitor": { "this client sends no trailers": 4, OwnHalfOpen: 36 } },
);
testVectors("flow-control", { "flow-visitor": (one) => playSequence(one as { input: Sequence } & typeof one), "flow-agent": AGENT });
