/** Everything of the client's own lies below this path and never goes through the tunnel (BRO-005). */
export const RESERVED_PATH = "/.well-known/p2claw/";
