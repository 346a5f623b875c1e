/**
 * One exchange, seen from the visitor.
 *
 *   sending half:    open --finish--> ending --last frame--> closed
 *                    open/ending --cancel, STOP--> closed (RESET sent)
 *   receiving half:  head --RESPONSE--> body --DATA_END, TRAILERS, RESET--> closed
 *                    head/body/messages --cancel--> discarding --end or RESET--> closed
 *
 * A WebSocket takes this way:
 *
 *   sending half:    waiting --200--> open --close--> ending --WS_CLOSE--> closed
 *                    waiting --another final response--> closed (no frame)
 *                    waiting/open/ending --cancel, STOP--> closed (RESET sent)
 *   receiving half:  head --200--> messages --WS_CLOSE, RESET--> closed
 *                    head --another final response--> body (as above)
 *
 * With both halves closed the stream is gone.
 */
import { ReceiveCredit, SendCredit } from "./credit.ts";
import { IncomingMessages } from "./incoming.ts";
import { OutgoingBody, OutgoingMessages } from "./outgoing.ts";

export interface StreamOptions {
  id: number;
  lane: number;
  method: string;
  /** A request half follows the head. */
  hasBody: boolean;
  /** Of a WebSocket: the subprotocols that were asked for. */
  subprotocols: readonly string[] | undefined;
  sendLimit: number;
  window: number;
}

export class Stream {
  readonly id: number;
  readonly lane: number;
  readonly method: string;
  readonly subprotocols: readonly string[] | undefined;
  sending: "waiting" | "open" | "ending" | "closed";
  receiving: "head" | "body" | "messages" | "discarding" | "closed" = "head";
  readonly sendCredit: SendCredit;
  readonly receiveCredit: ReceiveCredit;
  /** Declared by the response; compared with what came. */
  contentLength: number | undefined;
  received = 0;
  readonly outgoing: OutgoingBody | OutgoingMessages;
  readonly incoming = new IncomingMessages();

  constructor({ id, lane, method, hasBody, subprotocols, sendLimit, window }: StreamOptions) {
    this.id = id;
    this.lane = lane;
    this.method = method;
    this.subprotocols = subprotocols;
    this.sending = subprotocols ? "waiting" : hasBody ? "open" : "closed";
    this.outgoing = subprotocols ? new OutgoingMessages() : new OutgoingBody();
    this.sendCredit = new SendCredit(sendLimit);
    this.receiveCredit = new ReceiveCredit(window);
  }

  get closed(): boolean {
    return this.sending === "closed" && this.receiving === "closed";
  }
}
